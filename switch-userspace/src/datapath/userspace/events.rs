//! Sampled drops: at most one event a reason, worker and [`EVENT_INTERVAL_NS`], with the number of drops in between.

use std::{io, time::Duration};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use switch_common::{
    DropReason,
    abi::{
        counters::DROPS_PER_SLOT,
        event::{DropEvent, EVENT_BYTES, EVENT_INTERVAL_NS, EventGate},
    },
    units::Nanos,
};

use super::packet::Packet;
use crate::datapath::{DatapathError, EventSource};

/// Events that wait for a reader.
pub(super) const EVENT_ROOM: usize = 2048;

/// One worker's end of the event channel.
#[derive(Debug)]
pub struct DropReporter {
    gates: [EventGate; DROPS_PER_SLOT as usize],
    events: Sender<DropEvent>,
}

impl DropReporter {
    /// A reporter whose first drop of every reason makes an event.
    #[must_use]
    pub fn new(events: Sender<DropEvent>) -> Self {
        Self { gates: [EventGate::default(); DROPS_PER_SLOT as usize], events }
    }

    /// Makes an event of a drop where one is due. What a full channel does not take is told with the next event.
    pub fn report(&mut self, packet: &Packet<'_>, reason: DropReason, now: Nanos) {
        let gate = &mut self.gates[reason as usize];
        if gate.last_ns != 0 && now.0.saturating_sub(gate.last_ns) < EVENT_INTERVAL_NS {
            gate.unreported += 1;
            return;
        }
        let event = drop_event(packet, reason, now, gate.unreported);
        gate.last_ns = now.0;
        gate.unreported = match self.events.try_send(event) {
            Ok(()) => 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => gate.unreported + 1,
        };
    }
}

fn drop_event(packet: &Packet<'_>, reason: DropReason, now: Nanos, unreported: u64) -> DropEvent {
    let mut head = [0; EVENT_BYTES];
    let mut head_len = 0;
    for (slot, byte) in head.iter_mut().zip(packet.bytes) {
        *slot = *byte;
        head_len += 1;
    }
    DropEvent {
        at_ns: now.0,
        unreported,
        port: packet.port,
        reason: reason as u32,
        frame_len: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
        head_len,
        head,
    }
}

/// The reader's end; it fails once the switch has ended.
pub(super) struct ChannelEvents(pub(super) Receiver<DropEvent>);

impl EventSource for ChannelEvents {
    fn next(&mut self, timeout: Duration) -> Result<Option<DropEvent>, DatapathError> {
        match self.0.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(DatapathError::Io {
                op: "read",
                object: String::from("drop events"),
                source: io::ErrorKind::BrokenPipe.into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel;
    use switch_common::abi::addr::PortId;

    use super::*;
    use crate::datapath::userspace::packet::VnetHeader;

    const FRAME: Packet<'_> =
        Packet { port: PortId(3), bytes: &[0xab; 20], tag: None, vnet: VnetHeader::NONE };

    #[test]
    fn a_burst_of_drops_makes_one_event_and_the_next_event_tells_of_the_rest() {
        let (sender, receiver) = channel::bounded(8);
        let mut reporter = DropReporter::new(sender);
        for step in 0..5 {
            reporter.report(&FRAME, DropReason::TooBig, Nanos(1_000 + step));
        }
        reporter.report(&FRAME, DropReason::Isolated, Nanos(1_010));
        reporter.report(&FRAME, DropReason::TooBig, Nanos(1_000 + EVENT_INTERVAL_NS));
        let seen: Vec<_> = receiver.try_iter().map(|event| (event.reason, event.unreported)).collect();
        let (too_big, isolated) = (DropReason::TooBig as u32, DropReason::Isolated as u32);
        assert_eq!(seen, [(too_big, 0), (isolated, 0), (too_big, 4)]);
    }

    #[test]
    fn what_a_full_channel_does_not_take_is_told_later() {
        let (sender, receiver) = channel::bounded(1);
        let mut reporter = DropReporter::new(sender);
        let mut now = Nanos(1);
        for _ in 0..3 {
            reporter.report(&FRAME, DropReason::TooBig, now);
            now.0 += EVENT_INTERVAL_NS;
        }
        assert_eq!(receiver.try_iter().map(|event| event.unreported).collect::<Vec<_>>(), [0]);
        reporter.report(&FRAME, DropReason::TooBig, now);
        assert_eq!(receiver.try_iter().map(|event| event.unreported).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_event_carries_the_beginning_of_a_short_frame_and_its_length() {
        let event = drop_event(&FRAME, DropReason::TooBig, Nanos(9), 0);
        assert_eq!((event.frame_len, event.head_len, event.port), (20, 20, PortId(3)));
        assert_eq!(event.head[..20], [0xab; 20]);
        assert_eq!(event.head[20..], [0; EVENT_BYTES - 20]);
    }
}
