//! Which ports of a list get a copy.
//!
//! Enforces: one copy a port at most; none to the ingress port (unless hairpin), to a port that has this kind of flood
//! switched off, that is blocked or down, to one that does not carry the VLAN, between isolated ports, or into a port whose MTU the frame exceeds.

use crate::{
    abi::{
        addr::PortId,
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::Tables,
        forward::both_isolated,
        vlan::{self, Membership, TagChange},
    },
    verdict::FloodKind,
};

/// The per-port switch that a kind of flood is subject to.
#[must_use]
#[inline(always)]
pub const fn switch_of(kind: FloodKind) -> PortFlags {
    match kind {
        FloodKind::UnknownUnicast => PortFlags::FLOOD,
        FloodKind::Broadcast => PortFlags::BCAST_FLOOD,
        FloodKind::Multicast => PortFlags::MCAST_FLOOD,
    }
}

/// The switch that members of a group are subject to: what they joined they get, whatever is flooded to them.
pub const GROUP_SWITCH: PortFlags = PortFlags::READY;

/// A flood under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// The ingress port.
    pub from: PortId,
    /// The ingress port's record.
    pub source: PortConfig,
    /// Which of a port's switches lets it in ([`switch_of`]).
    pub switch: PortFlags,
    /// The frame's VLAN.
    pub member: Membership,
}

impl Flood {
    /// Whether `port` gets a copy, its MTU and its VLANs aside.
    #[must_use]
    #[inline(always)]
    pub fn reaches(&self, port_id: PortId, port: &PortConfig) -> bool {
        let back = port_id == self.from && !self.source.flags().has(PortFlags::HAIRPIN);
        port.domain() == self.source.domain()
            && port.flags().lets_out()
            && port.flags().has(self.switch)
            && !back
            && !both_isolated(&self.source, port)
    }

    /// What becomes of the copy's tag at `port`; `None` where the port gets no copy.
    #[must_use]
    #[inline(always)]
    pub fn copy_for<T: Tables>(&self, port_id: PortId, port: &PortConfig, tables: &T) -> Option<TagChange> {
        if self.reaches(port_id, port) { vlan::leave(self.member, port, tables) } else { None }
    }
}

/// How far a long flood has come: what travels with the frame over the relay pair, in the packet's 32-bit mark.
///
/// From the highest bit: 16 bits ingress port, 5 bits switch, 1 bit "a copy was made", 10 bits chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodProgress {
    /// The ingress port.
    pub from: PortId,
    /// Which of a port's switches lets it in.
    pub switch: PortFlags,
    /// Whether a copy was made so far.
    pub copied: bool,
    /// The chunk to go on with.
    pub chunk: u32,
}

/// Flood-list positions that one run of the flood program serves: a fraction of the kernel's default backlog
/// (`net.core.netdev_max_backlog` 1000), so that the copies of one chunk always fit, and a loop that the verifier walks quickly.
pub const FLOOD_CHUNK: u32 = 128;

impl FloodProgress {
    /// Packs it into a mark.
    #[must_use]
    #[inline(always)]
    pub const fn to_mark(self) -> u32 {
        self.from.0 << 16 | self.switch.flood_bits() << 11 | (self.copied as u32) << 10 | (self.chunk & 0x3ff)
    }

    /// Unpacks it; `None` where the mark is none of ours. No branch but one, or the kernel's verifier would walk the loop
    /// behind it once for every kind of flood.
    #[must_use]
    #[inline(always)]
    pub fn from_mark(mark: u32) -> Option<Self> {
        let switch = PortFlags::from_flood_bits(mark >> 11);
        let progress =
            Self { from: PortId(mark >> 16), switch, copied: mark & 1 << 10 != 0, chunk: mark & 0x3ff };
        (switch != PortFlags::NONE).then_some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_survives_the_mark() {
        for switch in FloodKind::ALL.map(switch_of).into_iter().chain([GROUP_SWITCH]) {
            for copied in [false, true] {
                let progress = FloodProgress { from: PortId(0xfedc), switch, copied, chunk: 0x3ff };
                assert_eq!(FloodProgress::from_mark(progress.to_mark()), Some(progress));
            }
        }
        assert_eq!(FloodProgress::from_mark(0), None);
    }
}
