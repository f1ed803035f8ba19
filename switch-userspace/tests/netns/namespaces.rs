//! Namespaces: opening, naming, entering, refusing.

use std::{
    collections::BTreeSet,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use switch_userspace::netns::{ErrorKind, LinkSettings, Netns, named_path};

use crate::support::{Machine, census, kind};

#[test]
fn a_new_namespace_has_nothing_but_a_loopback_interface() {
    let machine = Machine::new();
    assert_eq!(census(&machine.at_host), BTreeSet::from(["lo".to_owned()]));
}

#[test]
fn a_namespace_is_the_same_by_whatever_name_it_is_opened() {
    let own = Netns::current().expect("the test's own namespace");
    assert_eq!(own, Netns::open_pid(process::id()).expect("by pid"));
    assert_eq!(own, Netns::open("/proc/self/ns/net").expect("by path"));
    assert_ne!(own, Netns::anonymous().expect("a namespace of its own"));
}

#[test]
fn work_in_a_namespace_leaves_the_caller_where_it_was() {
    let machine = Machine::new();
    let before = Netns::current().expect("before");
    let inside = machine.container.run(Netns::current).expect("inside");
    assert_eq!(inside, machine.container);
    assert_eq!(before, Netns::current().expect("after"));
}

#[test]
fn the_hosts_own_namespace_is_refused_under_any_name() {
    let machine = Machine::new();
    let again = machine.host.run(Netns::current).expect("the host once more");
    let error = again.refuse_host(&machine.host).expect_err("the host is no container");
    assert!(error.to_string().contains("host's own"), "{error}");
    machine.container.refuse_host(&machine.host).expect("a container is one");
}

#[test]
fn what_is_no_namespace_is_not_opened_as_one() {
    assert_eq!(kind(Netns::open("/proc/self/status")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("/proc/self/ns/mnt")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("/proc/self/ns/nothing")), ErrorKind::NotFound);
    assert_eq!(kind(Netns::open("..")), ErrorKind::Invalid);
    assert_eq!(kind(Netns::open("wye-no-such-namespace")), ErrorKind::NotFound);
}

/// A name under `/run/netns` that goes with the test.
struct Named(String);

impl Named {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self(format!("wye-test-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        match Netns::delete_named(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound && !thread::panicking() => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn a_named_namespace_lasts_from_create_to_delete() {
    let named = Named::new();
    let made = Netns::create_named(&named.0).expect("create");
    assert_eq!(made, Netns::open(&named.0).expect("open by name"));
    assert_eq!(
        made,
        Netns::open(named_path(&named.0).expect("path").to_str().expect("UTF-8")).expect("by path")
    );
    assert_eq!(kind(Netns::create_named(&named.0)), ErrorKind::Exists);
    Netns::delete_named(&named.0).expect("delete");
    assert_eq!(kind(Netns::open(&named.0)), ErrorKind::NotFound);
    assert_eq!(kind(Netns::delete_named(&named.0)), ErrorKind::NotFound);
}

#[test]
fn ip_netns_sees_a_named_namespace() {
    let named = Named::new();
    let made = Netns::create_named(&named.0).expect("create");
    let shown = process::Command::new("ip")
        .args(["netns", "exec", &named.0, "readlink", "/proc/self/ns/net"])
        .output()
        .expect("iproute2 is installed");
    assert_eq!(
        String::from_utf8_lossy(&shown.stdout).trim(),
        format!("net:[{}]", made.id().ino),
        "{shown:?}"
    );
}

#[test]
fn a_caller_without_privileges_is_told_so() {
    let machine = Machine::new();
    let worker = thread::spawn(move || {
        drop_privileges();
        let veth = machine.at_host.create_veth(&machine.host_end(), &LinkSettings::default());
        (kind(veth), kind(Netns::anonymous()), census(&machine.at_host))
    });
    let (veth, netns, left) = worker.join().expect("the unprivileged thread ended well");
    assert_eq!((veth, netns), (ErrorKind::Permission, ErrorKind::Permission));
    assert_eq!(left, BTreeSet::from(["lo".to_owned()]));
}

/// Takes the capabilities of the calling thread away; other threads keep theirs.
fn drop_privileges() {
    // SAFETY: the raw call takes an integer and changes the calling thread's user only.
    let changed = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
    assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
}
