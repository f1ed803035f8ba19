//! Bridge domains.

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
    /// Multicast goes where membership messages say.
    pub const SNOOPING: Self = Self(1 << 3);

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
    flags: u32,
    reserved: u32,
}

impl DomainConfig {
    /// A domain whose learned entries die `ageing` after the last frame from their MAC (zero: never).
    #[must_use]
    pub const fn new(ageing: Nanos, flags: DomainFlags) -> Self {
        Self { ageing_ns: ageing.0, flags: flags.with(DomainFlags::IN_USE, true).0, reserved: 0 }
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

    /// Whether the domain exists.
    #[must_use]
    #[inline(always)]
    pub const fn is_in_use(self) -> bool {
        self.flags().has(DomainFlags::IN_USE)
    }
}
