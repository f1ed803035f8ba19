//! Verdict to copies on their way out: what both the userspace switch and the slow path do with a frame.
//!
//! Every frame ends as counted at its egress ports, as a counted drop, or with the host: nothing else becomes of one.

use crossbeam::channel::Sender;
use switch_common::{
    DropReason, PuntReason,
    abi::{
        addr::{MacAddr, PortId, Slot},
        group::ListId,
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Clock, Frame, Tables},
        flood::{Flood, GROUP_SWITCH, switch_of},
        forward::exceeds_mtu,
        headers::{Headers, Network},
        pipeline,
        respond::{advertisement, arp_reply},
        vlan::{self, Membership, TagChange},
    },
    verdict::Outcome,
};

use super::{
    events::DropReporter,
    frame::{SliceFrame, SlowPath},
    icmp_error,
    packet::{Packet, VnetHeader},
    snoop::Snooper,
};
use crate::datapath::SeenProbe;

/// What the engine asks of tables beside what the stages ask.
pub trait EngineTables: Tables {
    /// Calls `visit` for every port of a list.
    fn for_each_member(&self, list: ListId, visit: impl FnMut(PortId));

    /// Takes a counted frame back that did not go out after all.
    fn uncount_tx(&self, slot: Slot, bytes: u32);
}

/// A frame and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'f> {
    /// The frame.
    pub packet: Packet<'f>,
    /// The egress port.
    pub to: PortId,
    /// What becomes of its tag.
    pub tags: TagChange,
    /// The egress port's slot.
    pub slot: Slot,
    /// Whether the egress port is an uplink, and so in the host's namespace.
    pub is_uplink: bool,
}

/// The way out of the switch.
pub trait Egress {
    /// Sends frames in this order, and calls `refused` for each that did not go out.
    fn send(&self, frames: &[Outgoing<'_>], refused: &mut dyn FnMut(&Outgoing<'_>, DropReason));
}

/// Frames that are sent in one go.
pub const SEND_BATCH: usize = 64;

/// Decided frames that wait to be sent together.
#[derive(Debug)]
pub struct SendQueue<'f>(Vec<Outgoing<'f>>);

impl Default for SendQueue<'_> {
    fn default() -> Self {
        Self(Vec::with_capacity(SEND_BATCH))
    }
}

/// Runs frames through the pipeline and carries the verdicts out.
pub struct Engine<'a, T, C, E> {
    /// What the pipeline reads, learns and counts.
    pub tables: &'a T,
    /// The time.
    pub clock: &'a C,
    /// Where frames go out.
    pub egress: &'a E,
    /// Where drops are told.
    pub reporter: &'a mut DropReporter,
    /// Where copies of membership messages go.
    pub snooper: &'a mut Snooper,
    /// Where probes of loop guards go.
    pub probes: &'a Sender<SeenProbe>,
}

/// What is to be copied where.
#[derive(Clone, Copy)]
struct Order {
    /// `None` for every port of the domain.
    list: Option<ListId>,
    /// Which of a port's switches lets it in.
    switch: PortFlags,
    member: Membership,
    /// Whether somebody has the frame already, so that it is not lost where no port takes it.
    is_taken: bool,
}

/// Sends a frame of the switch's own to the ports of a list that are in its VLAN, or to one of them.
pub fn originate<T: EngineTables, E: Egress>(
    tables: &T,
    egress: &E,
    (list, member): (ListId, Membership),
    only: Option<PortId>,
    bytes: &[u8],
) {
    let packet = Packet { port: PortId(0), bytes, tag: None, vnet: VnetHeader::NONE };
    let length = packet.frame::<SlowPath>().len();
    let mut frames = Vec::new();
    tables.for_each_member(list, |to| {
        let is_meant = only.is_none_or(|only| only == to);
        let Some(port) = tables.port(to).filter(|port| is_meant && port.flags().lets_out()) else {
            return;
        };
        let Some(tags) = vlan::leave(member, &port, tables) else { return };
        tables.count_tx(port.slot(), length);
        let is_uplink = port.flags().has(PortFlags::UPLINK);
        frames.push(Outgoing { packet, to, tags, slot: port.slot(), is_uplink });
    });
    egress.send(&frames, &mut |frame, reason| {
        tables.uncount_tx(frame.slot, length);
        tables.count_drop(frame.slot, reason);
    });
}

