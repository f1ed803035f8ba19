//! The host's build of the stages over tables in memory, and what a datapath does with their verdicts.

use std::marker::PhantomData;

use switch_common::{
    DropReason, Verdict,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey},
        group::ListId,
        port::PortFlags,
        punt::punt_header,
        storm::StormLimits,
    },
    stage::{
        env::{Clock, Frame, Tables},
        flood::{Flood, GROUP_SWITCH, switch_of},
        forward::{exceeds_mtu, is_for_host, is_for_host_too},
        headers::{Headers, Network},
        parse, pipeline,
        respond::{advertisement, arp_reply},
        vlan::{Membership, TagChange},
    },
    units::Nanos,
    verdict::Outcome as Decision,
    wire::vlan::is_tpid,
};
use switch_userspace::datapath::userspace::{Depth, FastPath, MemTables, MonotonicClock, SliceFrame, View};
use wye_tests::support::scenario::{AGEING, DOMAINS, FrameSpec, PORTS, Scenario, slot};

use crate::compare::{Fdb, Outcome, SlotState};

/// Where the outermost tag lies.
const TAG: std::ops::Range<usize> = 12..16;
/// What a tcx program returns.
const PASS: u32 = 0;
const SHOT: u32 = 2;
const REDIRECT: u32 = 7;

/// The stages on the host, looking as deep into frames as `D`.
pub(crate) struct Reference<D = FastPath> {
    tables: MemTables,
    ports: Vec<PortId>,
    depth: PhantomData<D>,
}

impl<D: Depth> Reference<D> {
    /// A switch whose ports have these interfaces; the last is no port.
    pub(crate) fn new(ports: Vec<PortId>) -> Self {
        let tables = MemTables::default();
        for domain in 1..=DOMAINS {
            tables.set_domain(DomainId(domain), AGEING, DomainFlags::NONE);
        }
        Self { tables, ports, depth: PhantomData }
    }

    /// Sets ports and FDB as the scenario says; counters go on.
    pub(crate) fn set_up(&mut self, scenario: &Scenario) {
        for (key, _) in self.tables.list_fdb() {
            self.tables.remove_fdb(key);
        }
        for domain in 1..=DOMAINS {
            self.tables.set_domain(DomainId(domain), AGEING, scenario.domain_flags());
        }
        for group in self.tables.groups() {
            self.tables.remove_group(group.key);
        }
        // One after the other: both worlds give them the same lists.
        for (key, members) in scenario.groups() {
            let ports: Vec<_> = members.iter().map(|index| self.ports[*index]).collect();
            self.tables.set_group(key, &ports).expect("room for a few groups");
        }
        for index in 0..PORTS {
            let neighbours = scenario.neighbours(index);
            self.tables.set_neighbours(self.ports[index], &neighbours).expect("room for a few neighbours");
            self.tables.set_port(self.ports[index], scenario.config(index));
            self.tables.set_sources(slot(index), &scenario.sources(index)).expect("room for a few sources");
            self.tables.set_vlans(slot(index), scenario.vlans(index));
            // Accounts begin anew where limits change.
            self.tables.accounts().set_storm(slot(index), StormLimits::NONE);
            self.tables.accounts().set_storm(slot(index), scenario.storm(index));
        }
        self.tables.set_host_addresses(&scenario.host_addresses()).expect("room for a few addresses");
        let now = MonotonicClock.now();
        for entry in &scenario.entries {
            let (kind, age) = entry.kind.parts();
            let key = FdbKey::new(DomainId(entry.domain), entry.mac);
            let value = FdbEntry::new(self.ports[entry.port], kind, Nanos(now.0.saturating_sub(age.0)));
            self.tables.put_fdb(key, value).expect("room for a few entries");
        }
    }

    /// Judges a frame and does with it what a datapath does.
    pub(crate) fn inject(&mut self, spec: &FrameSpec) -> Outcome {
        let frame = SliceFrame::<D>::new(&spec.bytes, None, spec.segment_size);
        let port = self.ports[spec.port];
        self.awaken(&frame, port);
        let view = self.tables.view();
        let mut headers = Headers::EMPTY;
        let verdict = pipeline::run(&frame, &mut headers, port, &view, &MonotonicClock);
        let action = carry_out(&view, &frame, port, verdict);
        let mut bytes = spec.bytes.clone();
        match verdict.outcome() {
            Some(Decision::Punt(reason)) if action == REDIRECT => {
                bytes.splice(..0, punt_header(port, reason));
            }
            Some(Decision::Forward(_, tags)) => bytes = retagged(bytes, tags),
            Some(Decision::Respond(at)) => {
                bytes = reply(&frame, &headers, at);
                let length = u32::try_from(bytes.len()).expect("a short reply");
                view.count_tx(view.port(port).expect("a port").slot(), length);
            }
            _ => {}
        }
        Outcome { verdict: verdict.raw(), action, bytes }
    }

