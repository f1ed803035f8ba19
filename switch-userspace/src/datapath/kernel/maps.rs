//! Typed handles on the instance's maps.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _},
    sync::Arc,
};

use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, ProgramArray},
};
use switch_common::abi::{
    self,
    addr::{PortId, Slot},
    counters::PortCounters,
    domain::DomainConfig,
    fdb::{FdbEntry, FdbKey},
    group::{FloodKey, GroupKey, ListId},
    host::HostAddress,
    names,
    neighbour::{Neighbour, NeighbourKey},
    port::{PortConfig, SwitchConfig},
    source::SourceKey,
    vlan::VlanSet,
};

use super::accounts::Accounts;
use crate::datapath::{DatapathError, TableUse};

/// Every map that the control plane reads or writes.
pub(super) struct Maps {
    /// Ports by interface index.
    pub(super) ports: Array<MapData, PortConfig>,
    /// Domains by number.
    pub(super) domains: Array<MapData, DomainConfig>,
    /// The forwarding database.
    pub(super) fdb: HashMap<MapData, FdbKey, FdbEntry>,
    /// Flood lists.
    pub(super) flood_list: HashMap<MapData, FloodKey, PortId>,
    /// The lists of groups.
    pub(super) groups: HashMap<MapData, GroupKey, ListId>,
    /// Positions in use, by list.
    pub(super) list_lengths: Array<MapData, u32>,
    /// Traffic counters.
    pub(super) counters: PerCpuArray<MapData, PortCounters>,
    /// The switch's own interfaces.
    pub(super) switch: Array<MapData, SwitchConfig>,
    /// Sources that ports may use beside their own.
    pub(super) sources: HashMap<MapData, SourceKey, u32>,
    /// VLANs that trunk ports carry, by slot.
    pub(super) vlans: Array<MapData, VlanSet>,
    /// Who is at an address.
    pub(super) neighbours: HashMap<MapData, NeighbourKey, Neighbour>,
    /// Addresses that the host has.
    pub(super) host_addresses: HashMap<MapData, HostAddress, u32>,
    /// Verdict of the last frame on each CPU.
    pub(super) last_verdict: PerCpuArray<MapData, u64>,
    /// Tail-call targets.
    pub(super) jumps: ProgramArray<MapData>,
    accounts: Arc<Accounts>,
    costs: Vec<Cost>,
}

struct Cost {
    name: &'static str,
    capacity: u64,
    memory_bytes: u64,
}

/// A map operation that failed.
pub(super) fn map_error(op: &'static str, map: &'static str) -> impl Fn(MapError) -> DatapathError {
    move |source| DatapathError::Map { op, map, source: Box::new(source) }
}

/// Removes a key; one that is gone already is no error. Says whether it was there.
///
/// # Errors
/// The map cannot be written.
pub(super) fn remove_key<K: Pod, V: Pod>(
    map: &mut HashMap<MapData, K, V>,
    key: &K,
    op: &'static str,
    name: &'static str,
) -> Result<bool, DatapathError> {
    match map.remove(key) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(map_error(op, name)(error)),
    }
}

/// Whether a map operation failed because the key has no value.
pub(super) fn is_missing(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.kind() == io::ErrorKind::NotFound)
}

