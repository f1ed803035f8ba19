//! What is counted by slot: traffic, drops, learned MACs, storm control. Shared by all workers, so every number is atomic.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use switch_common::{
    DropReason, FloodKind,
    abi::{
        MAX_SLOTS,
        addr::Slot,
        counters::{DROPS_PER_SLOT, PortCounters},
        port::PortState,
        storm::{GATES_PER_SLOT, StormGate, StormLimit, StormLimits},
    },
    units::Nanos,
};

/// The numbers of one slot.
#[derive(Debug)]
struct Account {
    rx_frames: AtomicU64,
    rx_bytes: AtomicU64,
    tx_frames: AtomicU64,
    tx_bytes: AtomicU64,
    learned: AtomicU64,
    not_learned: AtomicU64,
    drops: [AtomicU64; DROPS_PER_SLOT as usize],
    gates: [Gate; GATES_PER_SLOT as usize],
}

/// A [`StormGate`].
#[derive(Debug)]
struct Gate {
    limit: AtomicU64,
    paid_at: AtomicU64,
}

impl Gate {
    /// Replaces the account `known` by `next`; says `false` where it is another one by now.
    fn exchange(&self, known: Nanos, next: Nanos) -> bool {
        self.paid_at.compare_exchange(known.0, next.0, Relaxed, Relaxed).is_ok()
    }
}

impl Account {
    const fn new() -> Self {
        Self {
            rx_frames: AtomicU64::new(0),
            rx_bytes: AtomicU64::new(0),
            tx_frames: AtomicU64::new(0),
            tx_bytes: AtomicU64::new(0),
            learned: AtomicU64::new(0),
            not_learned: AtomicU64::new(0),
            drops: [const { AtomicU64::new(0) }; DROPS_PER_SLOT as usize],
            gates: [const { Gate { limit: AtomicU64::new(0), paid_at: AtomicU64::new(0) } };
                GATES_PER_SLOT as usize],
        }
    }
}

/// The numbers of all slots. A slot that the switch has no room for is counted nowhere and learns nothing.
#[derive(Debug)]
pub struct Accounts {
    slots: Box<[Account]>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { slots: (0..MAX_SLOTS).map(|_| Account::new()).collect() }
    }
}

