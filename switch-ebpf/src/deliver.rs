//! Verdict to kernel action: one exhaustive match.

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_REDIRECT, TC_ACT_SHOT},
    helpers::{
        bpf_redirect, bpf_redirect_peer, bpf_skb_change_head, bpf_skb_store_bytes, bpf_skb_vlan_pop,
        bpf_skb_vlan_push,
    },
    programs::TcContext,
};
use switch_common::{
    DropReason, PuntReason, Verdict,
    abi::{
        addr::PortId,
        group::ListId,
        names::{JUMP_FLOOD, JUMP_RESPOND},
        punt::{PUNT_HEADER_LEN, punt_header},
    },
    stage::{
        env::{Frame, Tables},
        flood::{GROUP_SWITCH, switch_of},
        forward::is_for_host_too,
        vlan::TagChange,
    },
    verdict::Outcome,
};

use crate::{
    events, flood,
    frame::{SkbFrame, raw},
    jump::jump,
    maps,
    tables::KernelTables,
};

/// Length of the header before a punted frame, as the helpers take it.
#[allow(clippy::cast_possible_truncation, reason = "a constant of two digits")]
const HEADER_BYTES: u32 = PUNT_HEADER_LEN as u32;

/// Drop.
pub(crate) const SHOT: i32 = TC_ACT_SHOT;
/// On to the host's stack.
pub(crate) const PASS: i32 = TC_ACT_OK;

/// Does what the verdict says with the packet.
#[inline(always)]
pub(crate) fn carry_out(ctx: &TcContext, frame: &SkbFrame, port: PortId, verdict: Verdict) -> i32 {
    match verdict.outcome() {
        Some(Outcome::Forward(to, tags)) => forward(ctx, frame, port, to, tags, verdict.is_straight()),
        Some(Outcome::Flood(kind, member)) => {
            let is_taken = verdict.copied().is_some();
            start_flood(
                ctx,
                port,
                flood::Order { list: ListId::NONE, switch: switch_of(kind), member, is_taken },
            )
        }
        Some(Outcome::Deliver(list, member)) => {
            let is_taken = verdict.copied().is_some();
            start_flood(ctx, port, flood::Order { list, switch: GROUP_SWITCH, member, is_taken })
        }
        Some(Outcome::Respond(_)) => start_reply(ctx, port),
        _ => turn_away(ctx, frame, port, verdict),
    }
}

/// Does what a verdict says that came before the frame was switched: it is the host's, is punted or dropped.
#[inline(always)]
pub(crate) fn turn_away(ctx: &TcContext, frame: &SkbFrame, port: PortId, verdict: Verdict) -> i32 {
    match verdict.outcome() {
        Some(Outcome::ToHost) => PASS,
        Some(Outcome::Punt(_)) if host_keeps(frame, port) => {
            drop_at(ctx, port, DropReason::PuntFailed);
            PASS
        }
        Some(Outcome::Punt(reason)) => punt(ctx, port, reason),
        Some(Outcome::Drop(reason) | Outcome::Refuse(reason, _)) => {
            events::report(frame, port, reason);
            if host_keeps(frame, port) { PASS } else { SHOT }
        }
        _ => SHOT,
    }
}

/// A frame can be punted or given to the host, not both: there is only one, and the header before it cannot be taken off again.
#[inline(always)]
fn host_keeps(frame: &SkbFrame, port: PortId) -> bool {
    KernelTables.port(port).is_some_and(|port| is_for_host_too(frame, &port))
}

#[inline(always)]
fn forward(
    ctx: &TcContext,
    frame: &SkbFrame,
    port: PortId,
    to: PortId,
    tags: TagChange,
    is_straight: bool,
) -> i32 {
    let len = frame.len();
    if change_tag(ctx, tags) {
        return redirect(to, is_straight);
    }
    if let Some(out) = KernelTables.port(to) {
        KernelTables.uncount_tx(out.slot(), len);
    }
    drop_at(ctx, port, DropReason::TxQueue)
}

/// Says whether the packet has the tag that it is to have.
#[inline(always)]
pub(crate) fn change_tag(ctx: &TcContext, tags: TagChange) -> bool {
    // SAFETY: the context pointer of a running tc program; no pointer into the packet is used after the calls.
    unsafe {
        let stripped = !tags.strip || bpf_skb_vlan_pop(raw(ctx)) == 0;
        let pushed = tags.push.is_none_or(|tag| bpf_skb_vlan_push(raw(ctx), tag.tpid.to_be(), tag.tci) == 0);
        stripped && pushed
    }
}

/// Sends a frame out of a port. What goes straight into a container is taken there for its own, whoever it is addressed to; so
/// frames to others that live behind its interface go over the veth pair, which looks.
#[inline(always)]
pub(crate) fn redirect(to: PortId, is_straight: bool) -> i32 {
    // SAFETY: helpers that take numbers; the kernel checks the interface when the program has returned.
    action(unsafe { if is_straight { bpf_redirect_peer(to.0, 0) } else { bpf_redirect(to.0, 0) } })
}

/// What a redirect helper returned, as the program's return value.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the helpers return one of the small TC_ACT numbers")]
fn action(returned: i64) -> i32 {
    returned as i32
}

#[inline(always)]
fn start_flood(ctx: &TcContext, port: PortId, order: flood::Order) -> i32 {
    flood::write_order(ctx, order);
    // SAFETY: the target is a program of the same type that reads what was just written.
    unsafe { jump::<JUMP_FLOOD>(ctx) };
    drop_at(ctx, port, DropReason::FloodCopy)
}

#[inline(always)]
fn start_reply(ctx: &TcContext, port: PortId) -> i32 {
    // SAFETY: the target is a program of the same type that reads the verdict and the headers just stored.
    unsafe { jump::<JUMP_RESPOND>(ctx) };
    drop_at(ctx, port, DropReason::ReplyFailed)
}

#[inline(always)]
fn punt(ctx: &TcContext, port: PortId, reason: PuntReason) -> i32 {
    let cpu_port = maps::switch().cpu_port();
    if cpu_port.0 == 0 {
        return drop_at(ctx, port, DropReason::PuntFailed);
    }
    let header = punt_header(port, reason);
    // SAFETY: the context pointer of a running tc program; the header's bytes go into the room just made for them.
    let made = unsafe {
        bpf_skb_change_head(raw(ctx), HEADER_BYTES, 0) == 0
            && bpf_skb_store_bytes(raw(ctx), 0, header.as_ptr().cast(), HEADER_BYTES, 0) == 0
    };
    if !made {
        return drop_at(ctx, port, DropReason::PuntFailed);
    }
    // SAFETY: a helper that takes numbers.
    match action(unsafe { bpf_redirect(cpu_port.0, 0) }) {
        TC_ACT_REDIRECT => TC_ACT_REDIRECT,
        _ => drop_at(ctx, port, DropReason::PuntFailed),
    }
}

/// Counts and tells a drop that the pipeline did not decide.
#[inline(always)]
pub(crate) fn drop_at(ctx: &TcContext, port: PortId, reason: DropReason) -> i32 {
    if let Some(config) = KernelTables.port(port) {
        KernelTables.count_drop(config.slot(), reason);
    }
    events::report(&SkbFrame::new(ctx), port, reason);
    SHOT
}
