//! The host's build of the stages over tables in memory, and what a datapath does with their verdicts.

use std::marker::PhantomData;

use switch_common::{
    DropReason, FloodKind, Verdict,
    abi::{
        addr::{DomainId, PortId, Slot},
        fdb::{FdbEntry, FdbKey},
        port::PortFlags,
        punt::punt_header,
    },
    stage::{
        env::{Clock, Frame, Tables},
        flood::{Flood, switch_of},
        forward::{exceeds_mtu, is_for_host_too},
        headers::Headers,
        parse, pipeline,
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
            tables.set_domain(DomainId(domain), AGEING);
        }
        Self { tables, ports, depth: PhantomData }
    }

    /// Sets ports and FDB as the scenario says; counters go on.
    pub(crate) fn set_up(&mut self, scenario: &Scenario) {
        for (key, _) in self.tables.list_fdb() {
            self.tables.remove_fdb(key);
        }
        for index in 0..PORTS {
            self.tables.set_port(self.ports[index], scenario.config(index));
            self.tables.set_sources(slot(index), &scenario.sources(index)).expect("room for a few sources");
            self.tables.set_vlans(slot(index), scenario.vlans(index));
        }
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
        let view = self.tables.view();
        let verdict = pipeline::run(&frame, &mut { Headers::EMPTY }, port, &view, &MonotonicClock);
        let action = carry_out(&view, &frame, port, verdict);
        let mut bytes = match verdict.outcome() {
            Some(Decision::Forward(_, tags)) => retagged(spec.bytes.clone(), tags),
            _ => spec.bytes.clone(),
        };
        if let (Some(Decision::Punt(reason)), REDIRECT) = (verdict.outcome(), action) {
            bytes.splice(..0, punt_header(port, reason));
        }
        Outcome { verdict: verdict.raw(), action, bytes }
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
        Decision::Forward(..) => REDIRECT,
        Decision::Flood(kind, member) => flood(view, frame, port, (kind, member)),
        Decision::ToHost => PASS,
        Decision::Punt(_) if host_keeps(view, frame, port) => {
            view.count_drop(view.port(port).expect("a port").slot(), DropReason::PuntFailed);
            PASS
        }
        Decision::Punt(_) => REDIRECT,
        Decision::Drop(_) if host_keeps(view, frame, port) => PASS,
        Decision::Drop(_) => SHOT,
    }
}

fn host_keeps<F: Frame>(view: &View<'_>, frame: &F, port: PortId) -> bool {
    view.port(port).is_some_and(|port| is_for_host_too(frame, &port))
}

fn flood<F: Frame>(view: &View<'_>, frame: &F, from: PortId, (kind, member): (FloodKind, Membership)) -> u32 {
    let source = view.port(from).expect("a flood comes from a port");
    let headers = parse::parse(frame).expect("what is flooded was parsed");
    let flood = Flood { from, source, switch: switch_of(kind), member };
    let uplink = source.flags().has(PortFlags::UPLINK);
    let mut copied = uplink;
    for to in view.members(source.domain()) {
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
