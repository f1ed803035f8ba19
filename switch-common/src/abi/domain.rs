//! Bridge domains and their flood lists.

use crate::units::Nanos;

/// One bridge domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DomainConfig {
    ageing_ns: u64,
    flood_len: u32,
    in_use: u32,
}

impl DomainConfig {
    /// A domain whose learned entries die `ageing` after the last frame from their MAC (zero: never).
    #[must_use]
    pub const fn new(ageing: Nanos, flood_len: u32) -> Self {
        Self { ageing_ns: ageing.0, flood_len, in_use: 1 }
    }

    /// Lifetime of a learned entry; zero means that it does not age.
    #[must_use]
    #[inline(always)]
    pub const fn ageing(self) -> Nanos {
        Nanos(self.ageing_ns)
    }

    /// Flood-list positions in use, holes included: copies go to positions `0..flood_len`.
    #[must_use]
    #[inline(always)]
    pub const fn flood_len(self) -> u32 {
        self.flood_len
    }

    /// Whether the domain exists.
    #[must_use]
    #[inline(always)]
    pub const fn is_in_use(self) -> bool {
        self.in_use == 1
    }
}

/// A position in a domain's flood list. The value is a [`super::addr::PortId`]; a missing position is a hole.
///
/// Holes make removal safe under traffic: entries never move, so no flood in flight can reach a port twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FloodKey {
    domain: u32,
    position: u32,
}

impl FloodKey {
    /// Position `position` of `domain`'s list.
    #[must_use]
    #[inline(always)]
    pub const fn new(domain: super::addr::DomainId, position: u32) -> Self {
        Self { domain: domain.0 as u32, position }
    }
}
