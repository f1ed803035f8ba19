//! The kernel's event ring and the slow path's events as one stream.

use std::{io, os::fd::AsFd as _, path::Path, time::Duration};

use aya::maps::{Map, MapData, RingBuf};
use crossbeam::channel::{self, Receiver, Sender};
use switch_common::abi::{event::DropEvent, names::MAP_EVENTS};

use super::maps::map_error;
use crate::{
    datapath::{DatapathError, EventSource, PROBE_ROOM, SeenProbe},
    sys::{self, wake::Wake},
};

/// Events of the slow path that wait for a reader.
const SLOW_EVENTS: usize = 256;

/// The reader's end of the slow path's stream: events in a channel, and a wake for the reader.
#[derive(Debug)]
pub(super) struct SlowEvents {
    /// The events.
    pub(super) events: Receiver<DropEvent>,
    /// Readable when there are some.
    pub(super) wake: Wake,
}

impl SlowEvents {
    /// The same end for another reader.
    ///
    /// # Errors
    /// No more descriptors.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { events: self.events.clone(), wake: self.wake.try_clone()? })
    }
}

/// The slow path's own end: where its events go in.
#[derive(Debug)]
pub(super) struct Reported {
    /// Events.
    pub(super) events: Sender<DropEvent>,
    /// Probes of loop guards.
    pub(super) probes: Sender<SeenProbe>,
    wake: Wake,
}

impl Reported {
    /// Wakes the reader where there is something to read.
    pub(super) fn notify(&self) {
        if !self.events.is_empty() {
            self.wake.notify();
        }
    }
}

/// Both ends of the slow path's stream, and the far end of that of probes.
///
/// # Errors
/// No more descriptors.
pub(super) fn slow_events() -> Result<(Reported, SlowEvents, Receiver<SeenProbe>), DatapathError> {
    let failed =
        |source| DatapathError::Io { op: "make", object: String::from("an event descriptor"), source };
    let wake = Wake::new().map_err(failed)?;
    let (sender, receiver) = channel::bounded(SLOW_EVENTS);
    let (probes, seen) = channel::bounded(PROBE_ROOM);
    let reported = Reported { events: sender, probes, wake: wake.try_clone().map_err(failed)? };
    Ok((reported, SlowEvents { events: receiver, wake }, seen))
}

/// Reader of the event ring and of the slow path's events.
pub(super) struct KernelEvents {
    ring: RingBuf<MapData>,
    slow: SlowEvents,
}

impl KernelEvents {
    /// Opens the pinned ring.
    ///
    /// # Errors
    /// The pin cannot be opened.
    pub(super) fn open(maps_dir: &Path, slow: SlowEvents) -> Result<Self, DatapathError> {
        let data = MapData::from_pin(maps_dir.join(MAP_EVENTS)).map_err(map_error("open", MAP_EVENTS))?;
        let map = Map::from_map_data(data).map_err(map_error("open", MAP_EVENTS))?;
        Ok(Self { ring: RingBuf::try_from(map).map_err(map_error("open", MAP_EVENTS))?, slow })
    }

    fn take(&mut self) -> Option<DropEvent> {
        let slow = self.slow.events.try_recv().ok();
        slow.or_else(|| self.ring.next().and_then(|record| sys::pod::read(&record)))
    }
}

impl EventSource for KernelEvents {
    fn next(&mut self, timeout: Duration) -> Result<Option<DropEvent>, DatapathError> {
        if let Some(event) = self.take() {
            return Ok(Some(event));
        }
        let waited = sys::socket::wait_first([self.ring.as_fd(), self.slow.wake.as_fd()], Some(timeout));
        waited.map_err(|source| DatapathError::Io {
            op: "wait for",
            object: String::from("the event ring"),
            source,
        })?;
        self.slow.wake.clear();
        Ok(self.take())
    }
}
