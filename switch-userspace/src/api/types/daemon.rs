//! The daemon about itself.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Which program answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version of wye.
    pub version: String,
    /// The version of what the kernel stores: pins of another one are refused.
    pub schema: u32,
}

/// State at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's process.
    pub pid: u32,
    /// The version of wye.
    pub version: String,
    /// The instance.
    pub instance: String,
    /// The datapath's mode: `ebpf` or `userspace`.
    pub mode: String,
    /// When the daemon became ready.
    pub since: String,
    /// Number of networks.
    pub networks: u64,
    /// Number of endpoints.
    pub endpoints: u64,
    /// Number of endpoints that are not `ready`.
    pub endpoints_not_ready: u64,
    /// Number of ports that frames pass.
    pub ports: u64,
    /// Number of ports that are blocked because they are cabled to another one.
    pub ports_blocked: u64,
    /// Number of ports whose interface is missing.
    pub ports_missing: u64,
    /// Frames of no port that were dropped, by reason; reasons without any are left out.
    pub drops: BTreeMap<String, u64>,
    /// Fill of every table.
    pub tables: Vec<TableFill>,
    /// Memory of all tables, in bytes.
    pub memory_bytes: u64,
    /// What needs attention, one sentence each.
    pub warnings: Vec<String>,
}

/// How full a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFill {
    /// The table's name.
    pub name: String,
    /// Entries in use; nothing for tables that are not filled entry by entry.
    pub entries: Option<u64>,
    /// Entries that fit.
    pub capacity: u64,
    /// Memory that it takes, in bytes.
    pub memory_bytes: u64,
}

/// What a running daemon knows of its surroundings, for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The daemon's process.
    pub pid: u32,
    /// The version of wye.
    pub version: String,
    /// The version of what the kernel stores.
    pub schema: u32,
    /// The instance.
    pub instance: String,
    /// The datapath's mode.
    pub mode: String,
    /// The kernel's release, as `uname -r` has it.
    pub kernel: String,
    /// Inode of the network namespace that is the daemon's host.
    pub host_netns: u64,
    /// Where the socket and the lock are.
    pub run_dir: PathBuf,
    /// Where the desired state is kept.
    pub state_dir: PathBuf,
    /// The bpf file system.
    pub bpffs: PathBuf,
    /// What fits.
    pub limits: Limits,
}

/// What fits into one switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Interface indexes of ports are below this.
    pub max_ifindex: u32,
    /// Ports.
    pub max_ports: u32,
    /// Networks.
    pub max_networks: u32,
    /// FDB entries.
    pub max_fdb_entries: u32,
}

/// Asks the daemon to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Also remove every link, pin and namespace of the instance and forget its state. Without it traffic of the eBPF datapath
    /// goes on.
    #[serde(default)]
    pub purge: bool,
}

/// The daemon ends; with `purge`, what it had is gone already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The process that ends.
    pub pid: u32,
}
