//! Which of two ports that are cabled together is blocked. Pure.
//!
//! Rules: an uplink stays, where there is one; of two uplinks, the one with the lower slot stays. Of two endpoints' ports the one
//! that a probe came in on is blocked, never its sender, so that nobody who hears a probe can turn it against others; a cable
//! carries probes both ways, and the lower slot stays. A probe that comes in where it went out blocks an endpoint's port, which sends back
//! what it is sent; on an uplink it is the wire's business.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use switch_common::abi::addr::Slot;

/// How long no probe has come in before a cable is taken to be gone.
pub(super) const QUIET: Duration = Duration::from_secs(4);

/// A port as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) slot: Slot,
    pub(super) is_uplink: bool,
}

/// A blocked port.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// The port that it is cabled to; not known of one that an earlier daemon blocked.
    by: Option<Slot>,
    seen: Instant,
}

/// The ports that are blocked, and what was seen of others.
#[derive(Debug, Default)]
pub(super) struct Judge {
    blocked: BTreeMap<Slot, Block>,
    /// Sender and receiver of probes that came in on the lower of two endpoints' ports in this round, and in the one before.
    suspects: BTreeSet<(Slot, Slot)>,
    suspects_before: BTreeSet<(Slot, Slot)>,
}

impl Judge {
    /// Notes that a probe of `sender` came in on `receiver`. Returns the port that is to be blocked, if any.
    pub(super) fn see(&mut self, sender: End, receiver: End, now: Instant) -> Option<Slot> {
        if self.refresh(sender.slot, receiver.slot, now) {
            return None;
        }
        let loser = self.loser(sender, receiver)?;
        let by = if loser == sender.slot { receiver.slot } else { sender.slot };
        self.blocked.insert(loser, Block { by: Some(by), seen: now });
        Some(loser)
    }

    /// A port that an earlier daemon has blocked.
    pub(super) fn restore(&mut self, slot: Slot, now: Instant) {
        self.blocked.insert(slot, Block { by: None, seen: now });
    }

    /// Begins the next round. Returns the ports that nothing came in to any more: they are blocked no longer.
    pub(super) fn next_round(&mut self, now: Instant) -> Vec<Slot> {
        self.suspects_before = std::mem::take(&mut self.suspects);
        let quiet = |block: &Block| now.duration_since(block.seen) >= QUIET;
        let free: Vec<Slot> =
            self.blocked.iter().filter(|(_, block)| quiet(block)).map(|(slot, _)| *slot).collect();
        self.blocked.retain(|_, block| !quiet(block));
        free
    }

