//! Which ports of a domain get a copy.
//!
//! Enforces: one copy a port at most; none to the ingress port (unless hairpin), to a port that has this kind of flood
//! switched off, between isolated ports, or into a port whose MTU the frame exceeds.

use crate::{
    abi::{
        addr::PortId,
        port::{PortConfig, PortFlags},
    },
    stage::forward::both_isolated,
    verdict::FloodKind,
};

/// A flood under way: where it came from, of what kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// The ingress port.
    pub from: PortId,
    /// The ingress port's record.
    pub source: PortConfig,
    /// Which of a port's flood switches applies.
    pub kind: FloodKind,
}

impl Flood {
    /// Whether `port` gets a copy, its MTU aside.
    #[must_use]
    #[inline(always)]
    pub fn reaches(&self, port_id: PortId, port: &PortConfig) -> bool {
        let wanted = match self.kind {
            FloodKind::UnknownUnicast => PortFlags::FLOOD,
            FloodKind::Broadcast => PortFlags::BCAST_FLOOD,
            FloodKind::Multicast => PortFlags::MCAST_FLOOD,
        };
        let back = port_id == self.from && !self.source.flags().has(PortFlags::HAIRPIN);
        port.domain() == self.source.domain()
            && port.flags().has(PortFlags::READY)
            && port.flags().has(wanted)
            && !back
            && !both_isolated(&self.source, port)
    }
}

/// How far a long flood has come: what travels with the frame over the relay pair, in the packet's 32-bit mark.
///
/// From the highest bit: 16 bits ingress port, 2 bits kind, 1 bit "a copy was made", 13 bits chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodProgress {
    /// The ingress port.
    pub from: PortId,
    /// The kind of flood.
    pub kind: FloodKind,
    /// Whether a copy was made so far.
    pub copied: bool,
    /// The chunk to go on with.
    pub chunk: u32,
}

/// Flood-list positions that one run of the flood program serves. A quarter of the kernel's default backlog
/// (`net.core.netdev_max_backlog` 1000), so that the copies of one chunk always fit.
pub const FLOOD_CHUNK: u32 = 256;

impl FloodProgress {
    /// Packs it into a mark.
    #[must_use]
    #[inline(always)]
    pub const fn to_mark(self) -> u32 {
        self.from.0 << 16 | (self.kind as u32) << 14 | (self.copied as u32) << 13 | (self.chunk & 0x1fff)
    }

    /// Unpacks it; `None` where the mark is none of ours.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "two bits are taken out before the cast")]
    pub fn from_mark(mark: u32) -> Option<Self> {
        let kind = FloodKind::from_code(((mark >> 14) & 3) as u8)?;
        Some(Self { from: PortId(mark >> 16), kind, copied: mark & 1 << 13 != 0, chunk: mark & 0x1fff })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_survives_the_mark() {
        for kind in [FloodKind::UnknownUnicast, FloodKind::Broadcast, FloodKind::Multicast] {
            for copied in [false, true] {
                let progress = FloodProgress { from: PortId(0xfedc), kind, copied, chunk: 0x1fff };
                assert_eq!(FloodProgress::from_mark(progress.to_mark()), Some(progress));
            }
        }
        assert_eq!(FloodProgress::from_mark(0), None);
    }
}