impl Accounts {
    /// Memory that they take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        size_of_val(&*self.slots) as u64
    }

    /// Counts a frame that came in.
    pub fn count_rx(&self, slot: Slot, bytes: u32) {
        if let Some(account) = self.get(slot) {
            account.rx_frames.fetch_add(1, Relaxed);
            account.rx_bytes.fetch_add(u64::from(bytes), Relaxed);
        }
    }

    /// Counts a frame that goes out.
    pub fn count_tx(&self, slot: Slot, bytes: u32) {
        if let Some(account) = self.get(slot) {
            account.tx_frames.fetch_add(1, Relaxed);
            account.tx_bytes.fetch_add(u64::from(bytes), Relaxed);
        }
    }

    /// Takes a counted frame back that did not go out after all.
    pub fn uncount_tx(&self, slot: Slot, bytes: u32) {
        if let Some(account) = self.get(slot) {
            account.tx_frames.fetch_sub(1, Relaxed);
            account.tx_bytes.fetch_sub(u64::from(bytes), Relaxed);
        }
    }

    /// Counts `frames` drops.
    pub fn count_drops(&self, slot: Slot, reason: DropReason, frames: u64) {
        if let Some(account) = self.get(slot) {
            account.drops[reason as usize].fetch_add(frames, Relaxed);
        }
    }

    /// Adds one learned MAC unless the slot holds `cap` already (0: no cap).
    pub fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        let Some(account) = self.get(slot) else { return false };
        let room = |learned| (cap == 0 || learned < u64::from(cap)).then_some(learned + 1);
        account.learned.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    /// Takes one learned MAC off.
    pub fn release_learned(&self, slot: Slot) {
        if let Some(account) = self.get(slot) {
            account.learned.fetch_sub(1, Relaxed);
        }
    }

    /// Notes a source that was not learned for want of room.
    pub fn count_not_learned(&self, slot: Slot) {
        if let Some(account) = self.get(slot) {
            account.not_learned.fetch_add(1, Relaxed);
        }
    }

    /// Sets a slot's limits. The account of a limit that changes begins anew.
    pub fn set_storm(&self, slot: Slot, limits: StormLimits) {
        for kind in FloodKind::ALL {
            let Some(gate) = self.gate(slot, kind) else { return };
            let limit = limits.of(kind).to_bits();
            if gate.limit.swap(limit, Relaxed) != limit {
                gate.paid_at.store(0, Relaxed);
            }
        }
    }

    /// A slot's gate for a kind of flood; an open one where there is no such slot.
    #[must_use]
    pub fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        let open = StormGate::default();
        self.gate(slot, kind).map_or(open, |gate| {
            let limit = StormLimit::from_bits(gate.limit.load(Relaxed));
            StormGate::new(limit, Nanos(gate.paid_at.load(Relaxed)))
        })
    }

    /// Replaces the account `known` by `next`; says `false` where it is another one by now.
    pub fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        self.gate(slot, kind).is_some_and(|gate| gate.exchange(known, next))
    }

    /// A slot's account of ICMP errors.
    #[must_use]
    pub fn error_account(&self, slot: Slot) -> Nanos {
        Nanos(self.error_gate(slot).map_or(0, |gate| gate.paid_at.load(Relaxed)))
    }

    /// Replaces the account `known` of ICMP errors by `next`; says `false` where it is another one by now.
    pub fn error_charge(&self, slot: Slot, known: Nanos, next: Nanos) -> bool {
        self.error_gate(slot).is_some_and(|gate| gate.exchange(known, next))
    }

    /// Traffic of a slot.
    #[must_use]
    pub fn counters(&self, slot: Slot) -> PortCounters {
        self.get(slot).map_or_else(PortCounters::default, |account| PortCounters {
            rx_frames: account.rx_frames.load(Relaxed),
            rx_bytes: account.rx_bytes.load(Relaxed),
            tx_frames: account.tx_frames.load(Relaxed),
            tx_bytes: account.tx_bytes.load(Relaxed),
        })
    }

    /// Drops of a slot; reasons without drops are left out.
    #[must_use]
    pub fn drops(&self, slot: Slot) -> Vec<(DropReason, u64)> {
        let Some(account) = self.get(slot) else { return Vec::new() };
        let count = |reason: DropReason| account.drops[reason as usize].load(Relaxed);
        DropReason::ALL
            .iter()
            .map(|reason| (*reason, count(*reason)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Learned MACs of a slot.
    #[must_use]
    pub fn state(&self, slot: Slot) -> PortState {
        self.get(slot).map_or_else(PortState::default, |account| PortState {
            learned: account.learned.load(Relaxed),
            not_learned: account.not_learned.load(Relaxed),
            ..PortState::default()
        })
    }

    /// Learned MACs of all slots.
    #[must_use]
    pub fn learned(&self) -> u64 {
        self.slots.iter().map(|account| account.learned.load(Relaxed)).sum()
    }

    /// Sets a slot to zero for its next port.
    pub fn clear(&self, slot: Slot) {
        let Some(account) = self.get(slot) else { return };
        let Account { rx_frames, rx_bytes, tx_frames, tx_bytes, learned, not_learned, drops, gates } =
            account;
        let counts = [rx_frames, rx_bytes, tx_frames, tx_bytes, learned, not_learned];
        let gates = gates.iter().flat_map(|gate| [&gate.limit, &gate.paid_at]);
        for number in counts.into_iter().chain(drops).chain(gates) {
            number.store(0, Relaxed);
        }
    }

    fn gate(&self, slot: Slot, kind: FloodKind) -> Option<&Gate> {
        self.get(slot).map(|account| &account.gates[kind as usize])
    }

    fn error_gate(&self, slot: Slot) -> Option<&Gate> {
        self.get(slot)?.gates.last()
    }

    fn get(&self, slot: Slot) -> Option<&Account> {
        self.slots.get(usize::from(slot.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(7);

    #[test]
    fn a_cap_of_two_lets_two_claims_through_and_a_release_makes_room() {
        let accounts = Accounts::default();
        assert!(accounts.claim_learned(SLOT, 2));
        assert!(accounts.claim_learned(SLOT, 2));
        assert!(!accounts.claim_learned(SLOT, 2));
        accounts.release_learned(SLOT);
        assert!(accounts.claim_learned(SLOT, 2));
        assert_eq!(accounts.state(SLOT).learned, 2);
        assert_eq!(accounts.learned(), 2);
    }

    #[test]
    fn a_cleared_slot_has_no_numbers_left_and_its_neighbour_keeps_them() {
        let accounts = Accounts::default();
        for slot in [SLOT, Slot(8)] {
            accounts.count_rx(slot, 100);
            accounts.count_tx(slot, 100);
            accounts.count_drops(slot, DropReason::TooBig, 3);
            accounts.count_not_learned(slot);
            assert!(accounts.claim_learned(slot, 0));
        }
        accounts.clear(SLOT);
        assert_eq!(accounts.counters(SLOT), PortCounters::default());
        assert_eq!(accounts.state(SLOT), PortState::default());
        assert_eq!(accounts.drops(SLOT), []);
        assert_eq!(accounts.drops(Slot(8)), [(DropReason::TooBig, 3)]);
        assert_eq!(accounts.counters(Slot(8)).rx_bytes, 100);
    }

    #[test]
    fn a_limit_that_changes_begins_a_new_account_and_one_that_stays_keeps_its_own() {
        let accounts = Accounts::default();
        let limits = StormLimits {
            broadcast: StormLimit::new(10, 5),
            multicast: StormLimit::new(10, 5),
            ..StormLimits::NONE
        };
        accounts.set_storm(SLOT, limits);
        for kind in FloodKind::ALL {
            assert!(accounts.storm_charge(SLOT, kind, Nanos(0), Nanos(7)));
            assert!(!accounts.storm_charge(SLOT, kind, Nanos(0), Nanos(8)));
        }
        accounts.set_storm(SLOT, StormLimits { broadcast: StormLimit::new(20, 5), ..limits });
        let paid_at = |kind| accounts.storm_gate(SLOT, kind).paid_at();
        assert_eq!(paid_at(FloodKind::Broadcast), Nanos(0));
        assert_eq!(paid_at(FloodKind::Multicast), Nanos(7));
        accounts.clear(SLOT);
        assert_eq!(accounts.storm_gate(SLOT, FloodKind::Multicast), StormGate::default());
    }

    #[test]
    fn a_slot_out_of_range_is_counted_nowhere() {
        let accounts = Accounts::default();
        accounts.count_rx(Slot(u16::MAX), 1);
        assert!(!accounts.claim_learned(Slot(u16::MAX), 0));
        assert_eq!(accounts.counters(Slot(u16::MAX)), PortCounters::default());
    }
}
