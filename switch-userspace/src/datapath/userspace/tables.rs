//! The pipeline's tables in this process's memory.
//!
//! Ports and domains change rarely and are read for every frame: workers hold a [`View`] of them for a batch of frames, and
//! a change waits for the batches under way. So once a port is removed, no frame that came in on it is still judged, and
//! nothing can learn or count for it any more.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crossbeam::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
use switch_common::{
    DropReason, FloodKind,
    abi::{
        MAX_DOMAINS, MAX_FDB_ENTRIES, MAX_GROUP_PORTS, MAX_GROUPS, MAX_HOST_ADDRESSES, MAX_LISTS,
        MAX_NEIGHBOURS, MAX_SLOTS, MAX_SOURCES,
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::{DomainConfig, DomainFlags},
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId},
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

use super::{account::Accounts, engine::EngineTables};
use crate::datapath::{Group, TableUse};

type Fdb = HashMap<FdbKey, FdbEntry>;

#[derive(Debug, Default)]
struct Configuration {
    ports: HashMap<PortId, PortConfig>,
    domains: HashMap<DomainId, Domain>,
    sources: HashMap<SourceKey, SourceScope>,
    vlans: HashMap<Slot, VlanSet>,
    neighbours: HashMap<NeighbourKey, Neighbour>,
    groups: HashMap<GroupKey, ListId>,
    /// The ports of each group.
    lists: HashMap<ListId, Vec<PortId>>,
    host_addresses: HashSet<HostAddress>,
}

#[derive(Debug, Default)]
struct Domain {
    ageing: Nanos,
    flags: DomainFlags,
    members: Vec<PortId>,
}

/// Everything that the pipeline reads, learns and counts.
#[derive(Debug, Default)]
pub struct MemTables {
    configuration: ShardedLock<Configuration>,
    fdb: RwLock<Fdb>,
    accounts: Accounts,
}

impl MemTables {
    /// Ports and domains as they are now, and as they stay while the view exists: changes of them wait. Do not make one on
    /// this thread meanwhile.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let configuration = self.configuration.read().unwrap_or_else(PoisonError::into_inner);
        View { configuration, tables: self }
    }

    /// What is counted by slot.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Makes a domain, or changes its ageing time and switches.
    pub fn set_domain(&self, domain: DomainId, ageing: Nanos, flags: DomainFlags) {
        let mut configuration = self.change();
        let domain = configuration.domains.entry(domain).or_default();
        (domain.ageing, domain.flags) = (ageing, flags);
    }

    /// Removes a domain with its FDB entries.
    pub fn remove_domain(&self, domain: DomainId) {
        let mut configuration = self.change();
        configuration.domains.remove(&domain);
        let of_domain: Vec<_> =
            configuration.groups.keys().filter(|key| key.domain() == domain).copied().collect();
        for key in of_domain {
            configuration.forget_group(key);
        }
        let mut fdb = self.fdb_mut();
        fdb.retain(|key, entry| {
            let stays = key.domain() != domain;
            if !stays {
                self.release(&configuration, *entry);
            }
            stays
        });
    }

    /// Makes a port, or replaces its record. A port of a domain that does not exist is nobody's flood target.
    pub fn set_port(&self, port: PortId, config: PortConfig) {
        let mut configuration = self.change();
        if let Some(before) = configuration.ports.insert(port, config) {
            configuration.leave(before.domain(), port);
        }
        if let Some(domain) = configuration.domains.get_mut(&config.domain()) {
            domain.members.push(port);
        }
    }

    /// Makes `sources` all that a slot's port may use beside its own.
    ///
    /// # Errors
    /// [`InsertError::Full`]; then nothing was changed.
    pub fn set_sources(&self, slot: Slot, sources: &[(SourceKey, SourceScope)]) -> Result<(), InsertError> {
        let mut configuration = self.change();
        let others = configuration.sources.keys().filter(|key| key.slot() != slot).count();
        if others + sources.len() > MAX_SOURCES as usize {
            return Err(InsertError::Full);
        }
        configuration.sources.retain(|key, _| key.slot() != slot);
        configuration.sources.extend(sources.iter().copied());
        Ok(())
    }

    /// Makes `vlans` those that a slot's port carries as a trunk.
    pub fn set_vlans(&self, slot: Slot, vlans: VlanSet) {
        self.change().vlans.insert(slot, vlans);
    }

    /// Makes `neighbours` all the addresses that are behind a port.
    ///
    /// # Errors
    /// [`InsertError::Full`]; then nothing was changed.
    pub fn set_neighbours(
        &self,
        port: PortId,
        neighbours: &[(NeighbourKey, MacAddr)],
    ) -> Result<(), InsertError> {
        let mut configuration = self.change();
        let known = &mut configuration.neighbours;
        let others = known.values().filter(|known| known.port() != port).count();
        if others + neighbours.len() > MAX_NEIGHBOURS as usize {
            return Err(InsertError::Full);
        }
        known.retain(|_, known| known.port() != port);
        known.extend(neighbours.iter().map(|(key, mac)| (*key, Neighbour::new(port, *mac))));
        Ok(())
    }

    /// Makes `ports` those that a group goes to.
    ///
    /// # Errors
    /// [`InsertError::Full`]; then nothing was changed.
    pub fn set_group(&self, key: GroupKey, ports: &[PortId]) -> Result<(), InsertError> {
        let mut configuration = self.change();
        let known = configuration.groups.get(&key).copied();
        let free = (MAX_DOMAINS..MAX_LISTS).map(ListId);
        let list = known.or_else(|| free.into_iter().find(|list| !configuration.lists.contains_key(list)));
        let list = list.ok_or(InsertError::Full)?;
        let others = configuration.lists.iter().filter(|(other, _)| **other != list);
        if others.map(|(_, ports)| ports.len()).sum::<usize>() + ports.len() > MAX_GROUP_PORTS as usize {
            return Err(InsertError::Full);
        }
        configuration.lists.insert(list, ports.to_vec());
        configuration.groups.insert(key, list);
        Ok(())
    }

    /// Forgets a group.
    pub fn remove_group(&self, key: GroupKey) {
        self.change().forget_group(key);
    }

    /// All groups with their ports.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let view = self.view();
        let ports = |list| view.configuration.lists.get(list).cloned().unwrap_or_default();
        view.configuration.groups.iter().map(|(key, list)| Group { key: *key, ports: ports(list) }).collect()
    }

    /// Makes `addresses` all that the host has.
    ///
    /// # Errors
    /// [`InsertError::Full`]; then nothing was changed.
    pub fn set_host_addresses(&self, addresses: &BTreeSet<HostAddress>) -> Result<(), InsertError> {
        if addresses.len() > MAX_HOST_ADDRESSES as usize {
            return Err(InsertError::Full);
        }
        self.change().host_addresses = addresses.iter().copied().collect();
        Ok(())
    }

    /// Forgets a port, its neighbours, the FDB entries that point to it and what was counted for it. Returns its record.
    pub fn remove_port(&self, port: PortId) -> Option<PortConfig> {
        let mut configuration = self.change();
        let config = configuration.ports.remove(&port)?;
        configuration.leave(config.domain(), port);
        configuration.sources.retain(|key, _| key.slot() != config.slot());
        configuration.vlans.remove(&config.slot());
        configuration.neighbours.retain(|_, known| known.port() != port);
        for list in configuration.lists.values_mut() {
            list.retain(|member| *member != port);
        }
        self.fdb_mut().retain(|_, entry| entry.port() != port);
        self.accounts.clear(config.slot());
        Some(config)
    }

    /// Every port with its record.
    #[must_use]
    pub fn ports(&self) -> Vec<(PortId, PortConfig)> {
        self.view().configuration.ports.iter().map(|(port, config)| (*port, *config)).collect()
    }

    /// How full the tables are and what they take.
    #[must_use]
    pub fn uses(&self) -> Vec<TableUse> {
        let view = self.view();
        let Configuration { ports, domains, sources, vlans, neighbours, groups, host_addresses, lists: _ } =
            &*view.configuration;
        let accounts = TableUse {
            name: names::MAP_PORT_COUNTERS.to_ascii_lowercase(),
            entries: Some(ports.len() as u64),
            capacity: MAX_SLOTS.into(),
            memory_bytes: self.accounts.memory_bytes(),
        };
        vec![
            table_use(names::MAP_PORTS, ports, MAX_SLOTS),
            table_use(names::MAP_DOMAINS, domains, MAX_DOMAINS),
            table_use(names::MAP_SOURCES, sources, MAX_SOURCES),
            table_use(names::MAP_VLANS, vlans, MAX_SLOTS),
            table_use(names::MAP_NEIGHBOURS, neighbours, MAX_NEIGHBOURS),
            table_use(names::MAP_GROUPS, groups, MAX_GROUPS),
            TableUse {
                name: names::MAP_HOST_ADDRESSES.to_ascii_lowercase(),
                entries: Some(host_addresses.len() as u64),
                capacity: MAX_HOST_ADDRESSES.into(),
                memory_bytes: (host_addresses.capacity() * size_of::<HostAddress>()) as u64,
            },
            table_use(names::MAP_FDB, &self.fdb(), MAX_FDB_ENTRIES),
            accounts,
        ]
    }

    /// Inserts or replaces an FDB entry.
    ///
    /// # Errors
    /// [`InsertError::Full`].
    pub fn put_fdb(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError> {
        let configuration = self.change();
        let mut fdb = self.fdb_mut();
        if !fdb.contains_key(&key) && is_full(&fdb) {
            return Err(InsertError::Full);
        }
        if let Some(before) = fdb.insert(key, entry) {
            self.release(&configuration, before);
        }
        if let Some(port) = configuration.ports.get(&entry.port()).filter(|_| entry.is_learned()) {
            self.accounts.claim_learned(port.slot(), 0);
        }
        Ok(())
    }

    /// Removes an FDB entry and says what it was.
    pub fn remove_fdb(&self, key: FdbKey) -> Option<FdbEntry> {
        let configuration = self.change();
        let entry = self.fdb_mut().remove(&key)?;
        self.release(&configuration, entry);
        Some(entry)
    }

    /// All FDB entries, in no order.
    #[must_use]
    pub fn list_fdb(&self) -> Vec<(FdbKey, FdbEntry)> {
        self.fdb().iter().map(|(key, entry)| (*key, *entry)).collect()
    }

    fn release(&self, configuration: &Configuration, entry: FdbEntry) {
        if let Some(port) = configuration.ports.get(&entry.port()).filter(|_| entry.is_learned()) {
            self.accounts.release_learned(port.slot());
        }
    }

    fn change(&self) -> ShardedLockWriteGuard<'_, Configuration> {
        self.configuration.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn fdb(&self) -> RwLockReadGuard<'_, Fdb> {
        self.fdb.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn fdb_mut(&self) -> RwLockWriteGuard<'_, Fdb> {
        self.fdb.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Configuration {
    fn forget_group(&mut self, key: GroupKey) {
        if let Some(list) = self.groups.remove(&key) {
            self.lists.remove(&list);
        }
    }

    fn leave(&mut self, domain: DomainId, port: PortId) {
        if let Some(domain) = self.domains.get_mut(&domain) {
            domain.members.retain(|member| *member != port);
        }
    }
}

fn table_use<K, V>(name: &str, table: &HashMap<K, V>, capacity: u32) -> TableUse {
    TableUse {
        name: name.to_ascii_lowercase(),
        entries: Some(table.len() as u64),
        capacity: capacity.into(),
        memory_bytes: (table.capacity() * size_of::<(K, V)>()) as u64,
    }
}

fn is_full(fdb: &Fdb) -> bool {
    fdb.len() >= MAX_FDB_ENTRIES as usize
}

/// The tables with ports and domains held still.
pub struct View<'a> {
    configuration: ShardedLockReadGuard<'a, Configuration>,
    tables: &'a MemTables,
}

