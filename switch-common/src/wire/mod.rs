//! What is on the wire: fixed-size header views over bytes that were already copied out of the frame.
//!
//! A view reads fields; whether the field makes sense in its frame is for `stage::parse` to say.

pub mod arp;
pub mod eth;
pub mod icmp;
pub mod igmp;
pub mod ipv4;
pub mod ipv6;
pub mod llc;
pub mod neighbour;
pub mod sctp;
pub mod tcp;
pub mod udp;
pub mod vlan;

/// Big-endian 16 bits at `at`.
#[inline(always)]
pub(crate) const fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
