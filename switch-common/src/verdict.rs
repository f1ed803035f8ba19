//! What becomes of a frame, and why.

use crate::{
    abi::{
        addr::{MacAddr, PortId},
        group::ListId,
    },
    stage::vlan::{Membership, TagChange},
};

/// Numbers, texts and names of an enum of reasons in one table; numbers are never reused.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $word:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $text] $variant = $code,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Reads a number back.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The stable word that counters, events and JSON carry.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// One line for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a frame was dropped. One counter a port and reason.
    DropReason {
        UnknownPort = 1, "unknown_port", "the interface is no port of this switch";
        PortNotReady = 2, "port_not_ready", "the port's configuration is not complete yet";
        ShortFrame = 3, "short_frame", "the frame ends within its Ethernet header or tags";
        TagStack = 4, "tag_stack", "more VLAN tags than a switch may have to look behind";
        BadLlcLength = 5, "bad_llc_length", "the 802.3 length is longer than the frame";
        Ipv4Header = 6, "ipv4_header", "the IPv4 header's version, length or total length is wrong";
        Ipv6Header = 7, "ipv6_header", "the IPv6 header's version or payload length is wrong";
        Ipv6Chain = 8, "v6_ext", "the IPv6 extension headers are truncated, too many, or steer the packet";
        L4Header = 9, "l4_header", "the frame ends within its L4 header";
        ArpHeader = 10, "arp_header", "the ARP message is truncated or not for Ethernet and IPv4";
        SourceMac = 11, "src_mac", "the source MAC is no station's, or not the port's own";
        ReservedGroup = 12, "reserved_group", "the destination is a link-local group that no bridge forwards";
        MacLimit = 13, "mac_limit", "the port has learned as many MACs as it may";
        SamePort = 14, "same_port", "the destination is behind the port that the frame came from";
        Isolated = 15, "isolated", "both ports are isolated";
        TooBig = 16, "too_big", "the packet is larger than the destination port's MTU";
        NoFlood = 17, "no_flood", "no port of the domain takes this flood";
        EgressGone = 18, "egress_gone", "the destination port was removed";
        FloodCopy = 19, "flood_copy", "the kernel could not make or queue a copy";
        PuntFailed = 20, "punt_failed", "the frame could not be handed to the slow path";
        DomainGone = 21, "domain_gone", "the port's network was removed";
        ChecksumOffload = 22, "checksum_offload", "the frame's checksum or segmentation request is impossible";
        RxRing = 23, "rx_ring", "the userspace switch's receive ring was full";
        TxQueue = 24, "tx_queue", "the destination interface did not take the frame";
        SourceIp = 25, "src_ip", "the source address is not the port's own";
        ArpSpoof = 26, "arp_spoof", "the ARP message speaks for somebody else";
        NdSpoof = 27, "nd_spoof", "the neighbour discovery message speaks for somebody else";
        RouterAdvertisement = 28, "ra_guard", "the port may not send router advertisements";
        DhcpServer = 29, "dhcp_server", "the port may not answer as a DHCP server";
        IcmpRedirect = 30, "icmp_redirect", "the port may not send ICMP redirects";
        IcmpError = 31, "icmp_error", "the ICMP error is about a packet that its sender never got";
        L2Encap = 32, "l2_encap", "IP or ARP in an encapsulation that receivers read differently";
        TinyFragment = 33, "tiny_fragment", "the fragment cuts or overwrites an L4 header";
        Ipv4Options = 34, "ipv4_options", "the IPv4 options are malformed or steer the packet";
        Locked = 35, "locked", "the port is locked and the source MAC is not in the FDB for it";
        Vlan = 36, "vlan", "the port does not carry the frame's VLAN";
        Storm = 37, "storm", "more frames of this kind than the port may send";
        Loop = 38, "loop", "the port is blocked because it is cabled to another port of its network";
        NoNeighbour = 39, "no_neighbour", "nobody is known at the address asked for, and the network does not flood for it";
        ReplyFailed = 40, "reply_failed", "the kernel could not make the switch's own reply";
        MulticastQuery = 41, "mcast_query", "the port may not ask for members of multicast groups";
        LoopProbe = 42, "loop_probe", "a probe of a loop guard, which ends where it comes in";
        NoRoute = 43, "no_route", "the packet is sent to the gateway, and there is no way from there to where it is for";
    }
}

reasons! {
    /// Why the fast path hands a frame to the slow path.
    PuntReason {
        LongHeaderChain = 1, "long_header_chain", "more or longer IPv6 extension headers than the fast path walks";
        Ipv4Options = 2, "ipv4_options", "IPv4 options, which the fast path does not walk";
        ManyNdOptions = 3, "many_nd_options", "more neighbour discovery options than the fast path walks";
        LoopProbe = 4, "loop_probe", "a probe of a loop guard, which the control plane judges";
        LongReport = 5, "long_report", "a membership report of which the fast path cannot make a copy";
        Unreachable = 6, "unreachable", "the sender is to be told that there is no way to where the packet is for";
    }
}

