//! The loop guard: ports that are cabled together, directly or by a bridge behind them, are found, and one of them is blocked.
//!
//! Every round a probe goes out of each uplink and of each unguarded endpoint's port. A guarded port can close no loop by itself: it
//! sends nothing that is not its own. Probes pass blocked ports too, so that it is noticed when the cable is gone.

mod judge;
mod probe;

use std::time::{Duration, Instant};

use switch_common::{
    abi::addr::{MacAddr, PortId, Slot},
    stage::vlan::TagChange,
};

use self::{
    judge::{End, Judge},
    probe::{Probe, ProbeKey},
};
use super::{Control, error::ControlError};
use crate::{
    api::types::EventKind,
    datapath::{
        SeenProbe,
        userspace::{Egress as _, Outgoing, Packet, TxSockets, VnetHeader},
    },
    model::{NetworkName, PortRef},
    netns::{Netns, NetnsError},
};

/// From one round to the next.
const ROUND: Duration = Duration::from_secs(1);
/// A probe counts in its own round and in as many later ones: frames may wait long in a storm.
const LATE_ROUNDS: u32 = 2;

/// What the loop guard knows.
pub(super) struct LoopGuard {
    judge: Judge,
    key: ProbeKey,
    round: u32,
    last_round: Option<Instant>,
    sockets: TxSockets,
}

impl LoopGuard {
    /// Knows of no loop yet. Endpoints' ports are in `ports`, uplinks in `host`.
    pub(super) fn open(ports: &Netns, host: &Netns) -> Result<Self, NetnsError> {
        Ok(Self {
            judge: Judge::default(),
            key: ProbeKey::default(),
            round: 0,
            last_round: None,
            sockets: TxSockets::open(ports, host)?,
        })
    }

    /// A port that an earlier daemon has blocked.
    pub(super) fn restore(&mut self, slot: Slot) {
        self.judge.restore(slot, Instant::now());
    }

    /// Forgets a port that is none any more.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.judge.forget(slot);
    }

    /// Whether a port is blocked.
    pub(super) fn blocks(&self, slot: Slot) -> bool {
        self.judge.blocked().any(|(blocked, _)| blocked == slot)
    }
}

/// A port that probes go out of.
struct Probed {
    end: End,
    port: PortId,
    mac: MacAddr,
}

impl Control {
    /// The blocked ports, and what each is cabled to, in words.
    pub(super) fn blocked_ports(&self) -> impl Iterator<Item = (Slot, String)> {
        let name = |slot| self.attached_port(slot).map(|port| port.name());
        self.loops.judge.blocked().map(move |(slot, by)| {
            let by = by.and_then(name).unwrap_or_else(|| String::from("a port that is looked for"));
            (slot, by)
        })
    }

    /// Begins a round where one is due; says when the next one is, where there will be one.
    pub(super) fn probe_if_due(&mut self, now: Instant) -> Option<Instant> {
        let is_due = self.loops.last_round.is_none_or(|last| now.duration_since(last) >= ROUND);
        if is_due {
            let probed = self.probed();
            if probed.is_empty() && self.loops.judge.blocked().next().is_none() {
                return None;
            }
            self.loops.last_round = Some(now);
            self.loops.round = self.loops.round.wrapping_add(1);
            for slot in self.loops.judge.next_round(now) {
                self.tell_unblocked(slot);
            }
            self.send_probes(&probed);
        }
        self.loops.last_round.map(|last| last + ROUND)
    }

    /// Judges a probe that came in.
    pub fn probe_seen(&mut self, seen: &SeenProbe) {
        let Some(probe) = self.loops.key.read(&seen.body) else { return };
        if self.loops.round.wrapping_sub(probe.round) > LATE_ROUNDS {
            return;
        }
        let Some((sender, network)) = self.end(probe.port) else { return };
        let Some((receiver, other)) = self.end(seen.port) else { return };
        if sender.slot != probe.slot || network != other {
            return;
        }
        if let Some(slot) = self.loops.judge.see(sender, receiver, Instant::now()) {
            let by = if slot == sender.slot { receiver.slot } else { sender.slot };
            if let Err(error) = self.block(slot, by) {
                self.loops.forget(slot);
                tracing::error!(%error, "a port that is cabled to another one could not be blocked");
            }
        }
    }

