//! Debian packages: which ones are missing, and their installation.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Need, Road, linker, road};
use crate::process;

/// What compiles for eBPF on the Debian road.
pub(super) const DEBIAN_COMPILER: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];
/// The linter of that compiler.
pub(super) const DEBIAN_CLIPPY: &str = "rust-web-clippy";

/// Programs that demo and tests run, and the packages that have them.
const PROGRAMS: [(&str, &str); 9] = [
    ("bpftool", "bpftool"),
    ("ethtool", "ethtool"),
    ("ip", "iproute2"),
    ("iperf3", "iperf3"),
    ("iptables-restore", "iptables"),
    ("ping", "iputils-ping"),
    ("socat", "socat"),
    ("sysctl", "procps"),
    ("tcpdump", "tcpdump"),
];

/// The packages that the needs ask for and this machine does not have.
pub(super) fn missing(needs: &[Need], road: Option<&Road>) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for need in needs {
        match need {
            Need::Ebpf => {
                if road == Some(&Road::Debian) && !road::debian_core_is_installed() {
                    packages.extend(DEBIAN_COMPILER.map(String::from));
                }
                if let Some(road) = road
                    && linker::find().is_none()
                {
                    packages.extend(not_installed(linker::build_packages(road.llvm()?)));
                }
            }
            Need::EbpfLint => {
                if Road::choose()? == Road::Debian && !Road::Debian.has_clippy() {
                    packages.push(DEBIAN_CLIPPY.to_owned());
                }
            }
            Need::Fuzzer => packages.extend(without_program(&[("c++", "g++")])),
            Need::Programs => packages.extend(without_program(&PROGRAMS)),
            Need::Mounts => {}
        }
    }
    Ok(packages)
}

/// Installs the packages, or says which ones to install where that cannot be done here.
pub(super) fn install(packages: &[String]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !has_apt() {
        bail!("missing on this machine, which has no apt-get to install them: {}", packages.join(" "));
    }
    eprintln!("setup: installing {}", packages.join(" "));
    update()?;
    let advice = || format!("installing packages failed; install them by hand: {}", packages.join(" "));
    let mut apt = process::as_root("env");
    apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "--no-install-recommends"]);
    process::run(apt.arg("--yes").args(packages)).with_context(advice)
}

/// Whether this machine could install the package.
pub(super) fn offered(package: &str) -> Result<bool> {
    if !has_apt() {
        return Ok(false);
    }
    let known = || process::capture(Command::new("apt-cache").args(["show", "--quiet", package])).is_ok();
    if known() {
        return Ok(true);
    }
    update()?;
    Ok(known())
}

fn update() -> Result<()> {
    process::run(process::as_root("apt-get").args(["update", "-qq"]))
}

fn has_apt() -> bool {
    process::find_program("apt-get").is_some()
}

fn without_program(table: &[(&str, &str)]) -> Vec<String> {
    let absent = |(program, _): &&(&str, &str)| process::find_program(program).is_none();
    table.iter().filter(absent).map(|(_, package)| (*package).to_owned()).collect()
}

/// Those of the packages that dpkg does not list as installed; all of them where there is no dpkg.
fn not_installed(packages: Vec<String>) -> Vec<String> {
    let installed = |package: &String| {
        let mut query = Command::new("dpkg-query");
        query.args(["--show", "--showformat=${db:Status-Status}", package]);
        process::capture(&mut query).is_ok_and(|status| status == "installed")
    };
    packages.into_iter().filter(|package| !installed(package)).collect()
}
