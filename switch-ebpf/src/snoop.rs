//! Copies of membership messages for the control plane. The frame itself goes on without waiting, whether anybody reads or not.

use core::arch::asm;

use aya_ebpf::{helpers::bpf_skb_load_bytes, programs::TcContext};
use switch_common::{
    abi::{
        addr::{PortId, Slot},
        group::{SNOOPED_BYTES, SnoopRecord},
        storm::{SNOOP_LIMIT, snoop_gate_index},
    },
    stage::{
        env::{Clock, Tables},
        headers::Headers,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

use crate::{atomic::compare_exchange, clock::KernelClock, frame::raw, maps, tables::KernelTables};

/// Puts a copy of the packet into the ring, unless the port has had its share or the ring is full.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "lengths up to that of the record's room")]
pub(crate) fn copy(ctx: &TcContext, headers: &Headers, port: PortId, vlan: VlanId) {
    let Some(config) = KernelTables.port(port) else { return };
    let now = KernelClock.exact_now();
    if !is_within_limit(config.slot(), now) {
        return;
    }
    let len = headers.l3_end.wrapping_sub(headers.l3_offset);
    if len == 0 || len > SNOOPED_BYTES as u32 {
        return;
    }
    let len = seen_by_the_verifier(len);
    let Some(mut entry) = maps::SNOOPED.reserve(0) else { return };
    let record: *mut SnoopRecord = entry.as_mut_ptr();
    // SAFETY: the record's memory, which is nobody else's until it is submitted; the load writes `len` bytes, which fit.
    let loaded = unsafe {
        (&raw mut (*record).at_ns).write(now.0);
        (&raw mut (*record).port).write(port);
        (&raw mut (*record).vlan).write(vlan.get());
        (&raw mut (*record).len).write(len as u16);
        let packet = (&raw mut (*record).packet).cast();
        bpf_skb_load_bytes(raw(ctx).cast(), headers.l3_offset, packet, len) == 0
    };
    if loaded {
        entry.submit(0);
    } else {
        entry.discard(0);
    }
}

/// A length from 1 to that of the record's room as it is. The compiler checks it by way of another register, which tells the
/// verifier nothing of this one; here both bounds are put on the register itself.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "lengths up to that of the record's room")]
fn seen_by_the_verifier(len: u32) -> u32 {
    const MASK: u32 = SNOOPED_BYTES as u32 - 1;
    const _: () = assert!(SNOOPED_BYTES.is_power_of_two());
    let mut last = u64::from(len.wrapping_sub(1));
    // SAFETY: one instruction on a register.
    unsafe {
        asm!("{last} &= {mask}", last = inout(reg) last, mask = const MASK, options(pure, nomem, nostack))
    };
    last as u32 + 1
}

#[inline(always)]
fn is_within_limit(slot: Slot, now: Nanos) -> bool {
    let Some(gate) = maps::STORM.get_ptr_mut(snoop_gate_index(slot)) else { return false };
    // SAFETY: a live map value whose second word is the account, read and replaced at once.
    unsafe {
        let account = gate.cast::<u64>().add(1);
        let known = account.read_volatile();
        SNOOP_LIMIT.admit(Nanos(known), now, 1).is_some_and(|next| compare_exchange(account, known, next.0))
    }
}