    fn block(&mut self, slot: Slot, by: Slot) -> Result<(), ControlError> {
        self.set_blocked(slot, true)?;
        let (port, by_name) = (self.name_in(slot), self.name_in(by));
        tracing::warn!(%port, by = %by_name, "port is blocked: it is cabled to another one");
        self.hub.publish(EventKind::PortBlocked { port, by: by_name });
        // Who was learned behind either of them may be anywhere.
        let ports: Vec<PortId> =
            [slot, by].iter().filter_map(|slot| Some(self.attached_port(*slot)?.id())).collect();
        self.kernel.forget_learned_at(&ports)
    }

    fn tell_unblocked(&mut self, slot: Slot) {
        if let Err(error) = self.set_blocked(slot, false) {
            tracing::error!(%error, "a port that is not cabled to another one any more could not be unblocked");
            return;
        }
        let port = self.name_in(slot);
        tracing::info!(%port, "port is not blocked any more");
        self.hub.publish(EventKind::PortUnblocked { port });
    }

    fn set_blocked(&mut self, slot: Slot, is_blocked: bool) -> Result<(), ControlError> {
        match self.attached.get(&slot).copied() {
            Some(condition) => self.put_condition(slot, super::Condition { is_blocked, ..condition }),
            None => Ok(()),
        }
    }

    fn name_in(&self, slot: Slot) -> String {
        self.attached_port(slot).map(|port| port.name()).unwrap_or_default()
    }

    /// The attached port with an index, and its network.
    fn end(&self, id: PortId) -> Option<(End, &NetworkName)> {
        let port = self.model.port_by_id(id)?;
        let end = End { slot: port.slot(), is_uplink: matches!(port, PortRef::Uplink { .. }) };
        self.attached.contains_key(&end.slot).then_some((end, port.network()))
    }

    /// The ports that probes go out of.
    fn probed(&self) -> Vec<Probed> {
        let is_probed = |port: &PortRef<'_>| {
            let is_watched =
                self.model.networks.get(port.network()).is_some_and(|network| network.loop_guard);
            let is_up = self.attached.get(&port.slot()).is_some_and(|condition| !condition.is_down);
            is_watched && is_up && (matches!(port, PortRef::Uplink { .. }) || !port.settings().guard)
        };
        self.model.ports().filter(is_probed).map(|port| probed(&port)).collect()
    }

    fn send_probes(&self, probed: &[Probed]) {
        let frames: Vec<Vec<u8>> = probed
            .iter()
            .map(|Probed { end, port, mac }| {
                let probe = Probe { port: *port, slot: end.slot, round: self.loops.round };
                self.loops.key.frame(probe, *mac)
            })
            .collect();
        let outgoing: Vec<Outgoing<'_>> = probed
            .iter()
            .zip(&frames)
            .map(|(Probed { end, port, .. }, bytes)| Outgoing {
                packet: Packet { port: *port, bytes, tag: None, vnet: VnetHeader::NONE },
                to: *port,
                tags: TagChange::NONE,
                slot: end.slot,
                is_uplink: end.is_uplink,
            })
            .collect();
        self.loops.sockets.send(&outgoing, &mut |frame, reason| {
            tracing::debug!(port = frame.to.0, reason = reason.name(), "a probe did not go out");
        });
    }
}

/// A wire knows an uplink's MAC; behind an endpoint's port no station may be mistaken for the sender.
fn probed(port: &PortRef<'_>) -> Probed {
    let is_uplink = matches!(port, PortRef::Uplink { .. });
    let [high, low] = port.slot().0.to_be_bytes();
    let mac = if is_uplink { port.mac() } else { MacAddr::new([0x06, 0x57, 0x59, 0x45, high, low]) };
    Probed { end: End { slot: port.slot(), is_uplink }, port: port.id(), mac }
}