impl Maps {
    /// Takes the maps out of a loaded object.
    ///
    /// # Errors
    /// A map is missing or of another type.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DatapathError> {
        let costs = names::MAPS.iter().map(|name| cost(ebpf, name)).collect::<Result<_, _>>()?;
        Ok(Self {
            ports: typed(ebpf, names::MAP_PORTS)?,
            domains: typed(ebpf, names::MAP_DOMAINS)?,
            fdb: typed(ebpf, names::MAP_FDB)?,
            sources: typed(ebpf, names::MAP_SOURCES)?,
            vlans: typed(ebpf, names::MAP_VLANS)?,
            neighbours: typed(ebpf, names::MAP_NEIGHBOURS)?,
            flood_list: typed(ebpf, names::MAP_FLOOD_LIST)?,
            groups: typed(ebpf, names::MAP_GROUPS)?,
            list_lengths: typed(ebpf, names::MAP_LIST_LENGTHS)?,
            counters: typed(ebpf, names::MAP_PORT_COUNTERS)?,
            switch: typed(ebpf, names::MAP_SWITCH)?,
            host_addresses: typed(ebpf, names::MAP_HOST_ADDRESSES)?,
            last_verdict: typed(ebpf, names::MAP_LAST_VERDICT)?,
            jumps: typed(ebpf, names::MAP_JUMPS)?,
            accounts: Arc::new(Accounts::map(ebpf)?),
            costs,
        })
    }

    /// The record of a port; `None` for interfaces that are none.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn port(&self, port: PortId) -> Result<Option<PortConfig>, DatapathError> {
        if port.0 >= abi::MAX_PORTS {
            return Ok(None);
        }
        let config = self.ports.get(&port.0, 0).map_err(map_error("look up a port", names::MAP_PORTS))?;
        Ok((config != PortConfig::default()).then_some(config))
    }

    /// What programs and daemon count together.
    pub(super) fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// A port's counters, over all CPUs and both paths.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn counters(&self, slot: Slot) -> Result<PortCounters, DatapathError> {
        let per_cpu = self
            .counters
            .get(&u32::from(slot.0), 0)
            .map_err(map_error("read counters", names::MAP_PORT_COUNTERS))?;
        let slow = self.accounts.state(slot);
        let slow = PortCounters {
            tx_frames: slow.slow_tx_frames,
            tx_bytes: slow.slow_tx_bytes,
            ..PortCounters::default()
        };
        Ok(per_cpu.iter().fold(slow, |sum, share| sum.plus(*share)))
    }

    /// Sets all counters of a slot to zero, for the next port that gets it.
    ///
    /// # Errors
    /// A map cannot be written.
    pub(super) fn reset_slot(&mut self, slot: Slot) -> Result<(), DatapathError> {
        let index = u32::from(slot.0);
        let op = "reset counters";
        let zeros = self.counters.get(&index, 0).map_err(map_error(op, names::MAP_PORT_COUNTERS))?;
        let zeros = aya::maps::PerCpuValues::try_from(vec![PortCounters::default(); zeros.len()]).map_err(
            |source| DatapathError::Io { op, object: String::from(names::MAP_PORT_COUNTERS), source },
        )?;
        self.counters.set(index, zeros, 0).map_err(map_error(op, names::MAP_PORT_COUNTERS))?;
        self.accounts.reset(slot);
        Ok(())
    }

    /// Every map's size and cost; entries where `entries` knows them.
    pub(super) fn tables(&self, entries: impl Fn(&str) -> Option<u64>) -> Vec<TableUse> {
        self.costs
            .iter()
            .map(|cost| TableUse {
                name: cost.name.to_ascii_lowercase(),
                entries: entries(cost.name),
                capacity: cost.capacity,
                memory_bytes: cost.memory_bytes,
            })
            .collect()
    }
}

fn typed<M: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, DatapathError> {
    let map = ebpf.take_map(name).ok_or(DatapathError::Missing { what: "map", name })?;
    M::try_from(map).map_err(map_error("open", name))
}

/// What the kernel says in the descriptor's `fdinfo`.
fn cost(ebpf: &Ebpf, name: &'static str) -> Result<Cost, DatapathError> {
    let data = data_of(ebpf, name)?;
    let path = format!("/proc/self/fdinfo/{}", data.fd().as_fd().as_raw_fd());
    let text =
        fs::read_to_string(&path).map_err(|source| DatapathError::Io { op: "read", object: path, source })?;
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse().ok()
    };
    Ok(Cost {
        name,
        capacity: field("max_entries:").unwrap_or(0),
        memory_bytes: field("memlock:").unwrap_or(0),
    })
}

#[allow(clippy::wildcard_enum_match_arm, reason = "aya has dozens of map kinds; the object has these five")]
pub(super) fn data_of<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a MapData, DatapathError> {
    match ebpf.map(name) {
        Some(
            Map::Array(data)
            | Map::PerCpuArray(data)
            | Map::HashMap(data)
            | Map::ProgramArray(data)
            | Map::RingBuf(data),
        ) => Ok(data),
        _ => Err(DatapathError::Missing { what: "map", name }),
    }
}
