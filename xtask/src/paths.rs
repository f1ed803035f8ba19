//! Where things are in the workspace.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's top folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Where cargo puts what it builds for the host.
pub(crate) fn host_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where the finished eBPF objects lie; the host build reads them from here.
pub(crate) fn ebpf_objects() -> PathBuf {
    root().join("target/bpf")
}

/// Where cargo builds the eBPF crate, apart from the host's artifacts because the compiler may be another.
pub(crate) fn ebpf_target() -> PathBuf {
    root().join("target/bpf-build")
}

/// Where `setup` installs tools that the machine does not have.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// A program of the host workspace, built in the release profile.
pub(crate) fn release_program(name: &str) -> PathBuf {
    host_target().join("release").join(name)
}
