//! A question becomes its own answer: the reply's bytes take the frame's place, and the frame goes back.

use aya_ebpf::{
    bindings::{BPF_F_INVALIDATE_HASH, BPF_F_RECOMPUTE_CSUM},
    helpers::{bpf_skb_change_tail, bpf_skb_change_type, bpf_skb_store_bytes},
    programs::TcContext,
};
use switch_common::{
    DropReason,
    abi::addr::{MacAddr, PortId},
    stage::{
        env::{Frame, Tables},
        headers::Network,
        respond::{advertisement, arp_reply},
    },
    verdict::Outcome,
};

use crate::{
    deliver::{SHOT, drop_at, redirect},
    frame::{SkbFrame, raw},
    maps,
    tables::KernelTables,
};

/// The reply must not look as if it had been recognised, checked or sent to a group when it was the question.
const FLAGS: u64 = (BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH) as u64;
/// What a packet is to its receiver (linux/if_packet.h).
const PACKET_HOST: u32 = 0;
const PACKET_MULTICAST: u32 = 2;

/// Answers the frame that the last verdict was about.
#[inline(always)]
pub(crate) fn start(ctx: &TcContext) -> i32 {
    let Some(Outcome::Respond(at)) = maps::last_verdict().and_then(|verdict| verdict.outcome()) else {
        return SHOT;
    };
    let Some(headers) = maps::headers() else { return SHOT };
    let frame = SkbFrame::new(ctx);
    let port = PortId(frame.ifindex());
    let made = if headers.network == Network::Arp {
        arp_reply(&frame, headers, at).is_some_and(|reply| replace(ctx, &reply))
    } else {
        advertisement(&frame, headers, at).is_some_and(|reply| replace(ctx, &reply))
    };
    if !made {
        return drop_at(ctx, port, DropReason::ReplyFailed);
    }
    let Some(config) = KernelTables.port(port) else { return SHOT };
    let reply = SkbFrame::new(ctx);
    KernelTables.count_tx(config.slot(), reply.len());
    let dst = reply.load(0).map(MacAddr::new);
    let is_to_it = dst.is_some_and(|dst| dst == config.mac() || dst.is_group());
    redirect(port, is_to_it && !config.flags().sends_plainly())
}

/// Puts the reply in the frame's place.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "replies are some dozen bytes long")]
fn replace<const N: usize>(ctx: &TcContext, reply: &[u8; N]) -> bool {
    let to_group = reply.first_chunk().is_some_and(|dst| MacAddr::new(*dst).is_group());
    let kind = if to_group { PACKET_MULTICAST } else { PACKET_HOST };
    // SAFETY: the context pointer of a running tc program; the bytes stay where they are during the call, and no pointer into
    // the packet is used after it.
    unsafe {
        bpf_skb_change_tail(raw(ctx), N as u32, 0) == 0
            && bpf_skb_store_bytes(raw(ctx), 0, reply.as_ptr().cast(), N as u32, FLAGS) == 0
            && bpf_skb_change_type(raw(ctx), kind) == 0
    }
}
