//! Doing things inside network namespaces.

use std::process::{Command, Output};

use switch_userspace::netns::{Family, Netns, NetnsError, Sysctl};

/// A namespace of the test's own.
///
/// # Panics
/// Without the privilege: whole-system tests run as root.
#[must_use]
pub fn new() -> Netns {
    Netns::anonymous().expect("whole-system tests make network namespaces and have to run as root")
}

/// A namespace whose interfaces say nothing by themselves: no IPv6, and so no neighbour discovery.
///
/// # Panics
/// As [`new`].
#[must_use]
pub fn new_silent() -> Netns {
    let netns = new();
    netns
        .run(|| Sysctl::family(Family::Ipv6, "conf/default/disable_ipv6").set("1"))
        .expect("IPv6 is switched off in a new namespace");
    netns
}

/// Does something on a thread that is in the namespace.
///
/// # Panics
/// When the namespace cannot be entered.
pub fn inside<T: Send>(netns: &Netns, work: impl FnOnce() -> T + Send) -> T {
    netns.run(|| Ok::<_, NetnsError>(work())).expect("the namespace can be entered")
}

/// Runs a program in the namespace and waits for it.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn output(netns: &Netns, program: &str, args: &[&str]) -> Output {
    inside(netns, || Command::new(program).args(args).output())
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
}

/// Runs a program in the namespace, which has to succeed, and returns what it prints.
///
/// # Panics
/// When it fails.
pub fn run(netns: &Netns, program: &str, args: &[&str]) -> String {
    let output = output(netns, program, args);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}
