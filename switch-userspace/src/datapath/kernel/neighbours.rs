//! The records of who is at which address.

use std::collections::BTreeMap;

use aya::maps::MapError;
use switch_common::abi::{
    MAX_NEIGHBOURS,
    addr::{MacAddr, PortId},
    names,
    neighbour::{Neighbour, NeighbourKey},
};

use super::{
    is_table_full,
    maps::{Maps, map_error, remove_key},
};
use crate::datapath::DatapathError;

/// Which port each address is behind.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    ports: BTreeMap<NeighbourKey, PortId>,
}

impl Neighbours {
    /// Reads the records back from the kernel.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn adopt(maps: &Maps) -> Result<Self, DatapathError> {
        let records = maps.neighbours.iter().map(|record| record.map(|(key, at)| (key, at.port())));
        let ports = records.collect::<Result<_, _>>().map_err(map_error("list", names::MAP_NEIGHBOURS))?;
        Ok(Self { ports })
    }

    /// Makes `wanted` the records of a port. What stays is never missing meanwhile.
    ///
    /// # Errors
    /// The table is full or cannot be written; then the port has some of them.
    pub(super) fn set(
        &mut self,
        maps: &mut Maps,
        port: PortId,
        wanted: &[(NeighbourKey, MacAddr)],
    ) -> Result<(), DatapathError> {
        for (key, mac) in wanted {
            maps.neighbours.insert(key, Neighbour::new(port, *mac), 0).map_err(not_inserted)?;
            self.ports.insert(*key, port);
        }
        let is_left = |key: &NeighbourKey| wanted.iter().all(|(wanted, _)| wanted != key);
        let left: Vec<NeighbourKey> =
            self.ports.iter().filter(|(key, at)| **at == port && is_left(key)).map(|(key, _)| *key).collect();
        for key in left {
            remove_key(&mut maps.neighbours, &key, "remove", names::MAP_NEIGHBOURS)?;
            self.ports.remove(&key);
        }
        Ok(())
    }

    /// Records of all ports.
    #[must_use]
    pub(super) fn entries(&self) -> u64 {
        self.ports.len() as u64
    }
}

fn not_inserted(error: MapError) -> DatapathError {
    if is_table_full(&error) {
        return DatapathError::Full { map: names::MAP_NEIGHBOURS, capacity: MAX_NEIGHBOURS.into() };
    }
    map_error("insert", names::MAP_NEIGHBOURS)(error)
}
