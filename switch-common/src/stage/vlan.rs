//! VLANs: which one a frame is in, and what tag it has when it leaves (IEEE 802.1Q-2018, clause 6.9).
//!
//! Enforces: an access port sends and takes no tags; a trunk port takes tags of its own kind and of VLANs that it carries; a frame that
//! is tagged with the trunk's native VLAN hides no second tag, and wherever else one comes from, a tag that was behind another one
//! never becomes the one that a trunk port goes by. Ports of networks without VLANs carry tags as they are.

use crate::{
    abi::port::{PortConfig, PortFlags},
    stage::{env::Tables, headers::Headers},
    verdict::DropReason,
    wire::vlan::{self, Tag, VlanId},
};

/// How a frame told its VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Told {
    /// Not at all: it is the port's native one.
    Untagged = 0,
    /// By a tag that has a priority only: it is the port's native one.
    Priority = 1,
    /// By its tag.
    Tagged = 2,
}

/// What a frame begins with once the tag that told its VLAN is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Behind {
    /// No tag.
    Payload = 0,
    /// An 802.1Q tag.
    CustomerTag = 1,
    /// An 802.1ad tag.
    ServiceTag = 2,
}

impl Behind {
    #[inline(always)]
    const fn of_type(ethertype: u16) -> Self {
        match ethertype {
            vlan::TPID_8021Q => Self::CustomerTag,
            vlan::TPID_8021AD => Self::ServiceTag,
            _ => Self::Payload,
        }
    }
}

/// The VLAN that a frame is in, and how its tag says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    vlan: VlanId,
    told: Told,
    /// Priority and drop eligibility, as the tag's highest four bits have them.
    priority: u16,
    behind: Behind,
}

/// Packed: 12 bits VLAN, 2 bits how it was told, 4 bits priority, 2 bits what is behind.
const TOLD_SHIFT: u32 = 12;
const PRIORITY_SHIFT: u32 = 14;
const BEHIND_SHIFT: u32 = 18;

impl Membership {
    /// That of every frame in a network without VLANs.
    pub const NONE: Self =
        Self { vlan: VlanId::NONE, told: Told::Untagged, priority: 0, behind: Behind::Payload };

    /// The VLAN; [`VlanId::NONE`] in a network without VLANs.
    #[must_use]
    #[inline(always)]
    pub const fn vlan(self) -> VlanId {
        self.vlan
    }

    /// That of an untagged frame in a VLAN.
    #[must_use]
    pub const fn untagged_in(vlan: VlanId) -> Self {
        Self { vlan, ..Self::NONE }
    }

    /// That of a frame with this tag and something of type `behind` behind it, wherever it came from.
    #[must_use]
    #[inline(always)]
    pub const fn of_tag(tag: Tag, behind: u16) -> Option<Self> {
        let behind = Behind::of_type(behind);
        match tag.vlan() {
            Some(vlan) => Some(Self { vlan, told: Told::Tagged, priority: tag.tci >> 12, behind }),
            None => None,
        }
    }

    /// A tag of this kind for the VLAN, with the frame's priority.
    #[must_use]
    #[inline(always)]
    pub const fn tag(self, tpid: u16) -> Tag {
        Tag { tpid, tci: self.priority << 12 | self.vlan.get() }
    }

    /// The tag that the frame came with.
    #[must_use]
    #[inline(always)]
    pub fn original_tag(self, port: &PortConfig) -> Option<Tag> {
        match self.told {
            Told::Untagged => None,
            Told::Priority => Some(Tag { tpid: tpid_of(port), tci: self.priority << 12 }),
            Told::Tagged => Some(self.tag(tpid_of(port))),
        }
    }

    /// Packs it into 20 bits.
    #[must_use]
    #[inline(always)]
    pub const fn to_bits(self) -> u32 {
        self.vlan.get() as u32
            | (self.told as u32) << TOLD_SHIFT
            | (self.priority as u32) << PRIORITY_SHIFT
            | (self.behind as u32) << BEHIND_SHIFT
    }

    /// Unpacks it.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the parts are taken apart as they were put together")]
    pub const fn from_bits(bits: u32) -> Self {
        let vlan = match VlanId::new((bits & 0xfff) as u16) {
            Some(vlan) => vlan,
            None => VlanId::NONE,
        };
        let told = match bits >> TOLD_SHIFT & 3 {
            0 => Told::Untagged,
            1 => Told::Priority,
            _ => Told::Tagged,
        };
        let behind = match bits >> BEHIND_SHIFT & 3 {
            0 => Behind::Payload,
            1 => Behind::CustomerTag,
            _ => Behind::ServiceTag,
        };
        Self { vlan, told, priority: (bits >> PRIORITY_SHIFT) as u16 & 0xf, behind }
    }
}

/// What becomes of a frame's outermost tag on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagChange {
    /// The tag that it came with is taken off.
    pub strip: bool,
    /// Then this one is put on.
    pub push: Option<Tag>,
}

impl TagChange {
    /// It leaves as it came.
    pub const NONE: Self = Self { strip: false, push: None };

    const STRIP: u32 = 1;
    const PUSH: u32 = 1 << 1;
    const SERVICE: u32 = 1 << 2;
    const TCI_SHIFT: u32 = 3;

