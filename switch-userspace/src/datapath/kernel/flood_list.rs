//! The flood lists of all domains: which position holds which port.
//!
//! A port keeps its position for as long as it is in the domain; positions that become free are holes until a later
//! port takes them. So no flood in flight reaches a port twice.

use std::collections::BTreeMap;

use switch_common::{
    abi::{
        addr::{DomainId, PortId},
        domain::{DomainConfig, DomainFlags, FloodKey},
        names,
    },
    units::Nanos,
};

use super::maps::{Maps, map_error, remove_key};
use crate::datapath::DatapathError;

/// Positions in use, by domain.
#[derive(Debug, Default)]
pub(super) struct FloodLists {
    domains: BTreeMap<DomainId, Vec<Option<PortId>>>,
}

impl FloodLists {
    /// Reads the lists of domains back from the kernel.
    ///
    /// # Errors
    /// A map cannot be read.
    pub(super) fn adopt(maps: &Maps) -> Result<Self, DatapathError> {
        let mut lists = Self::default();
        for (number, config) in (0..).zip(maps.domains.iter()) {
            let config = config.map_err(map_error("read", names::MAP_DOMAINS))?;
            if !config.is_in_use() {
                continue;
            }
            let domain = DomainId(number);
            let list = (0..config.flood_len())
                .map(|position| maps.flood_list.get(&FloodKey::new(domain, position), 0).ok())
                .collect();
            lists.domains.insert(domain, list);
        }
        Ok(lists)
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
        let list = self.domains.entry(domain).or_default();
        write_domain(maps, domain, DomainConfig::new(ageing, length(list), flags))
    }

    /// Forgets a domain.
    ///
    /// # Errors
    /// The map cannot be written.
    pub(super) fn remove_domain(&mut self, maps: &mut Maps, domain: DomainId) -> Result<(), DatapathError> {
        self.domains.remove(&domain);
        maps.domains
            .set(u32::from(domain.0), DomainConfig::default(), 0)
            .map_err(map_error("remove a domain", names::MAP_DOMAINS))
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
        let list = self.domains.entry(domain).or_default();
        if list.contains(&Some(port)) {
            return Ok(());
        }
        let position = list.iter().position(Option::is_none).unwrap_or(list.len());
        let key = FloodKey::new(domain, u32::try_from(position).unwrap_or(u32::MAX));
        maps.flood_list.insert(key, port, 0).map_err(map_error("add a port", names::MAP_FLOOD_LIST))?;
        if position == list.len() {
            list.push(None);
            let before = read_domain(maps, domain)?;
            let longer = DomainConfig::new(before.ageing(), length(list), before.flags());
            write_domain(maps, domain, longer)?;
        }
        list[position] = Some(port);
        Ok(())
    }

    /// Takes a port off the list that it is on, leaving a hole.
    ///
    /// # Errors
    /// The map cannot be written; the port keeps its position.
    pub(super) fn remove(&mut self, maps: &mut Maps, port: PortId) -> Result<(), DatapathError> {
        for (domain, list) in &mut self.domains {
            let Some(position) = list.iter().position(|at| *at == Some(port)) else { continue };
            let key = FloodKey::new(*domain, u32::try_from(position).unwrap_or(u32::MAX));
            remove_key(&mut maps.flood_list, &key, "remove a port", names::MAP_FLOOD_LIST)?;
            list[position] = None;
        }
        Ok(())
    }

    /// The ports that are on a list.
    pub(super) fn members(&self) -> impl Iterator<Item = PortId> + '_ {
        self.domains.values().flatten().copied().flatten()
    }

    /// Positions that hold a port, over all domains.
    #[must_use]
    pub(super) fn entries(&self) -> u64 {
        self.members().count() as u64
    }

    /// Domains that exist.
    #[must_use]
    pub(super) fn domains(&self) -> u64 {
        self.domains.len() as u64
    }
}

fn read_domain(maps: &Maps, domain: DomainId) -> Result<DomainConfig, DatapathError> {
    maps.domains.get(&u32::from(domain.0), 0).map_err(map_error("read", names::MAP_DOMAINS))
}

fn write_domain(maps: &mut Maps, domain: DomainId, config: DomainConfig) -> Result<(), DatapathError> {
    maps.domains.set(u32::from(domain.0), config, 0).map_err(map_error("write a domain", names::MAP_DOMAINS))
}

fn length(list: &[Option<PortId>]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
