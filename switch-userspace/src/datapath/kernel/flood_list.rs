//! The lists of ports that floods and groups go to: which position holds which port.
//!
//! A port keeps its position for as long as it is on the list; positions that become free are holes until a later port takes them.
//! So no flood in flight reaches a port twice. A group is in the table of groups only while its list is whole.

use std::collections::{BTreeMap, BTreeSet};

use switch_common::{
    abi::{
        MAX_DOMAINS, MAX_GROUP_PORTS, MAX_GROUPS, MAX_LISTS,
        addr::{DomainId, PortId},
        domain::{DomainConfig, DomainFlags},
        group::{FloodKey, GroupKey, ListId},
        names,
    },
    units::Nanos,
};

use super::maps::{Maps, map_error, remove_key};
use crate::datapath::{DatapathError, Group};

/// Positions in use, by list.
#[derive(Debug)]
pub(super) struct FloodLists {
    lists: BTreeMap<ListId, Vec<Option<PortId>>>,
    groups: BTreeMap<GroupKey, ListId>,
    /// Where the search for a free list begins: numbers are used in turn, so that one is not soon another group's.
    next: u32,
}

impl FloodLists {
    /// Reads the lists back from the kernel; those that a killed daemon left to nobody are removed.
    ///
    /// # Errors
    /// A map cannot be read or written.
    pub(super) fn adopt(maps: &mut Maps) -> Result<Self, DatapathError> {
        let mut used = BTreeSet::new();
        for (number, config) in (0..).zip(maps.domains.iter()) {
            if config.map_err(map_error("read", names::MAP_DOMAINS))?.is_in_use() {
                used.insert(ListId::of_domain(DomainId(number)));
            }
        }
        let groups: BTreeMap<GroupKey, ListId> =
            maps.groups.iter().collect::<Result<_, _>>().map_err(map_error("list", names::MAP_GROUPS))?;
        used.extend(groups.values());
        let mut adopted = Self { lists: BTreeMap::new(), groups, next: MAX_DOMAINS };
        for list in (1..MAX_LISTS).map(ListId) {
            let length = length(maps, list)?;
            let ports =
                (0..length).map(|position| maps.flood_list.get(&FloodKey::new(list, position), 0).ok());
            let ports = ports.collect();
            if used.contains(&list) {
                adopted.lists.insert(list, ports);
            } else if length > 0 {
                adopted.lists.insert(list, ports);
                adopted.clear(maps, list)?;
            }
        }
        Ok(adopted)
    }

    /// Makes a domain, or changes its ageing time and switches.
    ///
    /// # Errors
    /// The map cannot be written.
    pub(super) fn set_domain(
        &mut self,
        maps: &mut Maps,
        domain: DomainId,
        ageing: Nanos,
        flags: DomainFlags,
    ) -> Result<(), DatapathError> {
        self.lists.entry(ListId::of_domain(domain)).or_default();
        write_domain(maps, domain, DomainConfig::new(ageing, flags))
    }

    /// Forgets a domain and its groups.
    ///
    /// # Errors
    /// A map cannot be written.
    pub(super) fn remove_domain(&mut self, maps: &mut Maps, domain: DomainId) -> Result<(), DatapathError> {
        let keys: Vec<_> = self.groups.keys().filter(|key| key.domain() == domain).copied().collect();
        for key in keys {
            self.remove_group(maps, key)?;
        }
        write_domain(maps, domain, DomainConfig::default())?;
        self.clear(maps, ListId::of_domain(domain))
    }

    /// Puts a port on its domain's list, unless it is there.
    ///
    /// # Errors
    /// The table is full or cannot be written.
    pub(super) fn add(
        &mut self,
        maps: &mut Maps,
        domain: DomainId,
        port: PortId,
    ) -> Result<(), DatapathError> {
        self.add_to(maps, ListId::of_domain(domain), port)
    }

    /// Takes a port off all lists, leaving holes.
    ///
    /// # Errors
    /// The map cannot be written; the port keeps the positions that are left.
    pub(super) fn remove(&mut self, maps: &mut Maps, port: PortId) -> Result<(), DatapathError> {
        let with_port = self.lists.iter().filter(|(_, ports)| ports.contains(&Some(port)));
        let lists: Vec<ListId> = with_port.map(|(list, _)| *list).collect();
        lists.into_iter().try_for_each(|list| self.remove_from(maps, list, port))
    }

    /// Makes `ports` those that a group goes to.
    ///
    /// # Errors
    /// The tables have no room, then nothing was changed; or they cannot be written.
    pub(super) fn set_group(
        &mut self,
        maps: &mut Maps,
        key: GroupKey,
        ports: &[PortId],
    ) -> Result<(), DatapathError> {
        let known = self.groups.get(&key).copied();
        let list = match known {
            Some(list) => list,
            None => self.free_list()?,
        };
        let present: Vec<PortId> = self.lists.get(&list).into_iter().flatten().copied().flatten().collect();
        let others = self.group_ports() - present.len();
        if others + ports.len() > MAX_GROUP_PORTS as usize {
            return Err(full(names::MAP_FLOOD_LIST, MAX_GROUP_PORTS));
        }
        for port in present.iter().filter(|port| !ports.contains(port)) {
            self.remove_from(maps, list, *port)?;
        }
        for port in ports {
            self.add_to(maps, list, *port)?;
        }
        if known.is_none() {
            self.lists.entry(list).or_default();
            maps.groups.insert(key, list, 0).map_err(map_error("insert", names::MAP_GROUPS))?;
            self.groups.insert(key, list);
        }
        Ok(())
    }

