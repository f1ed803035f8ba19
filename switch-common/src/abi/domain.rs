//! Bridge domains and their flood lists.

use crate::units::Nanos;

/// A domain's switches. A set of bits; the absent bit is "off".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct DomainFlags(u32);

impl DomainFlags {
    const IN_USE: Self = Self(1);
    /// ARP requests and neighbour solicitations for known neighbours are answered by the switch.
    pub const SUPPRESS: Self = Self(1 << 1);
    /// Those for unknown neighbours are dropped instead of flooded; means nothing without [`Self::SUPPRESS`].
    pub const DROP_UNKNOWN: Self = Self(1 << 2);

    /// No flag at all.
    pub const NONE: Self = Self(0);

    /// Whether all flags of `other` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the flags of `other` set or cleared.
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

/// One bridge domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DomainConfig {
    ageing_ns: u64,
    flood_len: u32,
    flags: u32,
}

impl DomainConfig {
    /// A domain whose learned entries die `ageing` after the last frame from their MAC (zero: never).
    #[must_use]
    pub const fn new(ageing: Nanos, flood_len: u32, flags: DomainFlags) -> Self {
        Self { ageing_ns: ageing.0, flood_len, flags: flags.with(DomainFlags::IN_USE, true).0 }
    }

    /// The domain's switches.
    #[must_use]
    #[inline(always)]
    pub const fn flags(self) -> DomainFlags {
        DomainFlags(self.flags)
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
        self.flags().has(DomainFlags::IN_USE)
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
