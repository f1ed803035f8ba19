//! What the control plane asks of a datapath, whichever of the two it is.
//!
//! A datapath owns frames, tables and counters; it does not own interfaces. The control plane makes the interfaces (in
//! the namespace that [`Datapath::port_netns`] names), then attaches them as ports.

use std::{collections::BTreeSet, fmt, io, path::PathBuf, time::Duration};

use crossbeam::channel::Receiver;
use serde::{Deserialize, Serialize};
use switch_common::{
    DropReason,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        counters::PortCounters,
        domain::DomainFlags,
        event::DropEvent,
        fdb::{FdbEntry, FdbKey},
        group::GroupKey,
        host::HostAddress,
        neighbour::NeighbourKey,
        port::{PortConfig, PortState},
        source::{SourceKey, SourceScope},
        storm::StormLimits,
        vlan::VlanSet,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

pub use self::probe_seen::{PROBE_BYTES, PROBE_ROOM, SeenProbe};
use crate::netns::Netns;

pub mod kernel;
pub mod naming;
pub mod probe;
mod probe_seen;
pub mod userspace;

/// Which of the two datapaths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Programs in the kernel.
    Ebpf,
    /// The userspace switch.
    Userspace,
}

impl Mode {
    /// The word for it, as options, files and answers have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ebpf => "ebpf",
            Self::Userspace => "userspace",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A port that the datapath has, with its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The interface.
    pub id: PortId,
    /// Its record.
    pub config: PortConfig,
}

/// A group that the datapath has, with the ports that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group.
    pub key: GroupKey,
    /// The ports, in no order.
    pub ports: Vec<PortId>,
}

/// A copy of a membership message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snooped {
    /// When it came in, on the monotonic clock.
    pub at: Nanos,
    /// The port that it came in on.
    pub port: PortId,
    /// Its VLAN; [`VlanId::NONE`] where its domain knows no VLANs.
    pub vlan: VlanId,
    /// The packet from its IP header on.
    pub packet: Box<[u8]>,
}

/// How full a table is and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// The table's name.
    pub name: String,
    /// Entries in use; `None` for tables that are not filled entry by entry.
    pub entries: Option<u64>,
    /// Entries that fit.
    pub capacity: u64,
    /// Memory that the kernel holds for the table (or this process, in userspace mode), in bytes.
    pub memory_bytes: u64,
}

/// Why the datapath could not do something; every variant says on what object.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// The binary carries no kernel programs.
    #[error(
        "this wye was built without its eBPF object; build it with `cargo xtask build`, or use --datapath userspace"
    )]
    NoObject,
    /// The kernel programs did not load.
    #[error("loading the kernel programs: {source}")]
    Load {
        /// What aya says.
        source: Box<aya::EbpfError>,
    },
    /// One program did not load or could not be read.
    #[error("program {program}: {source}")]
    Program {
        /// Its name.
        program: String,
        /// What aya says.
        source: Box<aya::programs::ProgramError>,
    },
    /// The object lacks a program or map that this version needs.
    #[error("the eBPF object has no {what} named {name}")]
    Missing {
        /// "map" or "program".
        what: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A map operation failed.
    #[error("{op} in table {map}: {source}")]
    Map {
        /// What was tried.
        op: &'static str,
        /// The map's name.
        map: &'static str,
        /// What aya says.
        source: Box<aya::maps::MapError>,
    },
    /// The kernel lacks what the datapath stands on.
    #[error(
        "this kernel ({release}) has no {feature}: the eBPF datapath needs Linux {needs} or newer; `--datapath userspace` does without"
    )]
    Unsupported {
        /// The missing feature.
        feature: &'static str,
        /// The kernel that has it first.
        needs: &'static str,
        /// The running kernel.
        release: String,
    },
    /// A table is full.
    #[error("table {map} is full: {capacity} entries")]
    Full {
        /// The table.
        map: &'static str,
        /// What fits.
        capacity: u64,
    },
    /// A pinned object is not what this version would have pinned.
    #[error(
        "{path}: pinned by another version of wye ({difference}); run `wye down --purge` with that version, or name another --instance"
    )]
    ForeignPin {
        /// The pin.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A kernel object could not be pinned.
    #[error("pin {path}: {source}")]
    Pin {
        /// Where.
        path: PathBuf,
        /// What aya says.
        source: Box<aya::pin::PinError>,
    },
    /// A program could not be attached by, or swapped inside, a link.
    #[error("link {path}: {source}")]
    Link {
        /// The link's pin.
        path: PathBuf,
        /// What aya says.
        source: Box<aya::programs::links::LinkError>,
    },
    /// A system call failed.
    #[error("{op} {object}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        object: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Interface plumbing failed.
    #[error(transparent)]
    Netns(#[from] crate::netns::NetnsError),
    /// The interface cannot be a port.
    #[error(
        "interface index {index} is too high for a port: the datapath has room for indexes below {limit}"
    )]
    IndexTooHigh {
        /// Its index.
        index: u32,
        /// First index that is too high.
        limit: u32,
    },
    /// An uplink and a port, in different namespaces, have the same index.
    #[error(
        "interface index {index} is already taken: an uplink of the host and a port of the switch share it"
    )]
    IndexTaken {
        /// The index.
        index: u32,
    },
}

