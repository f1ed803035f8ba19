//! The frames that answer. They are put together from whole fields, not from bytes: the kernel programs have no room for those.

use crate::{
    abi::addr::MacAddr,
    stage::{
        env::Frame,
        headers::{Headers, first4},
    },
    wire::{arp, be16, eth, icmp, ipv6, neighbour as wire},
};

/// Length of a frame with an ARP reply in bytes.
pub const ARP_FRAME: usize = (eth::LEN + arp::LEN) as usize;
/// Length of a frame with a neighbour advertisement in bytes.
pub const ADVERTISEMENT_FRAME: usize = (eth::LEN + ipv6::LEN) as usize + wire::ADVERTISEMENT_LEN as usize;

/// Ethernet group of [`ipv6::ALL_NODES`] (RFC 2464, 7).
const ALL_NODES_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);
/// An IPv6 header's first eight bytes: 32 bytes of ICMPv6, and the only hop limit that receivers believe.
const IPV6_HEAD: [u8; 8] = [0x60, 0, 0, 0, 0, wire::ADVERTISEMENT_LEN, icmp::PROTO_V6, wire::HOP_LIMIT];
/// Type and length of the option that says where the target is.
const OPTION_HEAD: [u8; 2] = [wire::TARGET_LINK_LAYER, 1];

/// The reply to an ARP request: the address asked for is at `at`. `None` where the frame has no ARP message.
#[must_use]
#[inline(always)]
pub fn arp_reply<F: Frame>(frame: &F, headers: &Headers, at: MacAddr) -> Option<[u8; ARP_FRAME]> {
    let asker: [u8; 6] = frame.load(headers.l3_offset + arp::SENDER_OFFSET)?;
    let mut reply = [0; ARP_FRAME];
    put(&mut reply, 0, &headers.src.bytes());
    put(&mut reply, 6, &at.bytes());
    put(&mut reply, 12, &eth::TYPE_ARP.to_be_bytes());
    put(&mut reply, 14, &arp::REPLY_HEAD);
    put(&mut reply, 22, &at.bytes());
    put(&mut reply, 28, &first4(headers.dst_ip));
    put(&mut reply, 32, &asker);
    put(&mut reply, 38, &first4(headers.src_ip));
    Some(reply)
}

/// The advertisement that answers a neighbour solicitation: the target is at `at`. A station that is only trying an address
/// has none to be answered at: all nodes hear the answer (RFC 4861, 7.2.4). `None` where the frame has no solicitation.
#[must_use]
#[inline(always)]
pub fn advertisement<F: Frame>(
    frame: &F,
    headers: &Headers,
    at: MacAddr,
) -> Option<[u8; ADVERTISEMENT_FRAME]> {
    let target: [u8; 16] = frame.load(headers.l4_offset + wire::TARGET_OFFSET)?;
    let is_trying = headers.src_ip == ipv6::UNSPECIFIED;
    let mut reply = [0; ADVERTISEMENT_FRAME];
    let flags = if is_trying {
        put(&mut reply, 0, &ALL_NODES_MAC.bytes());
        put(&mut reply, 38, &ipv6::ALL_NODES);
        wire::OVERRIDE
    } else {
        put(&mut reply, 0, &headers.src.bytes());
        put(&mut reply, 38, &headers.src_ip);
        wire::SOLICITED | wire::OVERRIDE
    };
    put(&mut reply, 6, &at.bytes());
    put(&mut reply, 12, &eth::TYPE_IPV6.to_be_bytes());
    put(&mut reply, 14, &IPV6_HEAD);
    put(&mut reply, 22, &target);
    put(&mut reply, 54, &[icmp::NEIGHBOUR_ADVERTISEMENT, 0]);
    put(&mut reply, 58, &[flags, 0, 0, 0]);
    put(&mut reply, 62, &target);
    put(&mut reply, 78, &OPTION_HEAD);
    put(&mut reply, 80, &at.bytes());
    let checksum = checksum(&reply);
    put(&mut reply, 56, &checksum.to_be_bytes());
    Some(reply)
}

/// Writes a field whose place is known when this is compiled.
#[inline(always)]
fn put<const N: usize, const M: usize>(reply: &mut [u8; N], at: usize, field: &[u8; M]) {
    reply[at..at + M].copy_from_slice(field);
}

/// The checksum over addresses and message, whose own field is still zero, and the rest of the pseudo-header (RFC 8200, 8.1).
#[inline(always)]
fn checksum(reply: &[u8; ADVERTISEMENT_FRAME]) -> u16 {
    let mut sum = u32::from(wire::ADVERTISEMENT_LEN) + u32::from(icmp::PROTO_V6);
    let mut at = 22;
    while at < ADVERTISEMENT_FRAME {
        sum += u32::from(be16(reply, at));
        at += 2;
    }
    let folded = (sum & 0xffff) + (sum >> 16);
    let [.., high, low] = ((folded & 0xffff) + (folded >> 16)).to_be_bytes();
    !u16::from_be_bytes([high, low])
}
