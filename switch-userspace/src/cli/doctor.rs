//! `wye doctor`: what this machine offers, found out by asking the kernel.

use std::{fs, io, path::Path};

use clap::Args;
use serde::Serialize;

use super::{
    error::{CliError, without_numbers},
    output::{self, Listed, Output},
    place::BpffsArgs,
};
use crate::{
    datapath::{Mode, probe},
    netns::{IfName, LinkSettings, Netlink, Netns, NetnsError},
    privilege, sys,
};

const EXAMPLES: &str = "\
Examples:
  wye doctor
  wye doctor --datapath userspace -o json";

const TUN: &str = "/dev/net/tun";
const BTF: &str = "/sys/kernel/btf/vmlinux";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";
const BRIDGE_NETFILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// Show what wye needs of this machine, what it finds, and how to get the rest.
///
/// Exits with 8 where something is missing that the datapath needs.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// The datapath that is to run.
    #[arg(long, value_enum, default_value_t = Mode::Ebpf)]
    datapath: Mode,
    #[command(flatten)]
    place: BpffsArgs,
    #[command(flatten)]
    output: Output,
}

/// Whether the datapath works without a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Need {
    /// It does not.
    Needed,
    /// It works, but slower or with less.
    Optional,
    /// Good to know; wye does not care.
    Info,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Missing,
    /// The kernel did not say.
    Unknown,
    On,
    Off,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
struct Feature {
    feature: &'static str,
    need: Need,
    state: State,
    /// What helps; empty where nothing has to.
    fix: String,
}

impl Feature {
    fn new(feature: &'static str, need: Need, state: State, fix: impl Into<String>) -> Self {
        let fix = if matches!(state, State::Ok | State::On) { String::new() } else { fix.into() };
        Self { feature, need, state, fix }
    }

    /// A feature that was asked for; `fix` is for a kernel that says no.
    fn asked<E: ToString>(feature: &'static str, need: Need, answer: Result<bool, E>, fix: &str) -> Self {
        match answer {
            Ok(true) => Self::new(feature, need, State::Ok, ""),
            Ok(false) => Self::new(feature, need, State::Missing, fix),
            Err(error) => {
                let why = without_numbers(&error.to_string());
                Self::new(
                    feature,
                    need,
                    State::Unknown,
                    format!("run as root; the kernel did not say: {why}"),
                )
            }
        }
    }
}

impl Listed for Feature {
    const COLUMNS: &'static [&'static str] = &["FEATURE", "NEED", "STATE", "FIX"];

    fn cells(&self) -> Vec<String> {
        let need = match self.need {
            Need::Needed => "needed",
            Need::Optional => "optional",
            Need::Info => "info",
        };
        let state = match self.state {
            State::Ok => "ok",
            State::Missing => "missing",
            State::Unknown => "unknown",
            State::On => "on",
            State::Off => "off",
        };
        vec![self.feature.to_owned(), need.to_owned(), state.to_owned(), self.fix.clone()]
    }

    fn name(&self) -> String {
        self.feature.to_owned()
    }
}

pub(super) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let features = examine(args.datapath, &args.place.bpffs);
    output::list(&features, args.output.format)?;
    let unmet = features.iter().filter(|feature| feature.need == Need::Needed && feature.state != State::Ok);
    let missing: Vec<_> = unmet.map(|feature| feature.feature).collect();
    if missing.is_empty() { Ok(()) } else { Err(CliError::Kernel { kernel: kernel_release(), missing }) }
}

fn examine(datapath: Mode, bpffs: &Path) -> Vec<Feature> {
    let for_ebpf = if datapath == Mode::Ebpf { Need::Needed } else { Need::Info };
    let newer = |version: &str| format!("run Linux {version} or newer, or use --datapath userspace");
    let capability = |(name, bit)| {
        let answer = privilege::has(bit);
        Feature::asked(name, Need::Needed, answer, "run as root, or give the process the capability")
    };
    let mut features: Vec<_> = privilege::NEEDED.into_iter().map(capability).collect();
    features.extend([
        Feature::asked(
            "veth pairs between namespaces",
            Need::Needed,
            makes_veth(),
            "run a kernel with CONFIG_VETH",
        ),
        Feature::asked("tcx", for_ebpf, probe::tcx(), &newer("6.6")),
        Feature::asked("bpf_redirect_peer", for_ebpf, probe::redirect_peer(), &newer("5.10")),
        Feature::asked("BPF ring buffer", for_ebpf, probe::ring_buffer(), &newer("5.8")),
        Feature::asked(
            "bpf file system",
            for_ebpf,
            is_bpffs(bpffs),
            &format!("mount -t bpf bpf {}", bpffs.display()),
        ),
        Feature::asked(
            "TUN/TAP",
            Need::Optional,
            exists(TUN),
            "modprobe tun; frames for the slow path are dropped without",
        ),
        Feature::asked(
            "BTF of the kernel",
            Need::Optional,
            exists(BTF),
            "run a kernel with CONFIG_DEBUG_INFO_BTF",
        ),
        Feature::asked(
            "BPF JIT",
            Need::Optional,
            is_on(JIT),
            "sysctl -w net.core.bpf_jit_enable=1; slow without",
        ),
        bridge_netfilter(),
    ]);
    features
}

/// Linux bridges pass their frames through iptables while this is on, which makes them slower; wye does not.
fn bridge_netfilter() -> Feature {
    let state = match is_on(BRIDGE_NETFILTER) {
        Ok(true) => State::On,
        Ok(false) | Err(_) => State::Off,
    };
    Feature { fix: String::new(), ..Feature::new("br_netfilter (Linux bridges only)", Need::Info, state, "") }
}

/// Makes a veth pair in namespaces of its own, which go with it.
fn makes_veth() -> Result<bool, NetnsError> {
    let (left, right) = (Netns::anonymous()?, Netns::anonymous()?);
    let end = LinkSettings { name: Some(IfName::new("end0")?), ..LinkSettings::default() };
    let far = LinkSettings { netns: Some(&right), ..end.clone() };
    Netlink::open_in(&left)?.create_veth(&end, &far)?;
    Ok(true)
}

fn is_bpffs(path: &Path) -> io::Result<bool> {
    match sys::fs::is_bpffs(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        answer => answer,
    }
}

fn exists(path: &str) -> io::Result<bool> {
    fs::exists(path)
}

/// Whether a kernel setting is neither 0 nor missing.
fn is_on(path: &str) -> io::Result<bool> {
    match fs::read_to_string(path) {
        Ok(value) => Ok(value.trim() != "0"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn kernel_release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_missing_is_no_bpf_file_system() {
        assert!(!is_bpffs(Path::new("/nowhere/at/all")).expect("a missing directory is an answer"));
    }

    #[test]
    fn what_is_there_needs_no_fix() {
        assert_eq!(Feature::asked("x", Need::Needed, Ok::<_, io::Error>(true), "buy one").fix, "");
        assert_eq!(Feature::asked("x", Need::Needed, Ok::<_, io::Error>(false), "buy one").fix, "buy one");
    }
}
