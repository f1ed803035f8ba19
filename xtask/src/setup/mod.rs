//! `setup`: brings the machine to a state in which every other command works. Does only what is missing.

mod linker;
mod mounts;
mod packages;
mod road;

pub(crate) use linker::find as find_linker;
pub(crate) use road::Road;

use anyhow::Result;

/// Installs what this machine lacks: eBPF compiler and linker, the programs that demo and tests use, mounts.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Something that a command needs of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A compiler with `core` for eBPF, and bpf-linker.
    Ebpf,
    /// A linter that fits the eBPF compiler.
    EbpfLint,
    /// The C++ compiler that builds libFuzzer.
    Fuzzer,
    /// The real programs that demo and tests run.
    Programs,
    /// bpffs and the folder of named network namespaces.
    Mounts,
}

/// Sets up everything.
pub(crate) fn run(_: &Args) -> Result<()> {
    ensure(&[Need::Ebpf, Need::EbpfLint, Need::Fuzzer, Need::Programs, Need::Mounts])?;
    eprintln!("setup: complete");
    Ok(())
}

/// Makes sure that the machine has what is needed; quick where it has.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let road = if needs.contains(&Need::Ebpf) { Some(Road::choose()?) } else { None };
    packages::install(&packages::missing(needs, road.as_ref())?)?;
    if let Some(road) = road {
        let linker = linker::ensure(&road)?;
        eprintln!("setup: eBPF is compiled by {road}, linked by {}", linker.display());
    }
    if needs.contains(&Need::Mounts) {
        mounts::ensure()?;
    }
    Ok(())
}
