//! Hands the measuring programs to the crate: `target/bpf/probe-bpf.o` where `cargo xtask build-ebpf` has made it, an empty
//! file otherwise, so that the crate builds on a machine without an eBPF compiler.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const OBJECT: &str = "probe-bpf.o";

fn main() -> io::Result<()> {
    let objects = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf");
    let object = objects.join(OBJECT);
    let output = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?.join(OBJECT);
    if object.is_file() {
        println!("cargo::rerun-if-changed={}", object.display());
        fs::copy(&object, &output)?;
    } else {
        // The folder is watched, because cargo would run this again every time for a file that is not there.
        fs::create_dir_all(&objects)?;
        println!("cargo::rerun-if-changed={}", objects.display());
        println!(
            "cargo::warning=wye-bench is built without its eBPF object; `cargo xtask build-ebpf` makes it"
        );
        fs::write(&output, [])?;
    }
    Ok(())
}
