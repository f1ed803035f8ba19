//! The records of addresses that the host has.

use std::collections::BTreeSet;

use switch_common::abi::{MAX_HOST_ADDRESSES, host::HostAddress, names};

use super::{
    is_table_full,
    maps::{Maps, map_error, remove_key},
};
use crate::datapath::DatapathError;

/// The value of a record, which nobody looks at.
const PRESENT: u32 = 1;

/// Which records there are.
#[derive(Debug, Default)]
pub(super) struct HostAddresses(BTreeSet<HostAddress>);

impl HostAddresses {
    /// Reads the records back from the kernel.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn adopt(maps: &Maps) -> Result<Self, DatapathError> {
        let keys: Result<_, _> = maps.host_addresses.keys().collect();
        Ok(Self(keys.map_err(map_error("list", names::MAP_HOST_ADDRESSES))?))
    }

    /// Makes `wanted` all the records. What stays is never missing meanwhile.
    ///
    /// # Errors
    /// The table is full or cannot be written; then some are missing, and none is there that is not wanted.
    pub(super) fn set(
        &mut self,
        maps: &mut Maps,
        wanted: &BTreeSet<HostAddress>,
    ) -> Result<(), DatapathError> {
        let gone: Vec<_> = self.0.difference(wanted).copied().collect();
        for address in gone {
            remove_key(&mut maps.host_addresses, &address, "remove", names::MAP_HOST_ADDRESSES)?;
            self.0.remove(&address);
        }
        let new: Vec<_> = wanted.difference(&self.0).copied().collect();
        for address in new {
            maps.host_addresses.insert(address, PRESENT, 0).map_err(|error| {
                if is_table_full(&error) {
                    let map = names::MAP_HOST_ADDRESSES;
                    return DatapathError::Full { map, capacity: MAX_HOST_ADDRESSES.into() };
                }
                map_error("insert", names::MAP_HOST_ADDRESSES)(error)
            })?;
            self.0.insert(address);
        }
        Ok(())
    }

    /// Records that there are.
    #[must_use]
    pub(super) fn entries(&self) -> u64 {
        self.0.len() as u64
    }
}
