//! bpf-linker: where it is, and its installation into the workspace's tools.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Road;
use crate::{paths, process};

const VERSION: &str = "0.13.0";

/// The linker: in `$WYE_TOOLS`, on `PATH`, where machine images put tools, or where `setup` installs it.
pub(crate) fn find() -> Option<PathBuf> {
    let tools = env::var_os("WYE_TOOLS").map(|folder| PathBuf::from(folder).join("bpf-linker"));
    let places = ["/opt/wye-tools/bin/bpf-linker".into(), paths::tools().join("bin/bpf-linker")];
    tools.into_iter().chain(process::find_program("bpf-linker")).chain(places).find(|file| is_usable(file))
}

/// The linker, installed first where this machine has none.
pub(super) fn ensure(road: &Road) -> Result<PathBuf> {
    if let Some(linker) = find() {
        return Ok(linker);
    }
    let llvm = road.llvm()?;
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    let mut install = process::cargo("install");
    install.args(["bpf-linker", "--locked", "--version", VERSION, "--no-default-features", "--features"]);
    install.arg(format!("llvm-{llvm}")).arg("--root").arg(paths::tools());
    if prefix.is_dir() {
        install.env("LLVM_PREFIX", &prefix);
    }
    process::run(&mut install).with_context(|| {
        format!(
            "bpf-linker {VERSION} could not be built. It needs LLVM {llvm} with its headers ({}). \
             Or put a released bpf-linker {VERSION} on PATH",
            build_packages(llvm).join(" ")
        )
    })?;
    find()
        .with_context(|| format!("bpf-linker was installed in {} and does not run", paths::tools().display()))
}

/// The packages that bpf-linker is built with.
pub(super) fn build_packages(llvm: u32) -> Vec<String> {
    let mut packages = vec![format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    packages.extend(["zlib1g-dev", "libzstd-dev", "libxml2-dev"].map(String::from));
    packages
}

fn is_usable(file: &Path) -> bool {
    process::is_executable(file)
        && process::capture(Command::new(file).arg("--version"))
            .is_ok_and(|version| version.trim() == format!("bpf-linker {VERSION}"))
}