impl View<'_> {
    /// The ports of a list.
    #[must_use]
    pub fn members(&self, list: ListId) -> &[PortId] {
        let domain = u16::try_from(list.0).ok().map(DomainId);
        let domain = domain.and_then(|domain| self.configuration.domains.get(&domain));
        match (domain, self.configuration.lists.get(&list)) {
            (Some(domain), _) => &domain.members,
            (None, Some(group)) => group,
            (None, None) => &[],
        }
    }
}

impl EngineTables for View<'_> {
    fn for_each_member(&self, list: ListId, visit: impl FnMut(PortId)) {
        self.members(list).iter().copied().for_each(visit);
    }

    fn uncount_tx(&self, slot: Slot, bytes: u32) {
        self.tables.accounts.uncount_tx(slot, bytes);
    }
}

impl Tables for View<'_> {
    fn port(&self, port: PortId) -> Option<PortConfig> {
        self.configuration.ports.get(&port).copied()
    }

    fn domain(&self, domain: DomainId) -> Option<DomainConfig> {
        let domain = self.configuration.domains.get(&domain)?;
        Some(DomainConfig::new(domain.ageing, domain.flags))
    }

    /// The control plane of this process notes it: records stay as they are while there is a view.
    fn note_awake(&self, _port: PortId) {}

    fn source(&self, key: SourceKey) -> Option<SourceScope> {
        self.configuration.sources.get(&key).copied()
    }

    fn carries_vlan(&self, slot: Slot, vlan: VlanId) -> bool {
        self.configuration.vlans.get(&slot).is_some_and(|set| set.has(vlan))
    }

    fn neighbour(&self, key: NeighbourKey) -> Option<Neighbour> {
        self.configuration.neighbours.get(&key).copied()
    }

    fn group(&self, key: GroupKey) -> ListId {
        self.configuration.groups.get(&key).copied().unwrap_or(ListId::NONE)
    }

    fn is_host_address(&self, address: HostAddress) -> bool {
        self.configuration.host_addresses.contains(&address)
    }

    fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        self.tables.accounts.storm_gate(slot, kind)
    }

    fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        self.tables.accounts.storm_charge(slot, kind, known, next)
    }

    fn error_account(&self, slot: Slot) -> Nanos {
        self.tables.accounts.error_account(slot)
    }

    fn error_charge(&self, slot: Slot, known: Nanos, next: Nanos) -> bool {
        self.tables.accounts.error_charge(slot, known, next)
    }

    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry> {
        self.tables.fdb().get(&key).copied()
    }

    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError> {
        let mut fdb = self.tables.fdb_mut();
        let full = is_full(&fdb);
        match fdb.entry(key) {
            hash_map::Entry::Occupied(_) => Err(InsertError::Exists),
            hash_map::Entry::Vacant(_) if full => Err(InsertError::Full),
            hash_map::Entry::Vacant(free) => {
                free.insert(entry);
                Ok(())
            }
        }
    }

    fn fdb_refresh(&self, key: FdbKey, known: FdbEntry, now: Nanos) {
        self.fdb_move(key, known, known.seen_at(now));
    }

    fn fdb_move(&self, key: FdbKey, known: FdbEntry, seen: FdbEntry) -> bool {
        let mut fdb = self.tables.fdb_mut();
        let entry = fdb.get_mut(&key).filter(|entry| entry.is_at_place_of(known));
        entry.map(|entry| *entry = seen).is_some()
    }

    fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        self.tables.accounts.claim_learned(slot, cap)
    }

    fn release_learned(&self, slot: Slot) {
        self.tables.accounts.release_learned(slot);
    }

    fn count_not_learned(&self, slot: Slot) {
        self.tables.accounts.count_not_learned(slot);
    }

    fn count_rx(&self, slot: Slot, bytes: u32) {
        self.tables.accounts.count_rx(slot, bytes);
    }

    fn count_tx(&self, slot: Slot, bytes: u32) {
        self.tables.accounts.count_tx(slot, bytes);
    }

    fn count_drop(&self, slot: Slot, reason: DropReason) {
        self.tables.accounts.count_drops(slot, reason, 1);
    }
}

