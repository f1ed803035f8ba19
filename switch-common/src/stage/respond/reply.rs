//! The frames that answer.

use crate::{
    abi::addr::MacAddr,
    stage::{env::Frame, headers::Headers},
    wire::{
        arp::{self, ArpMessage},
        be16, eth, icmp, ipv6, neighbour as wire,
    },
};

/// Length of a frame with an ARP reply in bytes.
pub const ARP_FRAME: usize = (eth::LEN + arp::LEN) as usize;
/// Length of a frame with a neighbour advertisement in bytes.
pub const ADVERTISEMENT_FRAME: usize = (eth::LEN + ipv6::LEN) as usize + wire::ADVERTISEMENT_LEN as usize;

const L3: usize = eth::LEN as usize;
const L4: usize = L3 + ipv6::LEN as usize;
const TARGET: usize = L4 + wire::TARGET_OFFSET as usize;
const OPTIONS: usize = L4 + wire::OPTIONS_OFFSET as usize;
/// Ethernet group of [`ipv6::ALL_NODES`] (RFC 2464, 7).
const ALL_NODES_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);

/// The reply to an ARP request: the address asked for is at `at`. `None` where the frame has no ARP message.
#[must_use]
#[inline(always)]
pub fn arp_reply<F: Frame>(frame: &F, headers: &Headers, at: MacAddr) -> Option<[u8; ARP_FRAME]> {
    let request = ArpMessage(frame.load(headers.l3_offset)?);
    let mut reply = [0; ARP_FRAME];
    reply[..L3].copy_from_slice(&eth::EthHeader::new(headers.src, at, eth::TYPE_ARP).0);
    reply[L3..].copy_from_slice(&request.reply(at).0);
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
    let (dst, dst_ip) =
        if is_trying { (ALL_NODES_MAC, ipv6::ALL_NODES) } else { (headers.src, headers.src_ip) };
    let flags = if is_trying { wire::OVERRIDE } else { wire::SOLICITED | wire::OVERRIDE };
    let [a, b, c, d, e, f] = at.bytes();
    let option = [wire::TARGET_LINK_LAYER, 1, a, b, c, d, e, f];
    let [high, low] = checksum(&target, &dst_ip, flags, &option).to_be_bytes();
    let [len_high, len_low] = wire::ADVERTISEMENT_LEN.to_be_bytes();

    let mut reply = [0; ADVERTISEMENT_FRAME];
    reply[..L3].copy_from_slice(&eth::EthHeader::new(dst, at, eth::TYPE_IPV6).0);
    reply[L3..L3 + 8].copy_from_slice(&[0x60, 0, 0, 0, len_high, len_low, icmp::PROTO_V6, wire::HOP_LIMIT]);
    reply[L3 + 8..L3 + 24].copy_from_slice(&target);
    reply[L3 + 24..L4].copy_from_slice(&dst_ip);
    reply[L4..TARGET].copy_from_slice(&[icmp::NEIGHBOUR_ADVERTISEMENT, 0, high, low, flags, 0, 0, 0]);
    reply[TARGET..OPTIONS].copy_from_slice(&target);
    reply[OPTIONS..].copy_from_slice(&option);
    Some(reply)
}

/// The checksum over pseudo-header and message (RFC 8200, 8.1), term by term. The target is the source as well.
#[inline(always)]
fn checksum(target: &[u8; 16], dst_ip: &[u8; 16], flags: u8, option: &[u8; 8]) -> u16 {
    let pseudo_header = u32::from(wire::ADVERTISEMENT_LEN) + u32::from(icmp::PROTO_V6);
    let head = (u32::from(icmp::NEIGHBOUR_ADVERTISEMENT) + u32::from(flags)) << 8;
    let sum = pseudo_header + head + 2 * words(target) + words(dst_ip) + words(option);
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let [.., high, low] = folded.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

/// The sum of big-endian 16-bit words.
#[inline(always)]
fn words<const N: usize>(bytes: &[u8; N]) -> u32 {
    let mut sum = 0;
    let mut at = 0;
    while at + 1 < N {
        sum += u32::from(be16(bytes, at));
        at += 2;
    }
    sum
}
