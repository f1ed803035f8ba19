//! A thread that takes frames out of one ring and switches them. It sleeps while there are none.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use bytes::BytesMut;
use crossbeam::channel::Sender;
use switch_common::{
    DropReason,
    abi::{addr::PortId, addr::Slot, event::DropEvent},
    stage::env::Tables,
    wire::vlan::Tag,
};

use super::{
    clock::MonotonicClock,
    engine::{Engine, SendQueue},
    events::DropReporter,
    packet::{Packet, VnetHeader},
    snoop::Snooper,
    tables::{MemTables, View},
    thread::{Stop, StoppableThread},
    tx::TxSockets,
};
use crate::{
    datapath::{SeenProbe, Snooped},
    sys::{
        packet::{VNET_HEADER_BYTES, take_losses},
        packet_ring::{self, Batch, PacketRing},
        socket,
    },
};

/// Frames that are taken out of the ring in one go.
const RECEIVE_BATCH: usize = 64;

/// A running worker. It ends, and is waited for, when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    _thread: StoppableThread,
}

/// What a worker needs to run.
pub(super) struct Equipment {
    pub(super) ring: PacketRing,
    pub(super) sockets: TxSockets,
    pub(super) tables: Arc<MemTables>,
    pub(super) events: Sender<DropEvent>,
    pub(super) snooped: Sender<Snooped>,
    pub(super) probes: Sender<SeenProbe>,
    /// Where frames are counted that the ring had no room for.
    pub(super) slot: Slot,
}

impl Worker {
    /// Starts a worker in a thread called `name`.
    ///
    /// # Errors
    /// No more threads or descriptors.
    pub(super) fn start(name: String, equipment: Equipment) -> io::Result<Self> {
        let Equipment { ring, sockets, tables, events, snooped, probes, slot } = equipment;
        let socket = ring.try_clone_socket()?;
        let shared = Arc::new(Shared { socket, tables, slot });
        let running = Running {
            shared: Arc::clone(&shared),
            sockets,
            reporter: DropReporter::new(events),
            snooper: Snooper::new(snooped, None),
            probes,
            long_frame: BytesMut::new(),
        };
        let thread = StoppableThread::start(name, move |stop| running.run(ring, &stop))?;
        Ok(Self { shared, _thread: thread })
    }

    /// Brings the count of frames that the ring had no room for up to date.
    pub(super) fn count_losses(&self) {
        self.shared.count_losses();
    }
}

/// What the worker's thread and its owner both use.
#[derive(Debug)]
struct Shared {
    socket: OwnedFd,
    tables: Arc<MemTables>,
    slot: Slot,
}

impl Shared {
    fn count_losses(&self) {
        match take_losses(self.socket.as_fd()) {
            Ok(0) => {}
            Ok(frames) => self.tables.accounts().count_drops(self.slot, DropReason::RxRing, frames.into()),
            Err(error) => tracing::error!(%error, "the losses of a receive ring cannot be read"),
        }
    }
}

/// What the thread alone uses.
struct Running {
    shared: Arc<Shared>,
    sockets: TxSockets,
    reporter: DropReporter,
    snooper: Snooper,
    probes: Sender<SeenProbe>,
    long_frame: BytesMut,
}

impl Running {
    fn run(mut self, mut ring: PacketRing, stop: &Stop) {
        let shared = Arc::clone(&self.shared);
        while !stop.is_requested() {
            let view = shared.tables.view();
            let batch = ring.ready(RECEIVE_BATCH);
            if !batch.is_empty() {
                self.switch(&batch, &view);
                continue;
            }
            drop((batch, view));
            if let Err(error) = wait(&ring, stop) {
                tracing::error!(%error, "a worker of the userspace switch cannot wait for frames and ends");
                return;
            }
        }
    }

    fn switch(&mut self, batch: &Batch<'_>, view: &View<'_>) {
        let Self { shared, sockets, reporter, snooper, probes, long_frame } = self;
        let mut engine =
            Engine { tables: view, clock: &MonotonicClock, egress: sockets, reporter, snooper, probes };
        let mut queue = SendQueue::default();
        for slot in batch.slots() {
            if slot.is_losing {
                shared.count_losses();
            }
            if let Some(packet) = whole_packet(&slot) {
                engine.switch(packet, &mut queue);
                continue;
            }
            // What came before a long frame goes out before it, and it goes out before its buffer is used again.
            engine.flush(&mut queue);
            if let Some(packet) = queued_packet(batch, &slot, long_frame) {
                let mut queue = SendQueue::default();
                engine.switch(packet, &mut queue);
                engine.flush(&mut queue);
            } else {
                let port = view.port(PortId(slot.interface)).map_or(shared.slot, |port| port.slot());
                view.count_drop(port, DropReason::RxRing);
            }
        }
        engine.flush(&mut queue);
    }
}

/// Waits for frames or the end.
fn wait(ring: &PacketRing, stop: &Stop) -> io::Result<()> {
    stop.wait_with(ring.as_fd())?;
    if let Some(error) = socket::take_error(ring.as_fd())? {
        tracing::debug!(%error, "the interface of a receive ring changed");
    }
    Ok(())
}

/// A frame that lies whole in its slot.
fn whole_packet<'b>(slot: &packet_ring::Slot<'b>) -> Option<Packet<'b>> {
    let is_whole = !slot.is_queued && slot.bytes.len() == slot.length;
    let header = slot.vnet_header.filter(|_| is_whole)?;
    Some(packet(slot, header, slot.bytes))
}

/// A frame that lies in the receive queue because it is longer than a slot; `None` where the queue had no room for it.
fn queued_packet<'b>(
    batch: &Batch<'_>,
    slot: &packet_ring::Slot<'_>,
    buffer: &'b mut BytesMut,
) -> Option<Packet<'b>> {
    if !slot.is_queued {
        return None;
    }
    let length = VNET_HEADER_BYTES + slot.length;
    buffer.resize(buffer.len().max(length), 0);
    let received = batch.receive_queued(buffer).ok()?;
    let (header, bytes) = buffer.get(..received)?.split_first_chunk()?;
    Some(packet(slot, *header, bytes))
}

fn packet<'b>(slot: &packet_ring::Slot<'_>, header: [u8; VNET_HEADER_BYTES], bytes: &'b [u8]) -> Packet<'b> {
    Packet {
        port: PortId(slot.interface),
        bytes,
        tag: slot.tag.map(|(tpid, tci)| Tag { tpid, tci }),
        vnet: VnetHeader::new(header),
    }
}