#[cfg(test)]
mod tests {
    use switch_common::abi::{
        addr::MacAddr,
        fdb::FdbKind,
        port::{PortFlags, PortState},
    };

    use super::*;

    const DOMAIN: DomainId = DomainId(1);
    const RED: PortId = PortId(10);
    const BLUE: PortId = PortId(11);

    fn key(last: u16) -> FdbKey {
        let [high, low] = last.to_be_bytes();
        FdbKey::new(DOMAIN, MacAddr::new([2, 0, 0, 0, high, low]))
    }

    fn port(slot: u16) -> PortConfig {
        PortConfig::new(DOMAIN, Slot(slot), MacAddr::ZERO, 1500, 0, PortFlags::DEFAULT)
    }

    fn learned(port: PortId) -> FdbEntry {
        FdbEntry::new(port, FdbKind::Learned, Nanos(1))
    }

    fn two_ports() -> MemTables {
        let tables = MemTables::default();
        tables.set_domain(DOMAIN, Nanos::from_secs(300), DomainFlags::NONE);
        tables.set_port(RED, port(1));
        tables.set_port(BLUE, port(2));
        tables
    }

    #[test]
    fn a_port_is_a_member_of_its_domain_once_however_often_its_record_is_replaced() {
        let tables = two_ports();
        tables.set_port(RED, port(1));
        assert_eq!(tables.view().members(ListId::of_domain(DOMAIN)), [BLUE, RED]);
        tables.remove_port(RED);
        assert_eq!(tables.view().members(ListId::of_domain(DOMAIN)), [BLUE]);
    }