    /// Forgets a port that is none any more.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.blocked.remove(&slot);
    }

    /// The blocked ports, and those that they are cabled to.
    pub(super) fn blocked(&self) -> impl Iterator<Item = (Slot, Option<Slot>)> {
        self.blocked.iter().map(|(slot, block)| (*slot, block.by))
    }

    /// Where one of two ports is blocked, the cable between them does no harm, and keeps it blocked. Where both are, to a third, the
    /// higher one stays so should the third leave.
    fn refresh(&mut self, sender: Slot, receiver: Slot, now: Instant) -> bool {
        let is_blocked = |slot| self.blocked.contains_key(&slot);
        let (kept, by) = match (is_blocked(sender), is_blocked(receiver)) {
            (false, false) => return false,
            (true, false) => (sender, receiver),
            (false, true) => (receiver, sender),
            (true, true) if sender == receiver => (sender, sender),
            (true, true) => (sender.max(receiver), sender.min(receiver)),
        };
        if let Some(block) = self.blocked.get_mut(&kept) {
            *block = Block { by: Some(by), seen: now };
        }
        true
    }

    fn loser(&mut self, sender: End, receiver: End) -> Option<Slot> {
        match (sender.is_uplink, receiver.is_uplink) {
            (true, true) if sender == receiver => None,
            (true, true) => Some(sender.slot.max(receiver.slot)),
            (false, true) => Some(sender.slot),
            (true, false) => Some(receiver.slot),
            (false, false) if receiver.slot >= sender.slot => Some(receiver.slot),
            // A probe of the lower one is on its way to the higher one, unless the cable carries frames one way only.
            (false, false) => {
                let pair = (sender.slot, receiver.slot);
                self.suspects.insert(pair);
                self.suspects_before.contains(&pair).then_some(receiver.slot)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(slot: u16) -> End {
        End { slot: Slot(slot), is_uplink: false }
    }

    fn uplink(slot: u16) -> End {
        End { slot: Slot(slot), is_uplink: true }
    }

    fn blocked(judge: &Judge) -> Vec<u16> {
        judge.blocked().map(|(slot, _)| slot.0).collect()
    }

    #[test]
    fn of_two_endpoints_the_higher_one_is_blocked_whichever_probe_comes_first() {
        for first in [(3, 5), (5, 3)] {
            let (mut judge, now) = (Judge::default(), Instant::now());
            judge.see(endpoint(first.0), endpoint(first.1), now);
            judge.see(endpoint(first.1), endpoint(first.0), now);
            assert_eq!(blocked(&judge), [5], "{first:?}");
        }
    }

    #[test]
    fn an_uplink_stays_and_of_two_the_first() {
        for (sender, receiver, loser) in [
            (uplink(9), endpoint(2), Some(Slot(2))),
            (endpoint(2), uplink(9), Some(Slot(2))),
            (uplink(9), uplink(2), Some(Slot(9))),
            (uplink(2), uplink(9), Some(Slot(9))),
            (uplink(2), uplink(2), None),
            (endpoint(2), endpoint(2), Some(Slot(2))),
        ] {
            let mut judge = Judge::default();
            assert_eq!(judge.see(sender, receiver, Instant::now()), loser, "{sender:?} {receiver:?}");
        }
    }

    #[test]
    fn a_cable_that_carries_frames_one_way_to_the_lower_port_is_found_in_the_second_round() {
        let (mut judge, now) = (Judge::default(), Instant::now());
        for _ in 0..2 {
            assert_eq!(judge.see(endpoint(5), endpoint(3), now), None);
        }
        judge.next_round(now);
        assert_eq!(judge.see(endpoint(5), endpoint(3), now), Some(Slot(3)));
    }

    #[test]
    fn a_block_lasts_while_probes_come_in_either_way_and_ends_when_they_do_not() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.see(endpoint(3), endpoint(5), start);
        let later = start + QUIET / 2;
        assert_eq!(judge.see(endpoint(5), endpoint(3), later), None);
        assert!(judge.next_round(start + QUIET).is_empty());
        assert_eq!(judge.next_round(later + QUIET), [Slot(5)]);
        assert!(blocked(&judge).is_empty());
    }

    #[test]
    fn of_three_that_are_cabled_together_one_stays_open_at_any_time() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        let all = |judge: &mut Judge, ends: &[u16], now| {
            for sender in ends {
                for receiver in ends.iter().filter(|receiver| *receiver != sender) {
                    judge.see(endpoint(*sender), endpoint(*receiver), now);
                }
            }
        };
        all(&mut judge, &[1, 2, 3], start);
        assert_eq!(blocked(&judge), [2, 3]);
        let later = start + QUIET / 2;
        all(&mut judge, &[2, 3], later);
        judge.next_round(start + QUIET);
        assert_eq!(blocked(&judge), [3]);
    }

    #[test]
    fn what_an_earlier_daemon_blocked_is_judged_anew() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.restore(Slot(5), start);
        assert_eq!(judge.blocked().collect::<Vec<_>>(), [(Slot(5), None)]);
        assert_eq!(judge.see(endpoint(3), endpoint(5), start + QUIET / 2), None);
        assert_eq!(judge.blocked().collect::<Vec<_>>(), [(Slot(5), Some(Slot(3)))]);
        assert_eq!(judge.next_round(start + 2 * QUIET), [Slot(5)]);
    }
}
