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

/// Headers of one frame, copied out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Destination MAC.
    pub dst: MacAddr,
    /// Source MAC.
    pub src: MacAddr,
    /// The outermost VLAN tag.
    pub tag: Option<Tag>,
    /// Tags, wherever they lie.
    pub tags: u8,
    /// Type of the payload behind all tags and behind SNAP; 0 for other LLC frames.
    pub ethertype: u16,
    /// Offset of the payload behind Ethernet header, tags and SNAP, in bytes.
    pub l3_offset: u32,
    /// What the payload is.
    pub network: Network,
    /// Place among fragments.
    pub fragment: Fragment,
    /// Source address; IPv4 and ARP senders in the first four bytes.
    pub src_ip: [u8; 16],
    /// Destination address; IPv4 and ARP targets in the first four bytes.
    pub dst_ip: [u8; 16],
    /// L4 protocol number; meaningful for IP only.
    pub protocol: u8,
    /// Offset of the L4 header in bytes; meaningful for IP only.
    pub l4_offset: u32,
    /// Offset of what an L4 segment repeats nothing of: where the payload begins, as far as the headers are known.
    pub payload_offset: u32,
    /// Source L4 port; for ICMP the type.
    pub src_port: u16,
    /// Destination L4 port; for ICMP the code.
    pub dst_port: u16,
    /// TCP flags byte.
    pub tcp_flags: u8,
}