    #[test]
    fn a_removed_port_takes_its_fdb_entries_and_numbers_with_it_and_nothing_else() {
        let tables = two_ports();
        for (mac, port) in [(1, RED), (2, RED), (3, BLUE)] {
            assert_eq!(tables.put_fdb(key(mac), learned(port)), Ok(()));
        }
        tables.view().count_rx(Slot(1), 60);
        assert_eq!(tables.accounts().learned(), 3);
        assert_eq!(tables.remove_port(RED), Some(port(1)));
        assert_eq!(tables.list_fdb(), [(key(3), learned(BLUE))]);
        assert_eq!(tables.accounts().learned(), 1);
        assert_eq!(tables.accounts().counters(Slot(1)).rx_frames, 0);
        assert_eq!(tables.view().port(RED), None);
    }

    #[test]
    fn the_account_follows_learned_entries_that_the_control_plane_replaces_or_removes() {
        let tables = two_ports();
        assert_eq!(tables.put_fdb(key(1), learned(RED)), Ok(()));
        assert_eq!(tables.put_fdb(key(1), learned(BLUE)), Ok(()));
        let count = |slot| tables.accounts().state(Slot(slot));
        assert_eq!(count(1), PortState::default());
        assert_eq!(count(2), PortState { learned: 1, ..PortState::default() });
        assert_eq!(tables.put_fdb(key(1), FdbEntry::new(BLUE, FdbKind::Static, Nanos(0))), Ok(()));
        assert_eq!(count(2), PortState::default());
        assert_eq!(tables.remove_fdb(key(1)).and_then(FdbEntry::kind), Some(FdbKind::Static));
        assert_eq!(tables.remove_fdb(key(1)), None);
        assert_eq!(count(2), PortState::default());
    }

