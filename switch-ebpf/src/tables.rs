//! The pipeline's tables on kernel maps.
//!
//! Shared values are read and written in single words or replaced whole by the map helpers. An FDB entry moves by one
//! compare-and-exchange, so that exactly one CPU accounts for the move. Where the control plane changes the entry at that moment
//! too, the accounts of the two ports can be off by one until a sweep counts anew; one below zero lets a port learn more, never
//! nothing. Counters that several CPUs write are atomic; the others are per CPU.

use aya_ebpf::bindings::BPF_NOEXIST;
use switch_common::{
    DropReason, FloodKind,
    abi::{
        addr::{DomainId, PortId, Slot},
        counters::drop_index,
        domain::DomainConfig,
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId},
        host::HostAddress,
        neighbour::{Neighbour, NeighbourKey},
        port::{PortConfig, PortFlags, PortState},
        source::{SourceKey, SourceScope},
        storm::{StormGate, error_gate_index, gate_index},
    },
    stage::env::{InsertError, Tables},
    units::Nanos,
    wire::vlan::VlanId,
};

use crate::{
    atomic::{clear_bits, compare_exchange, fetch_add},
    maps,
};

const EEXIST: i32 = -17;
const MINUS_ONE: u64 = u64::MAX;

/// The maps of this program.
pub(crate) struct KernelTables;

impl KernelTables {
    /// Takes back what [`Tables::count_tx`] counted for a frame that did not leave.
    #[inline(always)]
    pub(crate) fn uncount_tx(&self, slot: Slot, bytes: u32) {
        if let Some(counters) = maps::PORT_COUNTERS.get_ptr_mut(u32::from(slot.0)) {
            // SAFETY: a per-CPU value of a live map.
            unsafe {
                (*counters).tx_frames -= 1;
                (*counters).tx_bytes -= u64::from(bytes);
            }
        }
    }
}

impl Tables for KernelTables {
    #[inline(always)]
    fn port(&self, port: PortId) -> Option<PortConfig> {
        maps::PORTS.get(port.0).copied().filter(|port| port.domain() != DomainId::NONE)
    }

    #[inline(always)]
    fn domain(&self, domain: DomainId) -> Option<DomainConfig> {
        maps::DOMAINS.get(u32::from(domain.0)).copied().filter(|domain| domain.is_in_use())
    }

    #[inline(always)]
    fn note_awake(&self, port: PortId) {
        if let Some(port) = maps::PORTS.get_ptr_mut(port.0) {
            // SAFETY: a live map value whose first word is the flags. The control plane may replace the record at this moment: it
            // looks at the interface again whenever that changes.
            unsafe { clear_bits(port.cast::<u32>(), PortFlags::DOWN.bits()) };
        }
    }

    #[inline(always)]
    fn source(&self, key: SourceKey) -> Option<SourceScope> {
        // SAFETY: the value is one word, copied at once.
        unsafe { maps::SOURCES.get(key) }.copied().and_then(SourceScope::from_code)
    }

    #[inline(always)]
    fn carries_vlan(&self, slot: Slot, vlan: VlanId) -> bool {
        maps::VLANS.get(u32::from(slot.0)).is_some_and(|set| set.has(vlan))
    }

    #[inline(always)]
    fn neighbour(&self, key: NeighbourKey) -> Option<Neighbour> {
        // SAFETY: the value is copied at once. A record that is removed at this moment may already be another address's: then
        // one reply names a wrong station, as one that came a moment earlier would.
        unsafe { maps::NEIGHBOURS.get(key) }.copied()
    }

    #[inline(always)]
    fn group(&self, key: GroupKey) -> ListId {
        // SAFETY: the value is one word, copied at once.
        unsafe { maps::GROUPS.get(key) }.copied().unwrap_or(ListId::NONE)
    }

    #[inline(always)]
    fn is_host_address(&self, address: HostAddress) -> bool {
        // SAFETY: the value is not looked at.
        unsafe { maps::HOST_ADDRESSES.get(address) }.is_some()
    }

