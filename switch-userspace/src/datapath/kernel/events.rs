//! The kernel's event ring as a stream.

use std::{os::fd::AsFd as _, path::Path, time::Duration};

use aya::maps::{Map, MapData, RingBuf};
use switch_common::abi::{event::DropEvent, names::MAP_EVENTS};

use super::maps::map_error;
use crate::{
    datapath::{DatapathError, EventSource},
    sys,
};

/// Reader of the event ring.
pub(super) struct RingEvents {
    ring: RingBuf<MapData>,
}

impl RingEvents {
    /// Opens the pinned ring.
    ///
    /// # Errors
    /// The pin cannot be opened.
    pub(super) fn open(maps_dir: &Path) -> Result<Self, DatapathError> {
        let data = MapData::from_pin(maps_dir.join(MAP_EVENTS)).map_err(map_error("open", MAP_EVENTS))?;
        let map = Map::from_map_data(data).map_err(map_error("open", MAP_EVENTS))?;
        Ok(Self { ring: RingBuf::try_from(map).map_err(map_error("open", MAP_EVENTS))? })
    }

    fn take(&mut self) -> Option<DropEvent> {
        self.ring.next().and_then(|record| sys::pod::read(&record))
    }
}

impl EventSource for RingEvents {
    fn next(&mut self, timeout: Duration) -> Result<Option<DropEvent>, DatapathError> {
        if let Some(event) = self.take() {
            return Ok(Some(event));
        }
        sys::socket::wait_readable(self.ring.as_fd(), Some(timeout)).map_err(|source| DatapathError::Io {
            op: "wait for",
            object: String::from("the event ring"),
            source,
        })?;
        Ok(self.take())
    }
}