    /// Packs it into 19 bits.
    #[must_use]
    #[inline(always)]
    pub const fn to_bits(self) -> u32 {
        let strip = if self.strip { Self::STRIP } else { 0 };
        match self.push {
            None => strip,
            Some(tag) => {
                let service = if tag.tpid == vlan::TPID_8021AD { Self::SERVICE } else { 0 };
                strip | Self::PUSH | service | (tag.tci as u32) << Self::TCI_SHIFT
            }
        }
    }

    /// Unpacks it.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the parts are taken apart as they were put together")]
    pub const fn from_bits(bits: u32) -> Self {
        let tpid = if bits & Self::SERVICE != 0 { vlan::TPID_8021AD } else { vlan::TPID_8021Q };
        let tag = Tag { tpid, tci: (bits >> Self::TCI_SHIFT) as u16 };
        Self { strip: bits & Self::STRIP != 0, push: if bits & Self::PUSH != 0 { Some(tag) } else { None } }
    }
}

/// Says which VLAN a frame is in.
///
/// # Errors
/// The port does not carry it.
#[inline(always)]
pub fn classify<T: Tables>(
    headers: &Headers,
    port: &PortConfig,
    tables: &T,
) -> Result<Membership, DropReason> {
    if !port.flags().has(PortFlags::VLAN) {
        return Ok(Membership::NONE);
    }
    let native = |told, priority, behind| match port.native_vlan() {
        VlanId::NONE => Err(DropReason::Vlan),
        vlan => Ok(Membership { vlan, told, priority, behind }),
    };
    let Some(tag) = headers.tag else { return native(Told::Untagged, 0, Behind::Payload) };
    let is_own_kind = tag.tpid == tpid_of(port);
    if is_own_kind && tag.is_priority() {
        return native(Told::Priority, tag.tci >> 12, Behind::of_type(headers.behind_tag));
    }
    if !port.flags().has(PortFlags::TRUNK) {
        return Err(DropReason::Vlan);
    }
    if !is_own_kind {
        let is_customers = tag.tpid == vlan::TPID_8021Q;
        let as_payload = || native(Told::Untagged, 0, Behind::CustomerTag);
        return if is_customers { as_payload() } else { Err(DropReason::Vlan) };
    }
    let member = Membership::of_tag(tag, headers.behind_tag).ok_or(DropReason::Vlan)?;
    let hides_a_tag = member.vlan == port.native_vlan() && headers.tags > 1;
    let is_carried = member.vlan == port.native_vlan() || tables.carries_vlan(port.slot(), member.vlan);
    if is_carried && !hides_a_tag { Ok(member) } else { Err(DropReason::Vlan) }
}

/// What becomes of a frame's tag at an egress port; `None` where the port does not carry the frame's VLAN, or what is behind the tag
/// would be taken for its VLAN there.
#[must_use]
#[inline(always)]
pub fn leave<T: Tables>(member: Membership, port: &PortConfig, tables: &T) -> Option<TagChange> {
    if !port.flags().has(PortFlags::VLAN) {
        return Some(TagChange::NONE);
    }
    let strip = member.told != Told::Untagged;
    let is_trunk = port.flags().has(PortFlags::TRUNK);
    if member.vlan == port.native_vlan() {
        let is_hidden_tag = is_trunk && member.behind == own_tags(port);
        return (!is_hidden_tag && member.vlan != VlanId::NONE).then_some(TagChange { strip, push: None });
    }
    let is_carried = is_trunk && tables.carries_vlan(port.slot(), member.vlan);
    is_carried.then(|| TagChange { strip, push: Some(member.tag(tpid_of(port))) })
}

#[inline(always)]
fn own_tags(port: &PortConfig) -> Behind {
    if port.flags().has(PortFlags::SERVICE_TAGS) { Behind::ServiceTag } else { Behind::CustomerTag }
}

/// The kind of tags that a port has.
#[inline(always)]
fn tpid_of(port: &PortConfig) -> u16 {
    if port.flags().has(PortFlags::SERVICE_TAGS) { vlan::TPID_8021AD } else { vlan::TPID_8021Q }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_and_tag_changes_survive_packing() {
        let tag = |tpid, tci| Tag { tpid, tci };
        let tagged = Membership::of_tag(tag(vlan::TPID_8021Q, 0xb123), 0).expect("a VLAN");
        let stacked = [Behind::CustomerTag, Behind::ServiceTag].map(|behind| Membership { behind, ..tagged });
        for member in
            [Membership::NONE, tagged, Membership { told: Told::Priority, ..tagged }].iter().chain(&stacked)
        {
            assert_eq!(Membership::from_bits(member.to_bits()), *member);
            assert!(member.to_bits() < 1 << 20);
        }
        for push in [None, Some(tag(vlan::TPID_8021Q, 0xffff)), Some(tag(vlan::TPID_8021AD, 0))] {
            for strip in [false, true] {
                let change = TagChange { strip, push };
                assert_eq!(TagChange::from_bits(change.to_bits()), change);
                assert!(change.to_bits() < 1 << 19);
            }
        }
    }
}
