//! The eBPF datapath on real frames, without the control plane: ports, floods, counters, adoption, purge. Needs root and a
//! BPF file system at `/sys/fs/bpf`; namespaces and pins are the test's own and go with it.

mod lab;
mod life;
mod slow_path;
mod traffic;
