//! The control plane over the eBPF datapath, in a namespace that plays the host. Needs root and a BPF file system at
//! `/sys/fs/bpf`; namespaces, pins and state are each test's own and go with it.

mod endpoints;
mod errors;
mod fdb;
mod links;
mod networks;
mod ports;
mod restart;
mod support;
mod uplinks;