    #[inline(always)]
    fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        maps::STORM.get(gate_index(slot, kind)).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        charge(gate_index(slot, kind), known, next)
    }

    #[inline(always)]
    fn error_account(&self, slot: Slot) -> Nanos {
        maps::STORM.get(error_gate_index(slot)).map_or(Nanos(0), |gate| gate.paid_at())
    }

    #[inline(always)]
    fn error_charge(&self, slot: Slot, known: Nanos, next: Nanos) -> bool {
        charge(error_gate_index(slot), known, next)
    }

    #[inline(always)]
    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry> {
        // SAFETY: the value is copied at once. An entry that is removed at this moment may already hold another MAC's words:
        // then one frame goes to a wrong port, which the stages let happen within the domain only.
        unsafe { maps::FDB.get(key) }.copied()
    }

    #[inline(always)]
    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError> {
        match maps::FDB.insert(key, entry, u64::from(BPF_NOEXIST)) {
            Ok(()) => Ok(()),
            Err(EEXIST) => Err(InsertError::Exists),
            Err(_) => Err(InsertError::Full),
        }
    }

    #[inline(always)]
    fn fdb_refresh(&self, key: FdbKey, _known: FdbEntry, now: Nanos) {
        if let Some(entry) = maps::FDB.get_ptr_mut(key) {
            // SAFETY: a live map value; one aligned word is written at once.
            unsafe { entry.cast::<u64>().add(1).write_volatile(now.0) };
        }
    }

    #[inline(always)]
    fn fdb_move(&self, key: FdbKey, known: FdbEntry, seen: FdbEntry) -> bool {
        let Some(entry) = maps::FDB.get_ptr_mut(key) else { return false };
        let place = entry.cast::<u64>();
        // SAFETY: a live map value whose first word is the place and whose second is the time (`FdbEntry::place`).
        unsafe {
            let moved = compare_exchange(place, known.place(), seen.place());
            if moved {
                place.add(1).write_volatile(seen.last_seen().0);
            }
            moved
        }
    }

    #[inline(always)]
    fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        let Some(state) = state(slot) else { return false };
        // SAFETY: a live map value; the control plane, which maps the same memory, adds atomically too.
        unsafe {
            if fetch_add(&raw mut (*state).learned, 1).cast_signed() >= i64::from(cap) && cap != 0 {
                fetch_add(&raw mut (*state).learned, MINUS_ONE);
                return false;
            }
        }
        true
    }

    #[inline(always)]
    fn release_learned(&self, slot: Slot) {
        if let Some(state) = state(slot) {
            // SAFETY: as above.
            unsafe { fetch_add(&raw mut (*state).learned, MINUS_ONE) };
        }
    }

    #[inline(always)]
    fn count_not_learned(&self, slot: Slot) {
        if let Some(state) = state(slot) {
            // SAFETY: as above.
            unsafe { fetch_add(&raw mut (*state).not_learned, 1) };
        }
    }

    #[inline(always)]
    fn count_rx(&self, slot: Slot, bytes: u32) {
        if let Some(counters) = maps::PORT_COUNTERS.get_ptr_mut(u32::from(slot.0)) {
            // SAFETY: a per-CPU value of a live map.
            unsafe {
                (*counters).rx_frames += 1;
                (*counters).rx_bytes += u64::from(bytes);
            }
        }
    }

    #[inline(always)]
    fn count_tx(&self, slot: Slot, bytes: u32) {
        if let Some(counters) = maps::PORT_COUNTERS.get_ptr_mut(u32::from(slot.0)) {
            // SAFETY: a per-CPU value of a live map.
            unsafe {
                (*counters).tx_frames += 1;
                (*counters).tx_bytes += u64::from(bytes);
            }
        }
    }

    #[inline(always)]
    fn count_drop(&self, slot: Slot, reason: DropReason) {
        if let Some(count) = maps::DROPS.get_ptr_mut(drop_index(slot, reason)) {
            // SAFETY: a live map value that only this instruction writes.
            unsafe { fetch_add(count, 1) };
        }
    }
}

#[inline(always)]
fn charge(gate: u32, known: Nanos, next: Nanos) -> bool {
    let Some(gate) = maps::STORM.get_ptr_mut(gate) else { return false };
    // SAFETY: a live map value whose second word is the account; the control plane writes it at once.
    unsafe { compare_exchange(gate.cast::<u64>().add(1), known.0, next.0) }
}

#[inline(always)]
fn state(slot: Slot) -> Option<*mut PortState> {
    maps::PORT_STATE.get_ptr_mut(u32::from(slot.0))
}
