//! What `parse` found: one flat record from Ethernet to L4.

use crate::{abi::addr::MacAddr, wire::vlan::Tag};

/// What the frame carries behind its L2 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Something that the switch does not look into.
    Other,
    /// ARP for IPv4.
    Arp,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// A packet's place among its fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Not fragmented.
    Whole,
    /// The first of several: has the L4 header.
    First,
    /// A later one: has no L4 header.
    Later,
}

/// Headers of one frame, copied out. The addresses come first, where they are aligned; fields that begin as zero never lie side by
/// side by the dozen, because the compiler has only a loop over bytes to clear those at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Headers {
    /// Source address; IPv4 and ARP senders in the first four bytes. The rest is whatever it was: filling it costs more than all else
    /// that is noted of a frame.
    pub src_ip: [u8; 16],
    /// Destination address; IPv4 and ARP targets in the first four bytes, the rest as above.
    pub dst_ip: [u8; 16],
    /// Destination MAC.
    pub dst: MacAddr,
    /// Tags, wherever they lie.
    pub tags: u8,
    /// What the payload is.
    pub network: Network,
    /// Source MAC.
    pub src: MacAddr,
    /// Place among fragments.
    pub fragment: Fragment,
    /// L4 protocol number; meaningful for IP only.
    pub protocol: u8,
    /// Offset of what is behind Ethernet header and tags, in bytes: an MTU counts from here.
    pub body_offset: u32,
    /// Source L4 port; for ICMP and IGMP the type.
    pub src_port: u16,
    /// Destination L4 port; for ICMP the code.
    pub dst_port: u16,
    /// Offset of the payload behind Ethernet header, tags and SNAP, in bytes.
    pub l3_offset: u32,
    /// The outermost VLAN tag.
    pub tag: Option<Tag>,
    /// Type of what is right behind the outermost tag; 0 without a tag.
    pub behind_tag: u16,
    /// Where the IP packet or ARP message ends, in bytes: what is behind it is padding.
    pub l3_end: u32,
    /// Whether receivers differ in what they take the frame for: IP or ARP in SNAP, or behind a priority tag and another tag
    /// (CVE-2021-27853 and its kin).
    pub is_ambiguous: bool,
    /// Whether somebody who has no address yet asks for one that is not its own; noted where the port is guarded.
    pub asks_for_another: bool,
    /// TCP flags byte.
    pub tcp_flags: u8,
    /// Offset of the L4 header in bytes; meaningful for IP only.
    pub l4_offset: u32,
    /// Type of the payload behind all tags and behind SNAP; 0 for other LLC frames.
    pub ethertype: u16,
    /// Offset of what an L4 segment repeats nothing of: where the payload begins, as far as the headers are known.
    pub payload_offset: u32,
}

impl Headers {
    /// Those of no frame.
    pub const EMPTY: Self = Self {
        dst: MacAddr::ZERO,
        src: MacAddr::ZERO,
        tag: None,
        tags: 0,
        behind_tag: 0,
        ethertype: 0,
        body_offset: 0,
        l3_offset: 0,
        network: Network::Other,
        fragment: Fragment::Whole,
        l3_end: 0,
        is_ambiguous: false,
        asks_for_another: false,
        src_ip: [0; 16],
        dst_ip: [0; 16],
        protocol: 0,
        l4_offset: 0,
        payload_offset: 0,
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
    };

    /// Type of an ICMP, ICMPv6 or IGMP message; meaningful for those only.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the type was a byte before it was kept as a port")]
    pub const fn icmp_type(&self) -> u8 {
        self.src_port as u8
    }
}

/// The IPv4 address in an address field.
#[must_use]
#[inline(always)]
pub const fn first4(ip: [u8; 16]) -> [u8; 4] {
    [ip[0], ip[1], ip[2], ip[3]]
}