    #[test]
    fn a_full_fdb_refuses_new_keys_and_takes_known_ones() {
        let tables = two_ports();
        for mac in 0..=u16::MAX {
            assert_eq!(tables.view().fdb_insert(key(mac), learned(RED)), Ok(()));
        }
        let other = FdbKey::new(DomainId(2), MacAddr::BROADCAST);
        assert_eq!(tables.view().fdb_insert(other, learned(RED)), Err(InsertError::Full));
        assert_eq!(tables.put_fdb(other, learned(RED)), Err(InsertError::Full));
        assert_eq!(tables.view().fdb_insert(key(0), learned(RED)), Err(InsertError::Exists));
        assert_eq!(tables.put_fdb(key(0), learned(BLUE)), Ok(()));
        let fdb = tables.uses().into_iter().find(|table| table.name.eq_ignore_ascii_case(names::MAP_FDB));
        assert_eq!(fdb.and_then(|fdb| fdb.entries), Some(65_536));
    }

    #[test]
    fn a_removed_domain_takes_its_fdb_entries_with_it_and_no_other() {
        let tables = two_ports();
        let other = FdbKey::new(DomainId(2), MacAddr::new([2; 6]));
        assert_eq!(tables.put_fdb(key(1), learned(RED)), Ok(()));
        assert_eq!(tables.put_fdb(other, learned(RED)), Ok(()));
        tables.remove_domain(DOMAIN);
        assert_eq!(tables.list_fdb(), [(other, learned(RED))]);
        assert_eq!(tables.accounts().learned(), 1);
        assert_eq!(tables.view().domain(DOMAIN), None);
    }

    #[test]
    fn an_entry_that_was_removed_is_not_brought_back_by_a_replacement() {
        let tables = two_ports();
        assert!(!tables.view().fdb_move(key(1), learned(RED), learned(BLUE)));
        assert_eq!(tables.list_fdb(), []);
    }
}