impl<T: EngineTables, C: Clock, E: Egress> Engine<'_, T, C, E> {
    /// Judges a frame and puts the copies that are to be sent into `queue`, which is sent whenever it is full.
    pub fn switch<'f>(&mut self, packet: Packet<'f>, queue: &mut SendQueue<'f>) {
        let frame = packet.frame::<SlowPath>();
        let mut headers = Headers::EMPTY;
        let verdict = pipeline::run(&frame, &mut headers, packet.port, self.tables, self.clock);
        let copied = verdict.copied();
        if let (Some(member), Some(port)) = (copied, self.tables.port(packet.port)) {
            let now = self.clock.exact_now();
            self.snooper.copy(&packet, &headers, port.slot(), member.vlan(), now);
        }
        match verdict.outcome() {
            Some(Outcome::Forward(to, tags)) => self.forward(packet, to, tags, queue),
            Some(Outcome::Flood(kind, member)) => {
                let order = Order { list: None, switch: switch_of(kind), member, is_taken: copied.is_some() };
                self.flood(packet, &frame, &headers, order, queue);
            }
            Some(Outcome::Deliver(list, member)) => {
                let (list, is_taken) = (Some(list), copied.is_some());
                let order = Order { list, switch: GROUP_SWITCH, member, is_taken };
                self.flood(packet, &frame, &headers, order, queue);
            }
            Some(Outcome::Respond(at)) => self.respond(&packet, &frame, &headers, at),
            // The host's stack has a copy of every frame of an uplink.
            Some(Outcome::ToHost) => {}
            Some(Outcome::Punt(PuntReason::LoopProbe)) => self.take_probe(&packet, &headers),
            Some(Outcome::Punt(_)) => self.drop_at_ingress(&packet, DropReason::PuntFailed),
            Some(Outcome::Drop(reason)) => self.reporter.report(&packet, reason, self.clock.now()),
            Some(Outcome::Refuse(reason, router)) => {
                self.reporter.report(&packet, reason, self.clock.now());
                self.tell_sender(&packet, &headers, router);
            }
            None => {}
        }
    }

    /// Sends what is in `queue`.
    pub fn flush(&mut self, queue: &mut SendQueue<'_>) {
        self.send(&queue.0);
        queue.0.clear();
    }

    fn send(&mut self, frames: &[Outgoing<'_>]) {
        let Self { tables, clock, egress, reporter, snooper: _, probes: _ } = self;
        egress.send(frames, &mut |frame, reason| {
            tables.uncount_tx(frame.slot, frame.packet.frame::<SlowPath>().len());
            tables.count_drop(frame.slot, reason);
            reporter.report(&frame.packet, reason, clock.now());
        });
    }

    fn forward<'f>(&mut self, packet: Packet<'f>, to: PortId, tags: TagChange, queue: &mut SendQueue<'f>) {
        if let Some(port) = self.tables.port(to) {
            self.enqueue(packet, to, &port, tags, queue);
        } else {
            self.drop_at_ingress(&packet, DropReason::EgressGone);
        }
    }

    /// A reply goes out before the frames that wait: its bytes are nobody else's to keep.
    fn respond(
        &mut self,
        question: &Packet<'_>,
        frame: &SliceFrame<'_, SlowPath>,
        headers: &Headers,
        at: MacAddr,
    ) {
        if headers.network == Network::Arp {
            let reply = arp_reply(frame, headers, at);
            self.send_back(question, reply.as_ref().map(<[u8; _]>::as_slice));
        } else {
            let reply = advertisement(frame, headers, at);
            self.send_back(question, reply.as_ref().map(<[u8; _]>::as_slice));
        }
    }

    /// The packet is dropped already: where its sender cannot be told, nothing more is lost.
    fn tell_sender(&mut self, refused: &Packet<'_>, headers: &Headers, router: PortId) {
        let gateway = self.tables.port(router);
        let error = gateway.and_then(|gateway| icmp_error::no_route(refused.bytes, headers, &gateway));
        if let Some(error) = error {
            self.send_back(refused, Some(&error));
        }
    }

    fn send_back(&mut self, question: &Packet<'_>, reply: Option<&[u8]>) {
        let (Some(bytes), Some(port)) = (reply, self.tables.port(question.port)) else {
            return self.drop_at_ingress(question, DropReason::ReplyFailed);
        };
        let packet = Packet { bytes, tag: None, vnet: VnetHeader::NONE, ..*question };
        self.tables.count_tx(port.slot(), packet.frame::<SlowPath>().len());
        let is_uplink = port.flags().has(PortFlags::UPLINK);
        self.send(&[Outgoing {
            packet,
            to: question.port,
            slot: port.slot(),
            is_uplink,
            tags: TagChange::NONE,
        }]);
    }

    fn flood<'f>(
        &mut self,
        packet: Packet<'f>,
        frame: &SliceFrame<'f, SlowPath>,
        headers: &Headers,
        order: Order,
        queue: &mut SendQueue<'f>,
    ) {
        let Some(source) = self.tables.port(packet.port) else { return };
        if self.tables.domain(source.domain()).is_none() {
            return self.drop_at_ingress(&packet, DropReason::DomainGone);
        }
        let flood = Flood { from: packet.port, source, switch: order.switch, member: order.member };
        // An uplink's host keeps its own copy.
        let mut is_taken = order.is_taken || source.flags().has(PortFlags::UPLINK);
        let tables = self.tables;
        let list = order.list.unwrap_or(ListId::of_domain(source.domain()));
        tables.for_each_member(list, |to| {
            let Some(port) = tables.port(to) else { return };
            let Some(tags) = flood.copy_for(to, &port, tables) else { return };
            is_taken = true;
            if exceeds_mtu(frame, headers, &port) {
                tables.count_drop(port.slot(), DropReason::TooBig);
            } else {
                tables.count_tx(port.slot(), frame.len());
                self.enqueue(packet, to, &port, tags, queue);
            }
        });
        if !is_taken {
            self.drop_at_ingress(&packet, DropReason::NoFlood);
        }
    }

    fn enqueue<'f>(
        &mut self,
        packet: Packet<'f>,
        to: PortId,
        port: &PortConfig,
        tags: TagChange,
        queue: &mut SendQueue<'f>,
    ) {
        let is_uplink = port.flags().has(PortFlags::UPLINK);
        queue.0.push(Outgoing { packet, to, tags, slot: port.slot(), is_uplink });
        if queue.0.len() == SEND_BATCH {
            self.flush(queue);
        }
    }

    /// Probes end here, whether or not they are ours.
    fn take_probe(&mut self, packet: &Packet<'_>, headers: &Headers) {
        let body = packet.bytes.get(headers.l3_offset as usize..).and_then(<[u8]>::first_chunk);
        if let Some(body) = body {
            // Those that find no room are followed by others.
            let _full = self.probes.try_send(SeenProbe { port: packet.port, body: *body });
        }
        self.drop_at_ingress(packet, DropReason::LoopProbe);
    }

    /// Counts a drop that the pipeline did not decide.
    fn drop_at_ingress(&mut self, packet: &Packet<'_>, reason: DropReason) {
        if let Some(port) = self.tables.port(packet.port) {
            self.tables.count_drop(port.slot(), reason);
        }
        self.reporter.report(packet, reason, self.clock.now());
    }
}
