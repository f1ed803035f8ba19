//! What is counted by slot: traffic, drops, learned MACs. Shared by all workers, so every number is atomic.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use switch_common::{
    DropReason,
    abi::{
        MAX_SLOTS,
        addr::Slot,
        counters::{DROPS_PER_SLOT, PortCounters},
        port::PortState,
    },
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
        let Account { rx_frames, rx_bytes, tx_frames, tx_bytes, learned, not_learned, drops } = account;
        for number in
            [rx_frames, rx_bytes, tx_frames, tx_bytes, learned, not_learned].into_iter().chain(drops)
        {
            number.store(0, Relaxed);
        }
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
    fn a_slot_out_of_range_is_counted_nowhere() {
        let accounts = Accounts::default();
        accounts.count_rx(Slot(u16::MAX), 1);
        assert!(!accounts.claim_learned(Slot(u16::MAX), 0));
        assert_eq!(accounts.counters(Slot(u16::MAX)), PortCounters::default());
    }
}
