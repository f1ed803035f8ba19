//! Copies of a frame to the ports of its domain, in chunks.
//!
//! The copies of a chunk wait in the CPU's backlog queue, whose length is bounded. A list longer than one chunk goes on
//! by sending a copy over the relay pair: it queues up behind the chunk, and when it comes out at the far end the
//! chunk has been delivered. So the queue never holds more than one chunk of a flood.

use aya_ebpf::{helpers::bpf_clone_redirect, programs::TcContext};
use switch_common::{
    DropReason, FloodKind,
    abi::{
        addr::PortId,
        domain::FloodKey,
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Frame, Tables},
        flood::{FLOOD_CHUNK, Flood, FloodProgress},
        forward::exceeds_mtu,
        headers::Headers,
        parse,
    },
};

use crate::{
    deliver::{PASS, SHOT, drop_at},
    frame::{SkbFrame, raw},
    maps,
    tables::KernelTables,
};

/// The first chunk, at the ingress port. An uplink's host keeps its own copy.
#[inline(always)]
pub(crate) fn start(ctx: &TcContext) -> i32 {
    let from = PortId(SkbFrame::new(ctx).ifindex());
    // SAFETY: the context pointer of a running tc program.
    let word = unsafe { (*raw(ctx)).cb[0] };
    let Some(kind) = FloodKind::from_code(word as u8) else { return SHOT };
    let uplink = KernelTables.port(from).is_some_and(|port| port.flags().has(PortFlags::UPLINK));
    run_chunk(ctx, FloodProgress { from, kind, copied: uplink, chunk: 0 });
    if uplink { PASS } else { SHOT }
}

/// Any later chunk, at the far end of the relay pair.
#[inline(always)]
pub(crate) fn resume(ctx: &TcContext) -> i32 {
    // SAFETY: the context pointer of a running tc program.
    let mark = unsafe { (*raw(ctx)).mark };
    if let Some(progress) = FloodProgress::from_mark(mark) {
        // SAFETY: as above. The copies must not carry the mark into anybody's rules.
        unsafe { (*raw(ctx)).mark = 0 };
        run_chunk(ctx, progress);
    }
    SHOT
}

#[inline(always)]
fn run_chunk(ctx: &TcContext, mut progress: FloodProgress) {
    let Some(source) = KernelTables.port(progress.from) else { return };
    let Some(domain) = KernelTables.domain(source.domain()) else {
        drop_at(progress.from, DropReason::DomainGone);
        return;
    };
    let frame = SkbFrame::new(ctx);
    let Ok(headers) = parse::parse(&frame) else { return };
    let flood = Flood { from: progress.from, source, kind: progress.kind };
    let first = progress.chunk * FLOOD_CHUNK;
    for step in 0..FLOOD_CHUNK {
        let position = first + step;
        if position >= domain.flood_len() {
            break;
        }
        // SAFETY: the value is copied at once.
        let Some(to) = unsafe { maps::FLOOD_LIST.get(FloodKey::new(source.domain(), position)) }.copied()
        else {
            continue;
        };
        let Some(port) = KernelTables.port(to) else { continue };
        if flood.reaches(to, &port) {
            copy_to(ctx, &frame, &headers, to, &port);
            progress.copied = true;
        }
    }
    if first + FLOOD_CHUNK < domain.flood_len() {
        relay(ctx, FloodProgress { chunk: progress.chunk + 1, ..progress });
    } else if !progress.copied {
        drop_at(progress.from, DropReason::NoFlood);
    }
}

#[inline(always)]
fn copy_to(ctx: &TcContext, frame: &SkbFrame, headers: &Headers, to: PortId, port: &PortConfig) {
    if exceeds_mtu(frame, headers, port) {
        KernelTables.count_drop(port.slot(), DropReason::TooBig);
        return;
    }
    // SAFETY: the context pointer of a running tc program; no pointer into the packet is used after the call.
    if unsafe { bpf_clone_redirect(raw(ctx), to.0, 0) } == 0 {
        KernelTables.count_tx(port.slot(), frame.len());
    } else {
        KernelTables.count_drop(port.slot(), DropReason::FloodCopy);
    }
}

#[inline(always)]
fn relay(ctx: &TcContext, progress: FloodProgress) {
    let relay = maps::switch().flood_relay();
    // SAFETY: the context pointer of a running tc program; the packet gets its own mark back.
    let sent = unsafe {
        let own = (*raw(ctx)).mark;
        (*raw(ctx)).mark = progress.to_mark();
        let failed = bpf_clone_redirect(raw(ctx), relay.0, 0);
        (*raw(ctx)).mark = own;
        failed == 0
    };
    if !sent {
        drop_at(progress.from, DropReason::FloodCopy);
    }
}
