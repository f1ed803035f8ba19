//! The records of sources that ports may use beside their own.

use std::collections::BTreeMap;

use switch_common::abi::{
    addr::Slot,
    names,
    source::{SourceKey, SourceScope},
};

use super::maps::{Maps, map_error, remove_key};
use crate::datapath::DatapathError;

/// Which records each slot has.
#[derive(Debug, Default)]
pub(super) struct Sources {
    slots: BTreeMap<Slot, Vec<SourceKey>>,
}

impl Sources {
    /// Reads the records back from the kernel.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn adopt(maps: &Maps) -> Result<Self, DatapathError> {
        let mut sources = Self::default();
        for key in maps.sources.keys() {
            let key = key.map_err(map_error("list", names::MAP_SOURCES))?;
            sources.slots.entry(key.slot()).or_default().push(key);
        }
        Ok(sources)
    }

    /// Makes `wanted` the records of a slot. What stays is never missing meanwhile.
    ///
    /// # Errors
    /// The table is full or cannot be written; then the slot has some of them.
    pub(super) fn set(
        &mut self,
        maps: &mut Maps,
        slot: Slot,
        wanted: &[(SourceKey, SourceScope)],
    ) -> Result<(), DatapathError> {
        let before = self.slots.remove(&slot).unwrap_or_default();
        let mut present = before.clone();
        let changed = Self::change(maps, &before, &mut present, wanted);
        if !present.is_empty() {
            self.slots.insert(slot, present);
        }
        changed
    }

    /// Records of all slots.
    #[must_use]
    pub(super) fn entries(&self) -> u64 {
        self.slots.values().map(Vec::len).sum::<usize>() as u64
    }

    fn change(
        maps: &mut Maps,
        before: &[SourceKey],
        present: &mut Vec<SourceKey>,
        wanted: &[(SourceKey, SourceScope)],
    ) -> Result<(), DatapathError> {
        for (key, scope) in wanted {
            maps.sources.insert(key, *scope as u32, 0).map_err(map_error("insert", names::MAP_SOURCES))?;
            if !present.contains(key) {
                present.push(*key);
            }
        }
        for key in before.iter().filter(|key| wanted.iter().all(|(wanted, _)| wanted != *key)) {
            remove_key(&mut maps.sources, key, "remove", names::MAP_SOURCES)?;
            present.retain(|other| other != key);
        }
        Ok(())
    }
}
