//! Every map, typed from the shared ABI. Names are those of `abi::names`.
//!
//! The ports are mappable for their alignment only: records of a cache line each begin at one.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, HashMap, PerCpuArray, ProgramArray, RingBuf},
    macros::btf_map,
};
use switch_common::{
    Verdict,
    abi::{
        self,
        addr::PortId,
        counters::{DROPS_PER_SLOT, PortCounters},
        domain::DomainConfig,
        event::{DropEvent, EventGate},
        fdb::{FdbEntry, FdbKey},
        group::{FloodKey, GroupKey, ListId, SnoopRecord},
        host::HostAddress,
        names::JUMPS as JUMPS_BY_POSITION,
        neighbour::{Neighbour, NeighbourKey},
        port::{PortConfig, PortState, SwitchConfig},
        source::SourceKey,
        storm::{GATES_PER_SLOT, StormGate},
        vlan::VlanSet,
    },
    stage::headers::Headers,
};

const PORT_COUNT: usize = abi::MAX_PORTS as usize;
const SLOT_COUNT: usize = abi::MAX_SLOTS as usize;
const GATE_COUNT: usize = SLOT_COUNT * GATES_PER_SLOT as usize;
const DROP_COUNT: usize = SLOT_COUNT * DROPS_PER_SLOT as usize;

#[btf_map]
pub(crate) static PORTS: Array<PortConfig, PORT_COUNT, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map]
pub(crate) static DOMAINS: Array<DomainConfig, { abi::MAX_DOMAINS as usize }> = Array::new();
#[btf_map]
pub(crate) static FDB: HashMap<FdbKey, FdbEntry, { abi::MAX_FDB_ENTRIES as usize }> = HashMap::new();
#[btf_map]
pub(crate) static SOURCES: HashMap<SourceKey, u32, { abi::MAX_SOURCES as usize }> = HashMap::new();
#[btf_map]
pub(crate) static VLANS: Array<VlanSet, SLOT_COUNT> = Array::new();
#[btf_map]
pub(crate) static NEIGHBOURS: HashMap<NeighbourKey, Neighbour, { abi::MAX_NEIGHBOURS as usize }> =
    HashMap::new();
#[btf_map]
pub(crate) static HOST_ADDRESSES: HashMap<HostAddress, u32, { abi::MAX_HOST_ADDRESSES as usize }> =
    HashMap::new();
#[btf_map]
pub(crate) static STORM: Array<StormGate, GATE_COUNT, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map]
pub(crate) static FLOOD_LIST: HashMap<FloodKey, PortId, { abi::MAX_FLOOD_ENTRIES as usize }> = HashMap::new();
#[btf_map]
pub(crate) static GROUPS: HashMap<GroupKey, ListId, { abi::MAX_GROUPS as usize }> = HashMap::new();
#[btf_map]
pub(crate) static LIST_LENGTHS: Array<u32, { abi::MAX_LISTS as usize }> = Array::new();
#[btf_map]
pub(crate) static SNOOPED: RingBuf<SnoopRecord, { 1 << 18 }> = RingBuf::new();
#[btf_map]
pub(crate) static PORT_STATE: Array<PortState, SLOT_COUNT, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map]
pub(crate) static PORT_COUNTERS: PerCpuArray<PortCounters, SLOT_COUNT> = PerCpuArray::new();
#[btf_map]
pub(crate) static DROPS: Array<u64, DROP_COUNT, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map]
pub(crate) static SWITCH: Array<SwitchConfig, 1> = Array::new();
#[btf_map]
pub(crate) static EVENTS: RingBuf<DropEvent, { 1 << 18 }> = RingBuf::new();
#[btf_map]
pub(crate) static EVENT_GATES: PerCpuArray<EventGate, { DROPS_PER_SLOT as usize }> = PerCpuArray::new();
#[btf_map]
static HEADERS: PerCpuArray<Headers, 1> = PerCpuArray::new();
#[btf_map]
pub(crate) static LAST_VERDICT: PerCpuArray<u64, 1> = PerCpuArray::new();
#[btf_map]
pub(crate) static JUMPS: ProgramArray<{ JUMPS_BY_POSITION.len() }> = ProgramArray::new();

/// The headers of the frame that this CPU is at. A tc program runs to its end before another begins on its CPU.
#[inline(always)]
pub(crate) fn headers() -> Option<&'static mut Headers> {
    let headers = HEADERS.get_ptr_mut(0)?;
    // SAFETY: a per-CPU slot of a live map, which only one program at a time uses, and each program asks for it once. It holds
    // zeros, which are valid `Headers`, or what a program stored as `Headers`.
    Some(unsafe { &mut *headers })
}

/// The switch's own interfaces.
#[inline(always)]
pub(crate) fn switch() -> SwitchConfig {
    SWITCH.get(0).copied().unwrap_or_default()
}

/// The verdict on the frame that this CPU is at.
#[inline(always)]
pub(crate) fn last_verdict() -> Option<Verdict> {
    LAST_VERDICT.get(0).copied().and_then(Verdict::from_raw)
}

/// Leaves the verdict where later programs, `explain` and the tests read it.
#[inline(always)]
pub(crate) fn note_verdict(verdict: Verdict) {
    if let Some(last) = LAST_VERDICT.get_ptr_mut(0) {
        // SAFETY: a per-CPU slot of a live map; nobody else on this CPU holds a reference to it.
        unsafe { *last = verdict.raw() }
    }
}