/// What kind of flood a frame needs; each kind has its own per-port switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FloodKind {
    /// Unicast to a MAC that the FDB does not know.
    UnknownUnicast = 1,
    /// To all stations.
    Broadcast = 2,
    /// To a group.
    Multicast = 3,
}

impl FloodKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::UnknownUnicast, Self::Broadcast, Self::Multicast];

    /// Reads a number back.
    #[must_use]
    #[inline(always)]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::UnknownUnicast),
            2 => Some(Self::Broadcast),
            3 => Some(Self::Multicast),
            _ => None,
        }
    }
}

/// The outcome of the pipeline, spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To one port, with this change of its tag.
    Forward(PortId, TagChange),
    /// A copy to each port of the ingress port's domain that takes this kind and carries the VLAN.
    Flood(FloodKind, Membership),
    /// A copy to each port of the list that carries the VLAN.
    Deliver(ListId, Membership),
    /// Answered: the station asked for has this MAC. The reply goes out where the frame came in.
    Respond(MacAddr),
    /// To the host's own stack: the frame came in on an uplink and is the host's.
    ToHost,
    /// To the slow path.
    Punt(PuntReason),
    /// To nobody.
    Drop(DropReason),
    /// To nobody, and the router behind this port tells the sender so.
    Refuse(DropReason, PortId),
}

/// The outcome of the pipeline in one register: an enum with a payload would carry unset bytes across calls, which the
/// kernel's verifier refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Verdict(u64);

impl Verdict {
    const FORWARD: u64 = 1;
    const FLOOD: u64 = 2;
    const TO_HOST: u64 = 3;
    const PUNT: u64 = 4;
    const DROP: u64 = 5;
    const RESPOND: u64 = 6;
    const DELIVER: u64 = 7;
    const REFUSE: u64 = 8;
    /// In a flood or delivery: the control plane gets a copy.
    const COPY: u64 = 1 << 31;
    /// In a forward: the frame may go straight into the namespace behind the port.
    const STRAIGHT: u64 = 1 << 31;

    /// To one port.
    #[must_use]
    #[inline(always)]
    pub const fn forward(port: PortId) -> Self {
        Self::forward_with(port, TagChange::NONE)
    }

    /// To one port, with a change of its tag.
    #[must_use]
    #[inline(always)]
    pub const fn forward_with(port: PortId, tags: TagChange) -> Self {
        Self(Self::FORWARD | (tags.to_bits() as u64) << 8 | (port.0 as u64) << 32)
    }

    /// The same forward; `on` where the frame may go straight into the namespace behind the port, because it is addressed to the
    /// interface there.
    #[must_use]
    #[inline(always)]
    pub const fn with_straight(self, on: bool) -> Self {
        if on { Self(self.0 | Self::STRAIGHT) } else { Self(self.0 & !Self::STRAIGHT) }
    }

    /// Whether a forward goes straight into the namespace behind the port.
    #[must_use]
    #[inline(always)]
    pub const fn is_straight(self) -> bool {
        self.0 & 0xff == Self::FORWARD && self.0 & Self::STRAIGHT != 0
    }

    /// To all ports of the domain that take this kind.
    #[must_use]
    #[inline(always)]
    pub const fn flood(kind: FloodKind) -> Self {
        Self::flood_in(kind, Membership::NONE)
    }

    /// To all ports of the domain that take this kind and carry the VLAN.
    #[must_use]
    #[inline(always)]
    pub const fn flood_in(kind: FloodKind, member: Membership) -> Self {
        Self(Self::FLOOD | (member.to_bits() as u64) << 8 | (kind as u64) << 32)
    }

    /// To all ports of the list that carry the VLAN.
    #[must_use]
    #[inline(always)]
    pub const fn deliver_in(list: ListId, member: Membership) -> Self {
        Self(Self::DELIVER | (member.to_bits() as u64) << 8 | (list.0 as u64) << 32)
    }

    /// The same flood or delivery, with or without a copy to the control plane.
    #[must_use]
    #[inline(always)]
    pub const fn with_copy(self, on: bool) -> Self {
        if on { Self(self.0 | Self::COPY) } else { Self(self.0 & !Self::COPY) }
    }

    /// The VLAN of a flood or delivery of which the control plane gets a copy; `None` where it gets none.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the parts are taken apart as they were put together")]
    pub fn copied(self) -> Option<Membership> {
        let is_flood = matches!(self.0 & 0xff, Self::FLOOD | Self::DELIVER);
        (is_flood && self.0 & Self::COPY != 0)
            .then(|| Membership::from_bits((self.0 >> 8) as u32 & 0xff_ffff))
    }

    /// To the host's own stack.
    #[must_use]
    #[inline(always)]
    pub const fn to_host() -> Self {
        Self(Self::TO_HOST)
    }

    /// To the slow path.
    #[must_use]
    #[inline(always)]
    pub const fn punt(reason: PuntReason) -> Self {
        Self(Self::PUNT | (reason as u64) << 32)
    }

    /// To nobody.
    #[must_use]
    #[inline(always)]
    pub const fn drop(reason: DropReason) -> Self {
        Self(Self::DROP | (reason as u64) << 32)
    }

