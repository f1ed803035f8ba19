//! Copies of a frame to the ports of a list, in chunks.
//!
//! The copies of a chunk wait in the CPU's backlog queue, whose length is bounded. A list longer than one chunk goes on
//! by sending a copy over the relay pair: it queues up behind the chunk, and when it comes out at the far end the
//! chunk has been delivered. So the queue never holds more than one chunk of a flood.

use aya_ebpf::{helpers::bpf_clone_redirect, programs::TcContext};
use switch_common::{
    DropReason,
    abi::{
        addr::PortId,
        group::{FloodKey, ListId},
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Frame, Tables},
        flood::{FLOOD_CHUNK, Flood, FloodProgress, GROUP_SWITCH},
        forward::largest_packet,
        headers::Headers,
        multicast, parse,
        vlan::{Membership, TagChange},
    },
    wire::{
        eth,
        vlan::{self, Tag},
    },
};

use crate::{
    deliver::{PASS, SHOT, change_tag, drop_at},
    frame::{SkbFrame, raw},
    maps,
    tables::KernelTables,
};

/// Scratch words of the context. What the loop needs of the frame goes through them: the verifier forgets what it knew of
/// a value that comes out of the context, so that all ways through the parser meet again before the loop.
const SWITCH_WORD: usize = 0;
/// Length of the frame as it came; takes the place of the switch once that was read.
const LEN_WORD: usize = 0;
/// The list; the length of the largest packet takes its place once that was read.
const LIST_WORD: usize = 1;
const PACKET_WORD: usize = 1;
const COPIED_WORD: usize = 2;
const MEMBER_WORD: usize = 3;
/// The tag that the packet has now, packed as a change that pushes it.
const TAG_WORD: usize = 4;

/// What the tail call is to copy where.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// To which ports; [`ListId::NONE`] for all of the domain.
    pub(crate) list: ListId,
    /// Which of a port's switches lets it in.
    pub(crate) switch: PortFlags,
    /// The frame's VLAN.
    pub(crate) member: Membership,
    /// Whether somebody has the frame already, so that it is not lost where no port takes it.
    pub(crate) is_taken: bool,
}

/// Notes the order for the tail call.
#[inline(always)]
pub(crate) fn write_order(ctx: &TcContext, order: Order) {
    write_word(ctx, SWITCH_WORD, order.switch.flood_bits());
    write_word(ctx, LIST_WORD, order.list.0);
    write_word(ctx, COPIED_WORD, u32::from(order.is_taken));
    write_word(ctx, MEMBER_WORD, order.member.to_bits());
}

/// The first chunk, at the ingress port. An uplink's host keeps its own copy, as it came.
#[inline(always)]
pub(crate) fn start(ctx: &TcContext) -> i32 {
    let from = PortId(SkbFrame::new(ctx).ifindex());
    let switch = PortFlags::from_flood_bits(read_word(ctx, SWITCH_WORD));
    write_word(ctx, TAG_WORD, original_tag(ctx, from));
    let copied = is_uplink(from) || read_word(ctx, COPIED_WORD) != 0;
    let list = match ListId(read_word(ctx, LIST_WORD)) {
        ListId::NONE => KernelTables.port(from).map_or(ListId::NONE, |port| ListId::of_domain(port.domain())),
        list => list,
    };
    if let Some(headers) = maps::headers() {
        run_chunk(ctx, FloodProgress { from, switch, copied, chunk: 0 }, list, headers);
    }
    if !is_uplink(from) {
        return SHOT;
    }
    if retag(ctx, original_tag(ctx, from)) { PASS } else { SHOT }
}

#[inline(always)]
fn is_uplink(port: PortId) -> bool {
    KernelTables.port(port).is_some_and(|port| port.flags().has(PortFlags::UPLINK))
}

/// The tag that the frame came with at a port that sorts by VLAN; packed.
#[inline(always)]
fn original_tag(ctx: &TcContext, from: PortId) -> u32 {
    packed(KernelTables.port(from).and_then(|source| member(ctx).original_tag(&source)))
}

