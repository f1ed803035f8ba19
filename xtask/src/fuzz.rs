//! `fuzz`: runs the targets of `tests/fuzz` with libFuzzer, built by plain cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need};
use crate::{paths, process};

/// Seconds that each target runs where nobody says otherwise.
const SMOKE_SECS: u64 = 30;
/// A frame on a port is never longer than this in the tests; longer inputs only slow the search down.
const MAX_INPUT_BYTES: u64 = 2048;

/// What libFuzzer needs of the compiler: edge counters, compared values, and checks that a release build leaves out.
const COVERAGE: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Cdebug-assertions",
];

/// Search for inputs that break the parser or the pipeline.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target to run; all of them where none is named.
    target: Option<String>,
    /// How long to run each target, in seconds.
    #[arg(long, default_value_t = SMOKE_SECS)]
    seconds: u64,
}

/// Runs one target or all.
pub(crate) fn run(args: &Args) -> Result<()> {
    let known = targets()?;
    let chosen = match &args.target {
        Some(name) if !known.contains(name) => {
            bail!("there is no fuzz target {name}; there are {}", known.join(", "))
        }
        Some(name) => vec![name.clone()],
        None => known,
    };
    setup::ensure(&[Need::Fuzzer])?;
    let programs = build()?;
    let mut failed = Vec::new();
    for target in chosen {
        if let Err(error) = search(&programs, &target, args.seconds) {
            process::report(&error);
            failed.push(target);
        }
    }
    if !failed.is_empty() {
        bail!("fuzzing found failing inputs: {}", failed.join(", "));
    }
    Ok(())
}

/// A short run of every target.
pub(crate) fn smoke() -> Result<()> {
    run(&Args { target: None, seconds: SMOKE_SECS })
}

fn folder() -> PathBuf {
    paths::root().join("tests/fuzz")
}

fn targets() -> Result<Vec<String>> {
    let sources = folder().join("fuzz_targets");
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot list {}", sources.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Builds every target and returns the folder of the programs.
fn build() -> Result<PathBuf> {
    let host = host_triple()?;
    let mut flags = COVERAGE.to_vec();
    let mut build = process::cargo("build");
    if has_address_sanitizer(&host)? {
        // An unstable flag, which a stable compiler accepts only so.
        build.env("RUSTC_BOOTSTRAP", "1");
        flags.push("-Zsanitizer=address");
    } else {
        eprintln!("fuzz: the compiler has no address sanitizer; fuzzing without it");
    }
    build.args(["--release", "--target", &host, "--manifest-path"]).arg(folder().join("Cargo.toml"));
    // The folder of the host build, so that macros and build scripts are compiled once for both.
    build.arg("--target-dir").arg(paths::host_target()).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    process::run(&mut build).context("building the fuzz targets failed")?;
    Ok(paths::host_target().join(host).join("release"))
}

fn search(programs: &Path, target: &str, seconds: u64) -> Result<()> {
    let artifacts = folder().join("artifacts").join(target);
    let corpus = folder().join("corpus").join(target);
    for folder in [&artifacts, &corpus] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut fuzzer = Command::new(programs.join(target));
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={MAX_INPUT_BYTES}"));
    fuzzer.args(["-timeout=10", "-verbosity=0", "-print_final_stats=1"]);
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(corpus);
    let seeds = folder().join("seeds").join(target);
    if seeds.is_dir() {
        fuzzer.arg(seeds);
    }
    process::run(&mut fuzzer).with_context(|| {
        format!("{target} failed; the input is in {}: give it to the program above", artifacts.display())
    })
}

fn host_triple() -> Result<String> {
    let version = process::capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` does not tell its host")?.to_owned())
}

fn has_address_sanitizer(host: &str) -> Result<bool> {
    let libraries =
        process::capture(Command::new("rustc").args(["--print", "target-libdir", "--target", host]))?;
    let entries = fs::read_dir(libraries.trim_end()).context("cannot list the compiler's libraries")?;
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with("_rt.asan.a")))
}
