//! The forwarding database: (domain, VLAN, MAC) to port.

use crate::{
    abi::addr::{DomainId, MacAddr, PortId},
    units::Nanos,
    wire::vlan::VlanId,
};

/// Key of an FDB entry: an address, in a VLAN where the domain knows VLANs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, align(4))]
pub struct FdbKey {
    domain: DomainId,
    vlan: u16,
    mac: MacAddr,
    reserved: [u8; 2],
}

impl FdbKey {
    /// `mac` as `domain` knows it.
    #[must_use]
    #[inline(always)]
    pub const fn new(domain: DomainId, mac: MacAddr) -> Self {
        Self { domain, vlan: 0, mac, reserved: [0; 2] }
    }

    /// The same address in a VLAN of the domain; 0 where the domain knows no VLANs.
    #[must_use]
    #[inline(always)]
    pub const fn in_vlan(mut self, vlan: VlanId) -> Self {
        self.vlan = vlan.get();
        self
    }

    /// The VLAN; 0 where the domain knows no VLANs.
    #[must_use]
    pub const fn vlan(self) -> u16 {
        self.vlan
    }

    /// The bridge domain.
    #[must_use]
    pub const fn domain(self) -> DomainId {
        self.domain
    }

    /// The address.
    #[must_use]
    pub const fn mac(self) -> MacAddr {
        self.mac
    }
}

/// How an FDB entry came to be, and so what may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FdbKind {
    /// Seen as a source; ages, and moves when it is seen at another port.
    Learned = 1,
    /// Set by command; neither ages nor moves.
    Static = 2,
    /// Set by command as learned once and for all: does not move by learning, does not age.
    Sticky = 3,
    /// The own address of an endpoint or gateway, known from the control plane.
    Endpoint = 4,
}

impl FdbKind {
    /// Reads the kernel's number back.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Learned),
            2 => Some(Self::Static),
            3 => Some(Self::Sticky),
            4 => Some(Self::Endpoint),
            _ => None,
        }
    }

    /// The word that the command line and the API use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Static => "static",
            Self::Sticky => "sticky",
            Self::Endpoint => "endpoint",
        }
    }
}

/// Value of an FDB entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FdbEntry {
    port: PortId,
    kind: u32,
    last_seen_ns: u64,
}

impl FdbEntry {
    /// An entry that points to `port`; `now` matters for learned entries only.
    #[must_use]
    #[inline(always)]
    pub const fn new(port: PortId, kind: FdbKind, now: Nanos) -> Self {
        Self { port, kind: kind as u32, last_seen_ns: now.0 }
    }

    /// Where frames to the MAC go.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> PortId {
        self.port
    }

    /// How the entry came to be; `None` where the kernel holds a number that this version does not know.
    #[must_use]
    pub const fn kind(self) -> Option<FdbKind> {
        FdbKind::from_code(self.kind)
    }

    /// Whether the entry was learned, and so ages and moves.
    #[must_use]
    #[inline(always)]
    pub const fn is_learned(self) -> bool {
        self.kind == FdbKind::Learned as u32
    }

    /// Where the MAC is and how that is known, as the first eight bytes of the entry have it: what a move exchanges in one go.
    #[must_use]
    #[inline(always)]
    pub const fn place(self) -> u64 {
        self.port.0 as u64 | (self.kind as u64) << 32
    }

    /// Whether `other` says the same place.
    #[must_use]
    #[inline(always)]
    pub const fn is_at_place_of(self, other: Self) -> bool {
        self.place() == other.place()
    }

    /// When the MAC last sent a frame.
    #[must_use]
    #[inline(always)]
    pub const fn last_seen(self) -> Nanos {
        Nanos(self.last_seen_ns)
    }

    /// The same entry, last seen at `now`.
    #[must_use]
    #[inline(always)]
    pub const fn seen_at(mut self, now: Nanos) -> Self {
        self.last_seen_ns = now.0;
        self
    }

    /// Whether the entry is dead at `now` in a domain with this ageing time.
    #[must_use]
    #[inline(always)]
    pub const fn is_expired(self, now: Nanos, ageing: Nanos) -> bool {
        self.is_learned() && ageing.0 != 0 && now.since(self.last_seen()).0 >= ageing.0
    }
}
