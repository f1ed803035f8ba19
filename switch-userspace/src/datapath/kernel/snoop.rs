//! Membership messages: the kernel's ring of copies and the slow path's copies as one stream.

use std::{io, os::fd::AsFd as _, path::Path, time::Duration};

use aya::maps::{Map, MapData, RingBuf};
use crossbeam::channel::{self, Receiver};
use switch_common::{
    abi::{group::SnoopRecord, names::MAP_SNOOPED},
    units::Nanos,
    wire::vlan::VlanId,
};

use super::maps::map_error;
use crate::{
    datapath::{
        DatapathError, SnoopSource, Snooped,
        userspace::{SNOOP_ROOM, Snooper},
    },
    sys::{self, wake::Wake},
};

/// The reader's end of the slow path's copies: a channel, and a wake for the reader.
#[derive(Debug)]
pub(super) struct SlowSnoops {
    copies: Receiver<Snooped>,
    wake: Wake,
}

impl SlowSnoops {
    /// Both ends.
    ///
    /// # Errors
    /// No more descriptors.
    pub(super) fn new() -> io::Result<(Snooper, Self)> {
        let wake = Wake::new()?;
        let (sender, copies) = channel::bounded(SNOOP_ROOM);
        Ok((Snooper::new(sender, Some(wake.try_clone()?)), Self { copies, wake }))
    }

    /// The same end for another reader.
    ///
    /// # Errors
    /// No more descriptors.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { copies: self.copies.clone(), wake: self.wake.try_clone()? })
    }
}

/// Reader of both.
pub(super) struct KernelSnoops {
    ring: RingBuf<MapData>,
    slow: SlowSnoops,
}

impl KernelSnoops {
    /// Opens the pinned ring.
    ///
    /// # Errors
    /// The pin cannot be opened.
    pub(super) fn open(maps_dir: &Path, slow: SlowSnoops) -> Result<Self, DatapathError> {
        let data = MapData::from_pin(maps_dir.join(MAP_SNOOPED)).map_err(map_error("open", MAP_SNOOPED))?;
        let map = Map::from_map_data(data).map_err(map_error("open", MAP_SNOOPED))?;
        Ok(Self { ring: RingBuf::try_from(map).map_err(map_error("open", MAP_SNOOPED))?, slow })
    }

    fn take(&mut self) -> Option<Snooped> {
        let slow = self.slow.copies.try_recv().ok();
        slow.or_else(|| self.ring.next().and_then(|record| sys::pod::read(&record)).and_then(copy))
    }
}

impl SnoopSource for KernelSnoops {
    fn next(&mut self, timeout: Duration) -> Result<Option<Snooped>, DatapathError> {
        if let Some(copy) = self.take() {
            return Ok(Some(copy));
        }
        let waited = sys::socket::wait_first([self.ring.as_fd(), self.slow.wake.as_fd()], Some(timeout));
        waited.map_err(|source| DatapathError::Io {
            op: "wait for",
            object: String::from("membership messages"),
            source,
        })?;
        self.slow.wake.clear();
        Ok(self.take())
    }
}

fn copy(record: SnoopRecord) -> Option<Snooped> {
    Some(Snooped {
        at: Nanos(record.at_ns),
        port: record.port,
        vlan: VlanId::new(record.vlan)?,
        packet: record.packet.get(..record.len.into())?.into(),
    })
}
