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
        flood::{FLOOD_CHUNK, Flood, FloodProgress, switch_of},
        forward::largest_packet,
        parse,
    },
};

use crate::{
    deliver::{PASS, SHOT, drop_at},
    frame::{SkbFrame, raw},
    maps,
    tables::KernelTables,
};

/// Scratch words of the context. What the loop needs of the frame goes through them: the verifier forgets what it knew of
/// a value that comes out of the context, so that all ways through the parser meet again before the loop.
const SWITCH_WORD: usize = 0;
const PACKET_WORD: usize = 1;
const COPIED_WORD: usize = 2;

/// Notes what kind of flood the tail call is to make.
#[inline(always)]
pub(crate) fn order(ctx: &TcContext, kind: FloodKind) {
    write_word(ctx, SWITCH_WORD, switch_of(kind).flood_bits());
}

/// The first chunk, at the ingress port. An uplink's host keeps its own copy.
#[inline(always)]
pub(crate) fn start(ctx: &TcContext) -> i32 {
    let from = PortId(SkbFrame::new(ctx).ifindex());
    let switch = PortFlags::from_flood_bits(read_word(ctx, SWITCH_WORD));
    run_chunk(ctx, FloodProgress { from, switch, copied: is_uplink(from), chunk: 0 });
    if is_uplink(from) { PASS } else { SHOT }
}

#[inline(always)]
fn is_uplink(port: PortId) -> bool {
    KernelTables.port(port).is_some_and(|port| port.flags().has(PortFlags::UPLINK))
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
fn run_chunk(ctx: &TcContext, progress: FloodProgress) {
    let frame = SkbFrame::new(ctx);
    let Ok(headers) = parse::parse(&frame) else { return };
    write_word(ctx, PACKET_WORD, largest_packet(&frame, &headers));
    write_word(ctx, COPIED_WORD, u32::from(progress.copied));
    let Some(source) = KernelTables.port(progress.from) else { return };
    let Some(domain) = KernelTables.domain(source.domain()) else {
        drop_at(ctx, progress.from, DropReason::DomainGone);
        return;
    };
    let flood = Flood { from: progress.from, source, switch: progress.switch };
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
            write_word(ctx, COPIED_WORD, 1);
            copy_to(ctx, to, &port);
        }
    }
    let copied = read_word(ctx, COPIED_WORD) != 0;
    if first + FLOOD_CHUNK < domain.flood_len() {
        relay(ctx, FloodProgress { chunk: progress.chunk + 1, copied, ..progress });
    } else if !copied {
        drop_at(ctx, progress.from, DropReason::NoFlood);
    }
}

#[inline(always)]
fn copy_to(ctx: &TcContext, to: PortId, port: &PortConfig) {
    if read_word(ctx, PACKET_WORD) > port.mtu() {
        KernelTables.count_drop(port.slot(), DropReason::TooBig);
        return;
    }
    // SAFETY: the context pointer of a running tc program; no pointer into the packet is used after the call.
    if unsafe { bpf_clone_redirect(raw(ctx), to.0, 0) } == 0 {
        KernelTables.count_tx(port.slot(), SkbFrame::new(ctx).len());
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
        drop_at(ctx, progress.from, DropReason::FloodCopy);
    }
}

#[inline(always)]
fn write_word(ctx: &TcContext, word: usize, value: u32) {
    // SAFETY: the context pointer of a running tc program; five scratch words are the program's to use.
    unsafe { (&raw mut (*raw(ctx)).cb[word]).write_volatile(value) };
}

#[inline(always)]
fn read_word(ctx: &TcContext, word: usize) -> u32 {
    // SAFETY: as above.
    unsafe { (&raw const (*raw(ctx)).cb[word]).read_volatile() }
}
