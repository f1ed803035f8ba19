//! The two places in the file system that a fresh machine lacks: bpffs and the folder of named network namespaces.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;

const BPFFS: &str = "/sys/fs/bpf";
const NAMESPACES: &str = "/run/netns";

/// Mounts and makes what is missing, and says so.
pub(super) fn ensure() -> Result<()> {
    if !bpffs_is_mounted()? {
        eprintln!("setup: no bpffs is mounted at {BPFFS}: mounting it");
        process::run(process::as_root("mount").args(["-t", "bpf", "bpf", BPFFS]))
            .context("mounting bpffs failed; the kernel needs CONFIG_BPF_SYSCALL")?;
    }
    if !Path::new(NAMESPACES).is_dir() {
        eprintln!("setup: {NAMESPACES} is missing: making it");
        process::run(process::as_root("mkdir").args(["-p", NAMESPACES]))?;
    }
    Ok(())
}

fn bpffs_is_mounted() -> Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    Ok(mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(BPFFS) && fields.next() == Some("bpf")
    }))
}
