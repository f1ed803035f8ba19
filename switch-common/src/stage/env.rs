//! The only seam between the stages and the world: a frame, the tables, the clock.

use crate::{
    abi::{
        addr::{DomainId, PortId, Slot},
        domain::DomainConfig,
        fdb::{FdbEntry, FdbKey},
        port::PortConfig,
    },
    units::Nanos,
    verdict::{DropReason, PuntReason, Verdict},
    wire::vlan::Tag,
};

/// How far `parse` follows chains of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDepth {
    /// IPv6 extension headers that are walked.
    pub extensions: u32,
    /// The last offset in bytes that a header may begin at.
    pub reach: u32,
    /// What becomes of a frame with more extension headers, or longer ones.
    pub beyond: Verdict,
}

impl ParseDepth {
    /// That of the kernel programs: what the verifier can follow.
    pub const FAST_PATH: Self =
        Self { extensions: 4, reach: 0x3ff, beyond: Verdict::punt(PuntReason::LongHeaderChain) };
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

    /// Payload bytes of each frame that a GSO super-frame will become; 0 where it is no super-frame.
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

    /// The FDB entry of a key.
    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry>;

    /// Inserts an entry under a key that has none.
    ///
    /// # Errors
    /// The key has an entry by now, or the table is full.
    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError>;

    /// Replaces an entry where the key still has one. Two CPUs may race here; either entry is then a true one.
    fn fdb_replace(&self, key: FdbKey, entry: FdbEntry);

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
    /// Now.
    fn now(&self) -> Nanos;
}