impl DatapathError {
    /// Whether the cause is a missing privilege.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// Sampled drops, one after the other.
pub trait EventSource: Send {
    /// The next event, or `None` when `timeout` went by without one.
    ///
    /// # Errors
    /// The ring could not be read.
    fn next(&mut self, timeout: Duration) -> Result<Option<DropEvent>, DatapathError>;
}

/// Copies of membership messages, one after the other.
pub trait SnoopSource: Send {
    /// The next copy, or `None` when `timeout` went by without one.
    ///
    /// # Errors
    /// The copies could not be read.
    fn next(&mut self, timeout: Duration) -> Result<Option<Snooped>, DatapathError>;
}

/// A running datapath.
pub trait Datapath: Send {
    /// Which one.
    fn mode(&self) -> Mode;

    /// The namespace that port interfaces have to be in; uplinks stay in the daemon's own.
    fn port_netns(&self) -> &Netns;

    /// Makes a domain, or changes its ageing time (zero: entries do not age) and its switches.
    ///
    /// # Errors
    /// The table could not be written.
    fn set_domain(
        &mut self,
        domain: DomainId,
        ageing: Nanos,
        flags: DomainFlags,
    ) -> Result<(), DatapathError>;

    /// Removes a domain; its ports must be detached before.
    ///
    /// # Errors
    /// The table could not be written.
    fn remove_domain(&mut self, domain: DomainId) -> Result<(), DatapathError>;

    /// Makes an interface a port of `config.domain()`. The record is written before the interface is attached, so that
    /// the first frame is judged by it. A port that is attached already gets the new record.
    ///
    /// # Errors
    /// The table could not be written, or the interface could not be attached; then nothing of it stays.
    fn attach_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError>;

    /// Replaces the record of an attached port, effective from the next frame on.
    ///
    /// # Errors
    /// The table could not be written.
    fn update_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError>;

    /// Makes `sources` all that a guarded port may use beside its own MAC and addresses, effective from the next frame on.
    /// The port's record says whether there are any (`PortFlags::MORE_SOURCES`).
    ///
    /// # Errors
    /// The table is full or could not be written.
    fn set_sources(&mut self, slot: Slot, sources: &[(SourceKey, SourceScope)]) -> Result<(), DatapathError>;

    /// Makes `vlans` those that a slot's port carries as a trunk, effective from the next frame on.
    ///
    /// # Errors
    /// The table could not be written.
    fn set_vlans(&mut self, slot: Slot, vlans: VlanSet) -> Result<(), DatapathError>;

    /// Makes `neighbours` all the addresses that are known to be behind a port, each at the MAC beside it, effective from the
    /// next frame on. An address that was behind another port moves.
    ///
    /// # Errors
    /// The table is full or could not be written.
    fn set_neighbours(
        &mut self,
        port: PortId,
        neighbours: &[(NeighbourKey, MacAddr)],
    ) -> Result<(), DatapathError>;

    /// Makes `ports` those that a group of a domain goes to, effective from the next frame on; what stays is never missing
    /// meanwhile. A port that is no member of the domain gets nothing.
    ///
    /// # Errors
    /// A table is full or could not be written.
    fn set_group(&mut self, key: GroupKey, ports: &[PortId]) -> Result<(), DatapathError>;

    /// Forgets a group; one that there is not is no error.
    ///
    /// # Errors
    /// The table could not be written.
    fn remove_group(&mut self, key: GroupKey) -> Result<(), DatapathError>;

