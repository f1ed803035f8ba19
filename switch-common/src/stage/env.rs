//! The only seam between the stages and the world: a frame, the tables, the clock.

use crate::{
    abi::{
        addr::{DomainId, PortId, Slot},
        domain::DomainConfig,
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId, SNOOPED_BYTES},
        host::HostAddress,
        neighbour::{Neighbour, NeighbourKey},
        port::PortConfig,
        source::{SourceKey, SourceScope},
        storm::StormGate,
    },
    units::Nanos,
    verdict::{DropReason, FloodKind, PuntReason, Verdict},
    wire::vlan::{Tag, VlanId},
};

/// What the kernel gives as segment size of a super-frame whose sender has cut the segments (SCTP, Linux `GSO_BY_FRAGS`).
pub const SIZED_SEGMENTS: u32 = 0xffff;

/// How far `parse` follows chains of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDepth {
    /// IPv6 extension headers that are walked.
    pub extensions: u32,
    /// The last offset in bytes that a header may begin at.
    pub reach: u32,
    /// What becomes of a frame with more extension headers, or longer ones.
    pub beyond: Verdict,
    /// Neighbour discovery options that are walked.
    pub nd_options: u32,
    /// What becomes of a frame with more of them.
    pub beyond_nd_options: Verdict,
    /// Whether IPv4 options are walked; where not, frames with options other than a lone router alert are punted.
    pub walks_ipv4_options: bool,
    /// Bytes of the longest packet that the control plane can get a copy of; frames with longer ones are punted.
    pub snooped_bytes: u32,
    /// Whether ICMP errors are made here; where not, the packets that they are about are punted.
    pub makes_errors: bool,
}

impl ParseDepth {
    /// That of the kernel programs: what the verifier can follow.
    #[allow(clippy::cast_possible_truncation, reason = "a constant of three digits")]
    pub const FAST_PATH: Self = Self {
        extensions: 4,
        reach: 0x3ff,
        beyond: Verdict::punt(PuntReason::LongHeaderChain),
        nd_options: 4,
        beyond_nd_options: Verdict::punt(PuntReason::ManyNdOptions),
        walks_ipv4_options: false,
        snooped_bytes: SNOOPED_BYTES as u32,
        makes_errors: false,
    };

    /// Deep enough for every frame that has a right to exist.
    pub const SLOW_PATH: Self = Self {
        extensions: 32,
        reach: u32::MAX,
        beyond: Verdict::drop(DropReason::Ipv6Chain),
        nd_options: 64,
        beyond_nd_options: Verdict::drop(DropReason::NdSpoof),
        walks_ipv4_options: true,
        snooped_bytes: u32::MAX,
        makes_errors: true,
    };
}

/// A frame in packet memory. Bytes are copied out, never lent: the kernel's verifier loses the bounds of slices, and
/// no later stage can see a half-made change.
pub trait Frame {
    /// How far this datapath parses.
    const DEPTH: ParseDepth;

    /// Length in bytes from the destination MAC on, without a tag that lies in the metadata.
    fn len(&self) -> u32;

    /// The `N` bytes at `offset`; `None` where the frame ends before them.
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    /// The outermost tag where it lies in the packet's metadata instead of the frame.
    fn offloaded_tag(&self) -> Option<Tag>;

    /// Payload bytes of each frame that a GSO super-frame will become; 0 where it is no super-frame, [`SIZED_SEGMENTS`] where
    /// its segments have sizes of their own.
    fn segment_size(&self) -> u32;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why an FDB entry was not inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// Another CPU inserted the key first.
    Exists,
    /// The table is full.
    Full,
}

/// What the control plane tells the stages, and what they learn and count.
pub trait Tables {
    /// The record of a port; `None` where the interface is no port.
    fn port(&self, port: PortId) -> Option<PortConfig>;

    /// The record of a domain; `None` where there is none.
    fn domain(&self, domain: DomainId) -> Option<DomainConfig>;

    /// Notes that a frame came in on a port whose interface was taken to be down: it is up.
    fn note_awake(&self, port: PortId);

    /// What a source that is not a port's own may do there; `None` where it may not be used.
    fn source(&self, key: SourceKey) -> Option<SourceScope>;

    /// Whether a trunk port carries a VLAN.
    fn carries_vlan(&self, slot: Slot, vlan: VlanId) -> bool;

    /// Who is at an address; `None` where that is not known.
    fn neighbour(&self, key: NeighbourKey) -> Option<Neighbour>;

    /// The ports that a group goes to; [`ListId::NONE`] where it is not registered.
    fn group(&self, key: GroupKey) -> ListId;

    /// Whether the host has an address that means something beyond a link.
    fn is_host_address(&self, address: HostAddress) -> bool;

    /// A port's limit for a kind of flood, with its account.
    fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate;

    /// Replaces the account `known` of a port by `next`; says `false` and changes nothing where it is another one by now.
    fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool;

    /// A port's account of ICMP errors.
    fn error_account(&self, slot: Slot) -> Nanos;

    /// Replaces the account `known` of ICMP errors by `next`; says `false` and changes nothing where it is another one by now.
    fn error_charge(&self, slot: Slot, known: Nanos, next: Nanos) -> bool;

    /// The FDB entry of a key.
    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry>;

    /// Inserts an entry under a key that has none.
    ///
    /// # Errors
    /// The key has an entry by now, or the table is full.
    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError>;

    /// Notes that the MAC of a learned entry sent a frame just now. An entry that became another one meanwhile may get the
    /// time as well, which then means nothing.
    fn fdb_refresh(&self, key: FdbKey, known: FdbEntry, now: Nanos);

    /// Replaces `known` by `seen`; says `false` and changes nothing where the key's entry is another one by now.
    fn fdb_move(&self, key: FdbKey, known: FdbEntry, seen: FdbEntry) -> bool;

    /// Adds one learned MAC to a port's account unless it holds `cap` already (0: no cap).
    fn claim_learned(&self, slot: Slot, cap: u32) -> bool;

    /// Takes one learned MAC off a port's account.
    fn release_learned(&self, slot: Slot);

    /// Notes that a source was forwarded but not learned, for want of room.
    fn count_not_learned(&self, slot: Slot);

    /// Counts a frame that came in.
    fn count_rx(&self, slot: Slot, bytes: u32);

    /// Counts a frame, or a copy of one, that goes out.
    fn count_tx(&self, slot: Slot, bytes: u32);

    /// Counts a drop.
    fn count_drop(&self, slot: Slot, reason: DropReason);
}

/// The monotonic clock. Read only where time matters: a reading costs more than a table lookup.
pub trait Clock {
    /// Now, as exact as a scheduler's tick.
    fn now(&self) -> Nanos;

    /// Now, exact to the microsecond: dearer.
    fn exact_now(&self) -> Nanos;
}
