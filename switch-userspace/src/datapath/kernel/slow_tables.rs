//! The kernel's tables as the slow path sees them: the same maps, by system call.
//!
//! The fast path has counted a punted frame as received already, so here that is not counted again.

use std::{cell::RefCell, path::Path, sync::Arc};

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use switch_common::{
    DropReason, FloodKind,
    abi::{
        MAX_PORTS,
        addr::{DomainId, PortId, Slot},
        domain::DomainConfig,
        fdb::{FdbEntry, FdbKey},
        group::{FloodKey, GroupKey, ListId},
        host::HostAddress,
        names,
        neighbour::{Neighbour, NeighbourKey},
        port::PortConfig,
        source::{SourceKey, SourceScope},
        storm::StormGate,
        vlan::VlanSet,
    },
    stage::env::{InsertError, Tables},
    units::Nanos,
    wire::vlan::VlanId,
};

use super::{accounts::Accounts, maps::map_error};
use crate::datapath::{DatapathError, userspace::EngineTables};

/// Flags of a map update: the key must be new, or must exist (linux/bpf.h).
const BPF_NOEXIST: u64 = 1;
const BPF_EXIST: u64 = 2;

/// The pinned maps of an instance, for one thread.
pub(super) struct SlowTables {
    ports: Array<MapData, PortConfig>,
    domains: Array<MapData, DomainConfig>,
    fdb: RefCell<HashMap<MapData, FdbKey, FdbEntry>>,
    sources: HashMap<MapData, SourceKey, u32>,
    vlans: Array<MapData, VlanSet>,
    neighbours: HashMap<MapData, NeighbourKey, Neighbour>,
    groups: HashMap<MapData, GroupKey, ListId>,
    list_lengths: Array<MapData, u32>,
    host_addresses: HashMap<MapData, HostAddress, u32>,
    flood_list: HashMap<MapData, FloodKey, PortId>,
    accounts: Arc<Accounts>,
}

impl SlowTables {
    /// Opens the maps pinned in `dir`.
    ///
    /// # Errors
    /// A pin cannot be opened.
    pub(super) fn open(dir: &Path, accounts: Arc<Accounts>) -> Result<Self, DatapathError> {
        Ok(Self {
            ports: typed(dir, names::MAP_PORTS)?,
            domains: typed(dir, names::MAP_DOMAINS)?,
            fdb: RefCell::new(typed(dir, names::MAP_FDB)?),
            sources: typed(dir, names::MAP_SOURCES)?,
            vlans: typed(dir, names::MAP_VLANS)?,
            neighbours: typed(dir, names::MAP_NEIGHBOURS)?,
            groups: typed(dir, names::MAP_GROUPS)?,
            list_lengths: typed(dir, names::MAP_LIST_LENGTHS)?,
            host_addresses: typed(dir, names::MAP_HOST_ADDRESSES)?,
            flood_list: typed(dir, names::MAP_FLOOD_LIST)?,
            accounts,
        })
    }
}

impl Tables for SlowTables {
    fn port(&self, port: PortId) -> Option<PortConfig> {
        let config = (port.0 < MAX_PORTS).then(|| self.ports.get(&port.0, 0).ok()).flatten();
        config.filter(|config| config.domain() != DomainId::NONE)
    }

    fn domain(&self, domain: DomainId) -> Option<DomainConfig> {
        self.domains.get(&u32::from(domain.0), 0).ok().filter(|domain| domain.is_in_use())
    }

    /// The fast path noted it when the frame came in.
    fn note_awake(&self, _port: PortId) {}

    fn source(&self, key: SourceKey) -> Option<SourceScope> {
        self.sources.get(&key, 0).ok().and_then(SourceScope::from_code)
    }

    fn carries_vlan(&self, slot: Slot, vlan: VlanId) -> bool {
        self.vlans.get(&u32::from(slot.0), 0).is_ok_and(|set| set.has(vlan))
    }

    fn neighbour(&self, key: NeighbourKey) -> Option<Neighbour> {
        self.neighbours.get(&key, 0).ok()
    }

    fn group(&self, key: GroupKey) -> ListId {
        self.groups.get(&key, 0).unwrap_or(ListId::NONE)
    }

    fn is_host_address(&self, address: HostAddress) -> bool {
        self.host_addresses.get(&address, 0).is_ok()
    }

    fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        self.accounts.storm_gate(slot, kind)
    }

    fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        self.accounts.storm_charge(slot, kind, known, next)
    }

    /// The fast path charged the packet when it punted it.
    fn error_account(&self, _slot: Slot) -> Nanos {
        Nanos(0)
    }

    fn error_charge(&self, _slot: Slot, _known: Nanos, _next: Nanos) -> bool {
        true
    }

    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry> {
        self.fdb.borrow().get(&key, 0).ok()
    }

    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError> {
        let inserted = self.fdb.borrow_mut().insert(key, entry, BPF_NOEXIST);
        inserted.map_err(|error| if is_known_key(&error) { InsertError::Exists } else { InsertError::Full })
    }

    fn fdb_refresh(&self, key: FdbKey, known: FdbEntry, now: Nanos) {
        self.fdb_move(key, known, known.seen_at(now));
    }

    /// Between the comparison and the change a kernel program may move the entry as well; the sweep mends the accounts then.
    fn fdb_move(&self, key: FdbKey, known: FdbEntry, seen: FdbEntry) -> bool {
        self.fdb_lookup(key).is_some_and(|entry| entry.is_at_place_of(known))
            && self.fdb.borrow_mut().insert(key, seen, BPF_EXIST).is_ok()
    }

    fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        self.accounts.claim_learned(slot, cap)
    }

    fn release_learned(&self, slot: Slot) {
        self.accounts.release_learned(slot);
    }

    fn count_not_learned(&self, slot: Slot) {
        self.accounts.count_not_learned(slot);
    }

    fn count_rx(&self, _slot: Slot, _bytes: u32) {}

    fn count_tx(&self, slot: Slot, bytes: u32) {
        self.accounts.count_slow_tx(slot, bytes);
    }

    fn count_drop(&self, slot: Slot, reason: DropReason) {
        self.accounts.count_drop(slot, reason);
    }
}

impl EngineTables for SlowTables {
    fn for_each_member(&self, list: ListId, mut visit: impl FnMut(PortId)) {
        let len = self.list_lengths.get(&list.0, 0).unwrap_or(0);
        for position in 0..len {
            if let Ok(port) = self.flood_list.get(&FloodKey::new(list, position), 0) {
                visit(port);
            }
        }
    }

    fn uncount_tx(&self, slot: Slot, bytes: u32) {
        self.accounts.uncount_slow_tx(slot, bytes);
    }
}

fn typed<M: TryFrom<Map, Error = MapError>>(dir: &Path, name: &'static str) -> Result<M, DatapathError> {
    let data = MapData::from_pin(dir.join(name)).map_err(map_error("open", name))?;
    let map = Map::from_map_data(data).map_err(map_error("open", name))?;
    M::try_from(map).map_err(map_error("open", name))
}

fn is_known_key(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(failed) if failed.io_error.raw_os_error() == Some(libc::EEXIST))
}
