//! VLAN tags: 802.1Q (C-tag) and 802.1ad (S-tag) (IEEE 802.1Q-2018, 9.6).

use crate::wire::be16;

/// Tag length in bytes.
pub const LEN: u32 = 4;
/// Tag protocol identifier of a C-tag.
pub const TPID_8021Q: u16 = 0x8100;
/// Tag protocol identifier of an S-tag.
pub const TPID_8021AD: u16 = 0x88a8;

/// Whether a type field announces a tag.
#[must_use]
#[inline(always)]
pub const fn is_tpid(ethertype: u16) -> bool {
    ethertype == TPID_8021Q || ethertype == TPID_8021AD
}

/// A VLAN number from 0 (priority tag) to 4094.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// No VLAN: the number of priority tags.
    pub const NONE: Self = Self(0);
    /// Largest number; 4095 is reserved.
    pub const MAX: u16 = 4094;

    /// `None` for numbers above [`Self::MAX`].
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if id <= Self::MAX { Some(Self(id)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A tag, from the frame or from the packet's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// [`TPID_8021Q`] or [`TPID_8021AD`].
    pub tpid: u16,
    /// Priority, drop eligibility and the 12-bit VLAN number.
    pub tci: u16,
}

impl Tag {
    /// Whether the tag has a priority only, and names no VLAN.
    #[must_use]
    #[inline(always)]
    pub const fn is_priority(self) -> bool {
        self.tci & 0x0fff == 0
    }

    /// The VLAN number; `None` for the reserved 4095.
    #[must_use]
    pub const fn vlan(self) -> Option<VlanId> {
        VlanId::new(self.tci & 0x0fff)
    }
}

/// The four bytes behind a TPID: the rest of the tag and the type field of what it carries.
#[derive(Clone, Copy, Debug)]
pub struct TagBytes(pub [u8; 4]);

impl TagBytes {
    /// Tag control information.
    #[must_use]
    #[inline(always)]
    pub const fn tci(&self) -> u16 {
        be16(&self.0, 0)
    }

    /// Type or length field behind the tag.
    #[must_use]
    #[inline(always)]
    pub const fn type_or_len(&self) -> u16 {
        be16(&self.0, 2)
    }
}