/// Any later chunk, at the far end of the relay pair. A frame with a VLAN carries it there as a tag.
#[inline(always)]
pub(crate) fn resume(ctx: &TcContext) -> i32 {
    // SAFETY: the context pointer of a running tc program.
    let mark = unsafe { (*raw(ctx)).mark };
    if let Some(progress) = FloodProgress::from_mark(mark) {
        // SAFETY: as above. The copies must not carry the mark into anybody's rules.
        unsafe { (*raw(ctx)).mark = 0 };
        let frame = SkbFrame::new(ctx);
        let tag = frame.offloaded_tag();
        let behind = frame.load(eth::TYPE_OFFSET).map_or(0, u16::from_be_bytes);
        let member = tag.and_then(|tag| Membership::of_tag(tag, behind)).unwrap_or(Membership::NONE);
        write_word(ctx, MEMBER_WORD, member.to_bits());
        write_word(ctx, TAG_WORD, packed(tag));
        let Some(headers) = maps::headers() else { return SHOT };
        if parse::parse_into(&frame, headers).is_err() {
            return drop_at(ctx, progress.from, DropReason::FloodCopy);
        }
        run_chunk(ctx, progress, list_of(ctx, headers, progress), headers);
    }
    SHOT
}

/// The list of a flood that goes on: a group's is looked up again, by the same frame.
#[inline(always)]
fn list_of(ctx: &TcContext, headers: &Headers, progress: FloodProgress) -> ListId {
    let Some(source) = KernelTables.port(progress.from) else { return ListId::NONE };
    if progress.switch != GROUP_SWITCH {
        return ListId::of_domain(source.domain());
    }
    let aim = multicast::aim::<SkbFrame, KernelTables>(headers, member(ctx), &source, &KernelTables);
    aim.list
}

#[inline(always)]
fn run_chunk(ctx: &TcContext, progress: FloodProgress, list: ListId, headers: &Headers) {
    let frame = SkbFrame::new(ctx);
    write_word(ctx, LIST_WORD, list.0);
    let list = ListId(read_word(ctx, LIST_WORD));
    write_word(ctx, LEN_WORD, frame.len());
    write_word(ctx, PACKET_WORD, largest_packet(&frame, headers));
    write_word(ctx, COPIED_WORD, u32::from(progress.copied));
    let Some(source) = KernelTables.port(progress.from) else { return };
    if KernelTables.domain(source.domain()).is_none() {
        drop_at(ctx, progress.from, DropReason::DomainGone);
        return;
    }
    let length = maps::LIST_LENGTHS.get(list.0).copied().unwrap_or(0);
    let flood = Flood { from: progress.from, source, switch: progress.switch, member: member(ctx) };
    let first = progress.chunk * FLOOD_CHUNK;
    for step in 0..FLOOD_CHUNK {
        let position = first + step;
        if position >= length {
            break;
        }
        // SAFETY: the value is copied at once.
        let Some(to) = unsafe { maps::FLOOD_LIST.get(FloodKey::new(list, position)) }.copied() else {
            continue;
        };
        let Some(port) = KernelTables.port(to) else { continue };
        let Some(tags) = flood.copy_for(to, &port, &KernelTables) else { continue };
        write_word(ctx, COPIED_WORD, 1);
        if port.flags().has(PortFlags::VLAN) && !retag(ctx, packed(tags.push)) {
            KernelTables.count_drop(port.slot(), DropReason::FloodCopy);
            continue;
        }
        copy_to(ctx, to, &port);
    }
    let copied = read_word(ctx, COPIED_WORD) != 0;
    if first + FLOOD_CHUNK < length {
        let is_sorted = source.flags().has(PortFlags::VLAN);
        if is_sorted && !retag(ctx, packed(Some(member(ctx).tag(vlan::TPID_8021Q)))) {
            drop_at(ctx, progress.from, DropReason::FloodCopy);
            return;
        }
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
        KernelTables.count_tx(port.slot(), read_word(ctx, LEN_WORD));
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

/// The VLAN of the frame.
#[inline(always)]
fn member(ctx: &TcContext) -> Membership {
    Membership::from_bits(read_word(ctx, MEMBER_WORD))
}

/// Gives the packet the tag `wanted`, packed, in place of the one that it has; says whether that worked.
#[inline(always)]
fn retag(ctx: &TcContext, wanted: u32) -> bool {
    let present = read_word(ctx, TAG_WORD);
    if present == wanted {
        return true;
    }
    write_word(ctx, TAG_WORD, wanted);
    let wanted = TagChange::from_bits(wanted);
    change_tag(ctx, TagChange { strip: present != packed(None), ..wanted })
}

#[inline(always)]
fn packed(tag: Option<Tag>) -> u32 {
    TagChange { strip: false, push: tag }.to_bits()
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