    /// The groups that there are: after a restart, those that were adopted.
    fn groups(&self) -> Vec<Group>;

    /// Opens the stream of membership messages; there is one reader at a time.
    ///
    /// # Errors
    /// The stream could not be opened.
    fn snooped(&self) -> Result<Box<dyn SnoopSource>, DatapathError>;

    /// Sends a frame of the switch's own in a VLAN of a domain: out of one port, or of all. It is counted there.
    ///
    /// # Errors
    /// Sockets or tables could not be opened. A port that does not take it counts a drop, and is no error.
    fn originate(
        &mut self,
        place: (DomainId, VlanId),
        only: Option<PortId>,
        frame: &[u8],
    ) -> Result<(), DatapathError>;

    /// Makes `addresses` all that the host behind gateway ports has, effective from the next frame on.
    ///
    /// # Errors
    /// The table is full or could not be written; then none is there beside them.
    fn set_host_addresses(&mut self, addresses: &BTreeSet<HostAddress>) -> Result<(), DatapathError>;

    /// Limits the floods of a slot's port, effective from the next frame on; what has not changed goes on counting. The port's
    /// record says whether there are limits (`PortFlags::STORM`).
    fn set_storm(&mut self, slot: Slot, limits: StormLimits);

    /// Detaches a port and forgets its record, its neighbours, its counters and the FDB entries that point to it. An interface that is
    /// gone already is no error.
    ///
    /// # Errors
    /// Something could not be removed; the rest was.
    fn detach_port(&mut self, port: PortId) -> Result<(), DatapathError>;

    /// The ports that are attached: after a restart, those that were adopted.
    ///
    /// # Errors
    /// The table could not be read.
    fn ports(&self) -> Result<Vec<Port>, DatapathError>;

    /// Inserts or replaces an FDB entry.
    ///
    /// # Errors
    /// The table is full or could not be written.
    fn put_fdb(&mut self, key: FdbKey, entry: FdbEntry) -> Result<(), DatapathError>;

    /// Removes an FDB entry and says what it was.
    ///
    /// # Errors
    /// The table could not be written.
    fn remove_fdb(&mut self, key: FdbKey) -> Result<Option<FdbEntry>, DatapathError>;

    /// All FDB entries, expired ones included.
    ///
    /// # Errors
    /// The table could not be read.
    fn list_fdb(&self) -> Result<Vec<(FdbKey, FdbEntry)>, DatapathError>;

    /// Compares the learned-MAC accounts with `entries`, all that the FDB has, and mends those that are off.
    ///
    /// # Errors
    /// The ports cannot be listed.
    fn recount_learned(&mut self, entries: &[(FdbKey, FdbEntry)]) -> Result<(), DatapathError>;

    /// MACs that are learned now, over all ports: tells whether ageing has anything to do without reading the FDB.
    fn learned(&self) -> u64;

    /// A port's learned-MAC account.
    fn port_state(&self, slot: Slot) -> PortState;

    /// Frames and bytes through a port.
    ///
    /// # Errors
    /// The table could not be read.
    fn counters(&self, slot: Slot) -> Result<PortCounters, DatapathError>;

    /// Drops at a port by reason; reasons without drops are left out. At slot 0, which no port has, are those of frames from
    /// interfaces that are no ports and those whose port the kernel did not tell: frames that found a receive ring full, and
    /// frames that the slow path was not handed because its queue was full or the daemon did not run.
    ///
    /// # Errors
    /// The table could not be read.
    fn drops(&self, slot: Slot) -> Result<Vec<(DropReason, u64)>, DatapathError>;

    /// Every table's fill and cost.
    ///
    /// # Errors
    /// A table could not be read.
    fn tables(&self) -> Result<Vec<TableUse>, DatapathError>;

    /// Opens the stream of sampled drops; there is one reader at a time.
    ///
    /// # Errors
    /// The ring could not be opened.
    fn events(&self) -> Result<Box<dyn EventSource>, DatapathError>;

    /// The probes of loop guards that come in on its ports, forged ones too. They are counted as drops.
    fn probes(&self) -> Receiver<SeenProbe>;

    /// Takes everything of this datapath out of the system: links, programs, pins, helper interfaces.
    ///
    /// # Errors
    /// All that could not be removed; the rest was.
    fn purge(self: Box<Self>) -> Result<(), Vec<DatapathError>>;
}
