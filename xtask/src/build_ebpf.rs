//! `build-ebpf`: the kernel programs, compiled for `bpfel-unknown-none` into `target/bpf`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::{self, Need, Road};
use crate::{paths, process};

/// Programs of `switch-ebpf` and the folder that cargo puts the profile in.
const PROGRAMS: [&str; 2] = ["wye-bpf", "probe-bpf"];
const OUTPUT: &str = "bpfel-unknown-none/bpf";

/// Build the eBPF objects.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Builds the objects. Those whose bytes are unchanged keep their time, so that the host build stays as it is.
pub(crate) fn run(_: &Args) -> Result<()> {
    setup::ensure(&[Need::Ebpf])?;
    let mut build = cargo(&Road::choose()?, "build")?;
    process::run(&mut build).context("building the eBPF objects failed")?;
    for program in PROGRAMS {
        let built = paths::ebpf_target().join(OUTPUT).join(program);
        let object = paths::ebpf_objects().join(format!("{program}.o"));
        let changed = copy_if_changed(&built, &object)?;
        let note = if changed { "" } else { " (unchanged)" };
        eprintln!("build-ebpf: {}{note}", object.display());
    }
    Ok(())
}

/// A cargo command on `switch-ebpf` with the flags that its objects are built with.
pub(crate) fn cargo(road: &Road, subcommand: &str) -> Result<Command> {
    let linker = setup::find_linker().context("bpf-linker is gone; run `cargo xtask setup`")?;
    let arch = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    let flags = [&arch, "-Ctarget-cpu=v3", "-Cdebuginfo=2", "-Clink-arg=--btf"];
    let mut command = road.cargo(subcommand);
    command
        .args(["--package", "switch-ebpf", "--profile", "bpf", "--target", "bpfel-unknown-none"])
        .arg("--target-dir")
        .arg(paths::ebpf_target())
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker);
    Ok(command)
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<bool> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}