    /// To nobody, and the router behind `port` tells the sender so.
    #[must_use]
    #[inline(always)]
    pub const fn refuse(reason: DropReason, port: PortId) -> Self {
        Self(Self::REFUSE | (reason as u64) << 8 | (port.0 as u64) << 32)
    }

    /// Answered with the MAC of the station asked for.
    #[must_use]
    #[inline(always)]
    pub const fn respond(at: MacAddr) -> Self {
        let [a, b, c, d, e, f] = at.bytes();
        Self(Self::RESPOND | u64::from_be_bytes([0, 0, a, b, c, d, e, f]) << 16)
    }

    /// The number that the kernel program stores for `explain` and the tests.
    #[must_use]
    #[inline(always)]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Reads a stored number back; `None` where it is no verdict.
    #[must_use]
    pub fn from_raw(raw: u64) -> Option<Self> {
        Self(raw).outcome().map(|_| Self(raw))
    }

    /// The outcome, spelled out; `None` where the number is no verdict.
    #[must_use]
    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the halves are taken apart as they were put together"
    )]
    pub fn outcome(self) -> Option<Outcome> {
        let payload = (self.0 >> 32) as u32;
        let detail = (self.0 >> 8) as u32 & 0xff_ffff;
        match self.0 & 0xff {
            Self::FORWARD => Some(Outcome::Forward(PortId(payload), TagChange::from_bits(detail))),
            Self::FLOOD => {
                let member = Membership::from_bits(detail);
                FloodKind::from_code(payload as u8).map(|kind| Outcome::Flood(kind, member))
            }
            Self::DELIVER => {
                let list = ListId(payload);
                (list != ListId::NONE).then(|| Outcome::Deliver(list, Membership::from_bits(detail)))
            }
            Self::TO_HOST => Some(Outcome::ToHost),
            Self::PUNT => PuntReason::from_code(payload as u8).map(Outcome::Punt),
            Self::DROP => DropReason::from_code(payload as u8).map(Outcome::Drop),
            Self::REFUSE => {
                DropReason::from_code(detail as u8).map(|reason| Outcome::Refuse(reason, PortId(payload)))
            }
            Self::RESPOND => {
                let [a, b, c, d, e, f, ..] = self.0.to_be_bytes();
                Some(Outcome::Respond(MacAddr::new([a, b, c, d, e, f])))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        abi::counters::DROPS_PER_SLOT,
        wire::vlan::{TPID_8021AD, Tag},
    };

    #[test]
    fn every_drop_reason_has_a_counter_and_reads_back() {
        for reason in DropReason::ALL {
            assert!((*reason as u32) < DROPS_PER_SLOT);
            assert_eq!(DropReason::from_code(*reason as u8), Some(*reason));
            assert_eq!(Verdict::drop(*reason).outcome(), Some(Outcome::Drop(*reason)));
            let refused = Verdict::refuse(*reason, PortId(u32::MAX));
            assert_eq!(refused.outcome(), Some(Outcome::Refuse(*reason, PortId(u32::MAX))));
        }
    }

    #[test]
    fn names_of_drop_reasons_are_unique() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert!(DropReason::ALL[index + 1..].iter().all(|other| other.name() != reason.name()));
        }
    }

    #[test]
    fn a_reply_carries_the_mac_of_the_station_asked_for() {
        let at = MacAddr::new([2, 0, 0x5e, 0x10, 0, 0xff]);
        assert_eq!(Verdict::respond(at).outcome(), Some(Outcome::Respond(at)));
        assert_eq!(Verdict::from_raw(Verdict::respond(at).raw()), Some(Verdict::respond(at)));
    }

    #[test]
    fn a_copy_changes_nothing_of_where_a_frame_goes() {
        let member = Membership::NONE;
        for verdict in [Verdict::flood(FloodKind::Multicast), Verdict::deliver_in(ListId(u32::MAX), member)] {
            let copied = verdict.with_copy(true);
            assert_eq!(copied.outcome(), verdict.outcome());
            assert_eq!((copied.copied(), verdict.copied()), (Some(member), None));
            assert_eq!(copied.with_copy(false), verdict);
        }
        assert_eq!(Verdict::drop(DropReason::Vlan).copied(), None);
    }

    #[test]
    fn going_straight_changes_nothing_of_where_a_frame_goes() {
        let tags = TagChange { strip: true, push: Some(Tag { tpid: TPID_8021AD, tci: 0xffff }) };
        let verdict = Verdict::forward_with(PortId(u32::MAX), tags);
        let straight = verdict.with_straight(true);
        assert_eq!(straight.outcome(), verdict.outcome());
        assert_eq!((straight.is_straight(), verdict.is_straight()), (true, false));
        assert_eq!(straight.with_straight(false), verdict);
        assert!(!Verdict::flood(FloodKind::Multicast).with_copy(true).is_straight());
    }

    #[test]
    fn numbers_that_are_no_verdict_are_refused() {
        for raw in [0, 7, 0xff, Verdict::drop(DropReason::TooBig).raw() | 0xff << 32] {
            assert_eq!(Verdict::from_raw(raw), None, "{raw:#x}");
        }
    }
}
