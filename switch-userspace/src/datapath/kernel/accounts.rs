//! Counters and storm control, which kernel programs and this process change at the same time: memory-mapped arrays, atomic
//! operations only.

use std::{
    os::fd::AsFd as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use aya::Ebpf;
use switch_common::{
    DropReason, FloodKind,
    abi::{
        MAX_SLOTS,
        addr::Slot,
        counters::{DROPS_PER_SLOT, drop_index},
        names,
        port::PortState,
        storm::{GATES_PER_SLOT, StormGate, StormLimit, StormLimits, gate_index},
    },
    units::Nanos,
};

use super::maps::data_of;
use crate::{datapath::DatapathError, sys::shm::SharedWords};

/// 64-bit words of a [`PortState`], in the order of its fields.
const STATE_WORDS: usize = size_of::<PortState>() / size_of::<u64>();
const LEARNED: usize = 0;
const NOT_LEARNED: usize = 1;
const SLOW_TX_FRAMES: usize = 2;
const SLOW_TX_BYTES: usize = 3;
/// 64-bit words of a [`StormGate`]: its limit, then its account.
const GATE_WORDS: usize = size_of::<StormGate>() / size_of::<u64>();

/// The accounts of all slots.
#[derive(Debug)]
pub(super) struct Accounts {
    states: SharedWords,
    drops: SharedWords,
    gates: SharedWords,
}

impl Accounts {
    /// Maps the arrays of a loaded object.
    ///
    /// # Errors
    /// They are missing or cannot be mapped.
    pub(super) fn map(ebpf: &Ebpf) -> Result<Self, DatapathError> {
        let slots = MAX_SLOTS as usize;
        Ok(Self {
            states: share(ebpf, names::MAP_PORT_STATE, slots * STATE_WORDS)?,
            drops: share(ebpf, names::MAP_DROPS, slots * DROPS_PER_SLOT as usize)?,
            gates: share(ebpf, names::MAP_STORM, slots * GATES_PER_SLOT as usize * GATE_WORDS)?,
        })
    }

    /// A slot's account.
    pub(super) fn state(&self, slot: Slot) -> PortState {
        let word = |field| self.word(slot, field).map_or(0, |word| word.load(Relaxed));
        PortState {
            learned: word(LEARNED),
            not_learned: word(NOT_LEARNED),
            slow_tx_frames: word(SLOW_TX_FRAMES),
            slow_tx_bytes: word(SLOW_TX_BYTES),
        }
    }

    /// MACs learned at all ports; accounts that are off and below zero count as none.
    pub(super) fn learned_total(&self) -> u64 {
        let slots = (0..MAX_SLOTS as usize).map(|slot| self.states.word(slot * STATE_WORDS + LEARNED));
        slots.flatten().map(|word| word.load(Relaxed).cast_signed().max(0).cast_unsigned()).sum()
    }

    /// Adds one learned MAC unless the account holds `cap` already (0: no cap).
    pub(super) fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        let Some(learned) = self.word(slot, LEARNED) else { return false };
        if learned.fetch_add(1, Relaxed).cast_signed() >= i64::from(cap) && cap != 0 {
            learned.fetch_sub(1, Relaxed);
            return false;
        }
        true
    }

    /// Takes one learned MAC off.
    pub(super) fn release_learned(&self, slot: Slot) {
        if let Some(learned) = self.word(slot, LEARNED) {
            learned.fetch_sub(1, Relaxed);
        }
    }

    /// Adds to the learned MACs, or takes some off.
    pub(super) fn correct_learned(&self, slot: Slot, by: i64) {
        if let Some(learned) = self.word(slot, LEARNED) {
            learned.fetch_add(by.cast_unsigned(), Relaxed);
        }
    }

    /// Notes a source that was not learned for want of room.
    pub(super) fn count_not_learned(&self, slot: Slot) {
        if let Some(count) = self.word(slot, NOT_LEARNED) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Counts a frame that the slow path delivers.
    pub(super) fn count_slow_tx(&self, slot: Slot, bytes: u32) {
        if let (Some(frames), Some(sum)) = (self.word(slot, SLOW_TX_FRAMES), self.word(slot, SLOW_TX_BYTES)) {
            frames.fetch_add(1, Relaxed);
            sum.fetch_add(u64::from(bytes), Relaxed);
        }
    }

    /// Takes back a frame that the slow path could not deliver after all.
    pub(super) fn uncount_slow_tx(&self, slot: Slot, bytes: u32) {
        if let (Some(frames), Some(sum)) = (self.word(slot, SLOW_TX_FRAMES), self.word(slot, SLOW_TX_BYTES)) {
            frames.fetch_sub(1, Relaxed);
            sum.fetch_sub(u64::from(bytes), Relaxed);
        }
    }

    /// Counts a drop.
    pub(super) fn count_drop(&self, slot: Slot, reason: DropReason) {
        if let Some(count) = self.drops.word(drop_index(slot, reason) as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Sets a slot's limits. The account of a limit that changes begins anew.
    pub(super) fn set_storm(&self, slot: Slot, limits: StormLimits) {
        for kind in FloodKind::ALL {
            let Some((limit, paid_at)) = self.gate(slot, kind) else { return };
            let wanted = limits.of(kind).to_bits();
            if limit.swap(wanted, Relaxed) != wanted {
                paid_at.store(0, Relaxed);
            }
        }
    }

    /// A slot's gate for a kind of flood; an open one where there is no such slot.
    pub(super) fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        self.gate(slot, kind).map_or(StormGate::default(), |(limit, paid_at)| {
            StormGate::new(StormLimit::from_bits(limit.load(Relaxed)), Nanos(paid_at.load(Relaxed)))
        })
    }

    /// Replaces the account `known` by `next`; says `false` where it is another one by now.
    pub(super) fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        self.gate(slot, kind)
            .is_some_and(|(_, paid_at)| paid_at.compare_exchange(known.0, next.0, Relaxed, Relaxed).is_ok())
    }

    /// A slot's drops; reasons without drops are left out.
    pub(super) fn drops(&self, slot: Slot) -> Vec<(DropReason, u64)> {
        let counts = DropReason::ALL.iter().filter_map(|reason| {
            let count = self.drops.word(drop_index(slot, *reason) as usize)?.load(Relaxed);
            (count > 0).then_some((*reason, count))
        });
        counts.collect()
    }

    /// Sets a slot's account and drops to zero, and takes its limits off.
    pub(super) fn reset(&self, slot: Slot) {
        let states = (0..STATE_WORDS).map(|field| self.word(slot, field));
        let drops = DropReason::ALL.iter().map(|reason| self.drops.word(drop_index(slot, *reason) as usize));
        for word in states.chain(drops).flatten() {
            word.store(0, Relaxed);
        }
        self.set_storm(slot, StormLimits::NONE);
    }

    fn gate(&self, slot: Slot, kind: FloodKind) -> Option<(&AtomicU64, &AtomicU64)> {
        let first = gate_index(slot, kind) as usize * GATE_WORDS;
        Some((self.gates.word(first)?, self.gates.word(first + 1)?))
    }

    fn word(&self, slot: Slot, field: usize) -> Option<&AtomicU64> {
        self.states.word(usize::from(slot.0) * STATE_WORDS + field)
    }
}

fn share(ebpf: &Ebpf, name: &'static str, words: usize) -> Result<SharedWords, DatapathError> {
    SharedWords::map(data_of(ebpf, name)?.fd().as_fd(), words).map_err(|source| DatapathError::Io {
        op: "map into memory",
        object: String::from(name),
        source,
    })
}

#[cfg(test)]
impl Accounts {
    /// Accounts in memory that no kernel program shares.
    pub(super) fn in_memory() -> Self {
        let slots = MAX_SLOTS as usize;
        let words = |words: usize| {
            let file = tempfile::tempfile().expect("a file");
            file.set_len((words * size_of::<u64>()).next_multiple_of(4096) as u64).expect("room");
            SharedWords::map(file.as_fd(), words).expect("a mapping")
        };
        Self {
            states: words(slots * STATE_WORDS),
            drops: words(slots * DROPS_PER_SLOT as usize),
            gates: words(slots * GATES_PER_SLOT as usize * GATE_WORDS),
        }
    }
}
