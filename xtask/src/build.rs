//! `build`: the eBPF objects, then the host program that carries them.

use anyhow::{Context, Result};

use crate::{build_ebpf, paths, process};

/// Build the eBPF objects and `wye`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Builds everything that a user runs.
pub(crate) fn run(_: &Args) -> Result<()> {
    build_ebpf::run(&build_ebpf::Args {})?;
    host("switch-userspace")?;
    eprintln!("build: {}", paths::release_program("wye").display());
    Ok(())
}

/// Builds one package of the host workspace in the release profile.
pub(crate) fn host(package: &str) -> Result<()> {
    process::run(process::cargo("build").args(["--release", "--package", package]))
        .with_context(|| format!("building {package} failed"))
}
