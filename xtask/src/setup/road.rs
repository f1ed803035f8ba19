//! The two roads to an eBPF compiler, and the choice between them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages;
use crate::{paths, process};

/// The LLVM that Debian's rustc is built with.
const DEBIAN_LLVM: u32 = 22;
const DEBIAN_CORE: &str = "/usr/lib/rustlib/bpfel-unknown-none/lib";

/// How this machine compiles for `bpfel-unknown-none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// A rustup nightly that builds `core` from its sources.
    Nightly {
        /// The toolchain's name.
        toolchain: String,
    },
    /// Debian's rustc beside rustup's, with a `core` that Debian has compiled.
    Debian,
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nightly { toolchain } => write!(f, "rustup's {toolchain} with -Z build-std=core"),
            Self::Debian => write!(f, "Debian's rustc with its precompiled core"),
        }
    }
}

impl Road {
    /// The road that this machine offers, be it that Debian's packages have yet to be installed.
    pub(crate) fn choose() -> Result<Self> {
        if let Some(toolchain) = nightly_with_sources() {
            return Ok(Self::Nightly { toolchain });
        }
        if debian_core_is_installed() || packages::offered("libstd-rust-web-dev-bpf")? {
            return Ok(Self::Debian);
        }
        bail!(
            "no compiler for eBPF on this machine, and its packages offer none. Install one of:\n\
             rustup:    rustup toolchain install nightly --component rust-src,clippy\n\
             Debian 12: apt-get install {}",
            packages::DEBIAN_COMPILER.join(" ")
        );
    }

    /// A cargo command in the workspace's top folder that compiles for eBPF.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Nightly { toolchain } => {
                let mut command = Command::new("rustup");
                command.args(["run", toolchain, "cargo", subcommand, "-Zbuild-std=core"]);
                command
            }
            Self::Debian if subcommand == "clippy" => {
                // Started by itself, because cargo would find rustup's linter first.
                let mut command = Command::new("/usr/bin/cargo-clippy");
                command.arg("clippy").env("CARGO", "/usr/bin/cargo");
                command
            }
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command.arg(subcommand);
                command
            }
        };
        if *self == Self::Debian {
            // aya-ebpf turns on an unstable feature, which a stable compiler accepts only so.
            command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
        }
        command.current_dir(paths::root());
        command
    }

    /// Whether the road has a linter.
    pub(crate) fn has_clippy(&self) -> bool {
        match self {
            Self::Nightly { toolchain } => {
                let mut version = Command::new("rustup");
                process::capture(version.args(["run", toolchain, "cargo-clippy", "--version"])).is_ok()
            }
            Self::Debian => process::is_executable(Path::new("/usr/bin/cargo-clippy")),
        }
    }

    /// What a developer does where the linter is missing.
    pub(crate) fn clippy_advice(&self) -> String {
        match self {
            Self::Nightly { toolchain } => {
                format!("install it with `rustup component add clippy --toolchain {toolchain}`")
            }
            Self::Debian => format!("install it with `apt-get install {}`", packages::DEBIAN_CLIPPY),
        }
    }

    /// The major version of the compiler's LLVM: the linker's must not be older.
    pub(crate) fn llvm(&self) -> Result<u32> {
        let Self::Nightly { toolchain } = self else { return Ok(DEBIAN_LLVM) };
        let version = process::capture(Command::new("rustup").args(["run", toolchain, "rustc", "-vV"]))?;
        version
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse().ok())
            .with_context(|| format!("rustc of {toolchain} does not tell its LLVM version"))
    }
}

/// Whether Debian's compiler and its `core` for eBPF are installed.
pub(super) fn debian_core_is_installed() -> bool {
    ["/usr/bin/rustc", "/usr/bin/cargo"].iter().all(|program| process::is_executable(Path::new(program)))
        && fs::read_dir(DEBIAN_CORE).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
}

/// The first rustup nightly that has `rust-src`. None, too, where there is no rustup.
fn nightly_with_sources() -> Option<String> {
    let list = process::capture(Command::new("rustup").args(["toolchain", "list", "-v"])).ok()?;
    list.lines().find_map(|line| {
        let name = line.split_whitespace().next()?;
        let folder = PathBuf::from(line.split_whitespace().last()?);
        let sources = folder.join("lib/rustlib/src/rust/library/core");
        (name.starts_with("nightly") && sources.is_dir()).then(|| name.to_owned())
    })
}