    /// What a frame tells of an interface that was taken to be down: the control plane's to note where there is no kernel program.
    fn awaken(&self, frame: &SliceFrame<'_, D>, port: PortId) {
        let Some(config) = self.tables.view().port(port) else { return };
        let flags = config.flags();
        if flags.has(PortFlags::READY) && flags.has(PortFlags::DOWN) && !is_for_host(frame, &config) {
            self.tables.set_port(port, config.with_flags(flags.with(PortFlags::DOWN, false)));
        }
    }

    /// Counters of the port with this index; slot 0 is that of interfaces that are no ports.
    pub(crate) fn slot(&self, place: usize) -> SlotState {
        let slot = Slot(u16::try_from(place).expect("a few slots"));
        let accounts = self.tables.accounts();
        SlotState {
            traffic: accounts.counters(slot),
            drops: accounts.drops(slot).into_iter().collect(),
            state: accounts.state(slot),
        }
    }

    /// The FDB as it is now.
    pub(crate) fn fdb(&self) -> Fdb {
        self.tables.list_fdb().into_iter().collect()
    }
}

/// The bytes of a frame after a change of its tag. The kernel keeps the outermost tag that it moved beside the bytes.
fn retagged(mut bytes: Vec<u8>, tags: TagChange) -> Vec<u8> {
    let mut beside = None;
    if tags.strip {
        bytes.drain(TAG);
        if is_tpid(u16::from_be_bytes([bytes[12], bytes[13]])) {
            beside = Some(bytes.drain(TAG).collect::<Vec<u8>>());
        }
    }
    if let (Some(_), Some(inner)) = (tags.push, beside) {
        bytes.splice(TAG.start..TAG.start, inner);
    }
    bytes
}

fn carry_out<F: Frame>(view: &View<'_>, frame: &F, port: PortId, verdict: Verdict) -> u32 {
    match verdict.outcome().expect("the stages give verdicts") {
        Decision::Forward(..) | Decision::Respond(_) => REDIRECT,
        Decision::Flood(kind, member) => {
            let order = (ListId::NONE, switch_of(kind), member, verdict.copied().is_some());
            flood(view, frame, port, order)
        }
        Decision::Deliver(list, member) => {
            flood(view, frame, port, (list, GROUP_SWITCH, member, verdict.copied().is_some()))
        }
        Decision::ToHost => PASS,
        Decision::Punt(_) if host_keeps(view, frame, port) => {
            view.count_drop(view.port(port).expect("a port").slot(), DropReason::PuntFailed);
            PASS
        }
        Decision::Punt(_) => REDIRECT,
        Decision::Drop(_) if host_keeps(view, frame, port) => PASS,
        Decision::Drop(_) | Decision::Refuse(..) => SHOT,
    }
}

fn reply<F: Frame>(frame: &F, headers: &Headers, at: MacAddr) -> Vec<u8> {
    if headers.network == Network::Arp {
        arp_reply(frame, headers, at).expect("a request").to_vec()
    } else {
        advertisement(frame, headers, at).expect("a solicitation").to_vec()
    }
}

fn host_keeps<F: Frame>(view: &View<'_>, frame: &F, port: PortId) -> bool {
    view.port(port).is_some_and(|port| is_for_host_too(frame, &port))
}

fn flood<F: Frame>(
    view: &View<'_>,
    frame: &F,
    from: PortId,
    (list, switch, member, is_taken): (ListId, PortFlags, Membership, bool),
) -> u32 {
    let source = view.port(from).expect("a flood comes from a port");
    let headers = parse::parse(frame).expect("what is flooded was parsed");
    let flood = Flood { from, source, switch, member };
    let uplink = source.flags().has(PortFlags::UPLINK);
    let mut copied = uplink || is_taken;
    let list = if list == ListId::NONE { ListId::of_domain(source.domain()) } else { list };
    for to in view.members(list) {
        let port = view.port(*to).expect("a member is a port");
        if flood.copy_for(*to, &port, view).is_none() {
            continue;
        }
        copied = true;
        if exceeds_mtu(frame, &headers, &port) {
            view.count_drop(port.slot(), DropReason::TooBig);
        } else {
            view.count_tx(port.slot(), frame.len());
        }
    }
    if !copied {
        view.count_drop(source.slot(), DropReason::NoFlood);
    }
    if uplink { PASS } else { SHOT }
}