    /// Forgets a group; one that there is not is no error.
    ///
    /// # Errors
    /// A map cannot be written.
    pub(super) fn remove_group(&mut self, maps: &mut Maps, key: GroupKey) -> Result<(), DatapathError> {
        let Some(list) = self.groups.get(&key).copied() else { return Ok(()) };
        remove_key(&mut maps.groups, &key, "remove", names::MAP_GROUPS)?;
        self.groups.remove(&key);
        self.clear(maps, list)
    }

    /// All groups with their ports.
    pub(super) fn groups(&self) -> Vec<Group> {
        let ports = |list: &ListId| self.lists.get(list).into_iter().flatten().copied().flatten().collect();
        self.groups.iter().map(|(key, list)| Group { key: *key, ports: ports(list) }).collect()
    }

    /// The ports that are on a list.
    pub(super) fn members(&self) -> impl Iterator<Item = PortId> + '_ {
        self.lists.values().flatten().copied().flatten()
    }

    /// Positions that hold a port, over all lists.
    #[must_use]
    pub(super) fn entries(&self) -> u64 {
        self.members().count() as u64
    }

    /// Domains that exist.
    #[must_use]
    pub(super) fn domains(&self) -> u64 {
        self.lists.keys().filter(|list| list.0 < MAX_DOMAINS).count() as u64
    }

    /// Groups that are registered.
    #[must_use]
    pub(super) fn group_count(&self) -> u64 {
        self.groups.len() as u64
    }

    fn group_ports(&self) -> usize {
        let lists = self.lists.iter().filter(|(list, _)| list.0 >= MAX_DOMAINS);
        lists.map(|(_, ports)| ports.iter().flatten().count()).sum()
    }

    fn free_list(&mut self) -> Result<ListId, DatapathError> {
        let numbers = (self.next..MAX_LISTS).chain(MAX_DOMAINS..self.next);
        let free = numbers.map(ListId).find(|list| !self.lists.contains_key(list));
        let list = free.ok_or_else(|| full(names::MAP_GROUPS, MAX_GROUPS))?;
        self.next = if list.0 + 1 < MAX_LISTS { list.0 + 1 } else { MAX_DOMAINS };
        Ok(list)
    }

    fn add_to(&mut self, maps: &mut Maps, list: ListId, port: PortId) -> Result<(), DatapathError> {
        let ports = self.lists.entry(list).or_default();
        if ports.contains(&Some(port)) {
            return Ok(());
        }
        let position = ports.iter().position(Option::is_none).unwrap_or(ports.len());
        maps.flood_list
            .insert(flood_key(list, position), port, 0)
            .map_err(map_error("add a port", names::MAP_FLOOD_LIST))?;
        if position == ports.len() {
            ports.push(None);
            write_length(maps, list, ports.len())?;
        }
        ports[position] = Some(port);
        Ok(())
    }

    fn remove_from(&mut self, maps: &mut Maps, list: ListId, port: PortId) -> Result<(), DatapathError> {
        let Some(ports) = self.lists.get_mut(&list) else { return Ok(()) };
        let Some(position) = ports.iter().position(|at| *at == Some(port)) else { return Ok(()) };
        let key = flood_key(list, position);
        remove_key(&mut maps.flood_list, &key, "remove a port", names::MAP_FLOOD_LIST)?;
        ports[position] = None;
        Ok(())
    }

    /// Removes a list with all that is on it.
    fn clear(&mut self, maps: &mut Maps, list: ListId) -> Result<(), DatapathError> {
        let ports: Vec<PortId> = self.lists.get(&list).into_iter().flatten().copied().flatten().collect();
        ports.into_iter().try_for_each(|port| self.remove_from(maps, list, port))?;
        write_length(maps, list, 0)?;
        self.lists.remove(&list);
        Ok(())
    }
}

fn full(map: &'static str, capacity: u32) -> DatapathError {
    DatapathError::Full { map, capacity: capacity.into() }
}

fn flood_key(list: ListId, position: usize) -> FloodKey {
    FloodKey::new(list, u32::try_from(position).unwrap_or(u32::MAX))
}

fn length(maps: &Maps, list: ListId) -> Result<u32, DatapathError> {
    maps.list_lengths.get(&list.0, 0).map_err(map_error("read", names::MAP_LIST_LENGTHS))
}

fn write_length(maps: &mut Maps, list: ListId, length: usize) -> Result<(), DatapathError> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    maps.list_lengths.set(list.0, length, 0).map_err(map_error("write", names::MAP_LIST_LENGTHS))
}

fn write_domain(maps: &mut Maps, domain: DomainId, config: DomainConfig) -> Result<(), DatapathError> {
    maps.domains.set(u32::from(domain.0), config, 0).map_err(map_error("write a domain", names::MAP_DOMAINS))
}
