//! `lint`: format, lints for the host and for eBPF, and the documentation's links.

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need, Road};
use crate::{build_ebpf, process};

type Check = fn() -> Result<()>;

/// Check format, lints (host and eBPF) and documentation.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs every check, also after one has failed, and then names those that failed.
pub(crate) fn run(_: &Args) -> Result<()> {
    setup::ensure(&[Need::Ebpf, Need::EbpfLint])?;
    let checks: [(&str, Check); 4] =
        [("format", format), ("host lints", host), ("eBPF lints", ebpf), ("documentation", documentation)];
    let mut failed = Vec::new();
    for (name, check) in checks {
        eprintln!("lint: {name}");
        if let Err(error) = check() {
            process::report(&error);
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

fn format() -> Result<()> {
    const ADVICE: &str = "`cargo fmt` would change the code";
    process::run(process::cargo("fmt").args(["--all", "--check"])).context(ADVICE)?;
    // The fuzz targets are a workspace of their own.
    process::run(process::cargo("fmt").args(["--manifest-path", "tests/fuzz/Cargo.toml", "--check"]))
        .context(ADVICE)
}

fn host() -> Result<()> {
    let mut clippy = process::cargo("clippy");
    clippy.args([
        "--release",
        "--workspace",
        "--exclude",
        "switch-ebpf",
        "--all-targets",
        "--",
        "-Dwarnings",
    ]);
    process::run(&mut clippy).context("the host code has lints")
}

fn ebpf() -> Result<()> {
    let road = Road::choose()?;
    if !road.has_clippy() {
        bail!("{road} has no clippy: {}", road.clippy_advice());
    }
    let mut clippy = build_ebpf::cargo(&road, "clippy")?;
    process::run(clippy.args(["--", "-Dwarnings"])).context("the eBPF code has lints")
}

fn documentation() -> Result<()> {
    let mut doc = process::cargo("doc");
    doc.args([
        "--release",
        "--workspace",
        "--exclude",
        "switch-ebpf",
        "--no-deps",
        "--document-private-items",
    ]);
    // The readers are developers of this workspace: links to private items lead somewhere.
    doc.env("RUSTDOCFLAGS", "-Dwarnings -Arustdoc::private_intra_doc_links");
    process::run(&mut doc).context("the documentation has warnings")
}
