//! Frames, header by header, from the outside in: each function puts one header in front of a payload.
//!
//! Lengths are right unless a test asks for others; checksums are zero, because a switch reads none.

use switch_common::abi::addr::MacAddr;

/// An Ethernet II frame.
#[must_use]
pub fn eth(dst: MacAddr, src: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.bytes()[..], &src.bytes(), &ethertype.to_be_bytes(), payload].concat()
}

/// An 802.3 frame: the length of the payload takes the type's place.
#[must_use]
pub fn eth_802_3(dst: MacAddr, src: MacAddr, payload: &[u8]) -> Vec<u8> {
    eth(dst, src, u16_len(payload), payload)
}

/// The rest of a VLAN tag behind its TPID.
#[must_use]
pub fn tag(tci: u16, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&tci.to_be_bytes()[..], &ethertype.to_be_bytes(), payload].concat()
}

/// LLC and SNAP with this OUI; all zeros is RFC 1042's.
#[must_use]
pub fn snap(oui: [u8; 3], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xaa, 0xaa, 0x03][..], &oui, &ethertype.to_be_bytes(), payload].concat()
}

/// An ARP message for IPv4 over Ethernet.
#[must_use]
pub fn arp(operation: u16, sender: (MacAddr, [u8; 4]), target: (MacAddr, [u8; 4])) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4];
    let (sender_mac, target_mac) = (sender.0.bytes(), target.0.bytes());
    [&fixed[..], &operation.to_be_bytes(), &sender_mac, &sender.1, &target_mac, &target.1].concat()
}

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2.
#[must_use]
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, &[], 0, payload)
}

/// An IPv4 packet with options (a multiple of four bytes) and the 16 bits that hold flags and fragment offset.
#[must_use]
pub fn ipv4_with(protocol: u8, options: &[u8], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let words = (20 + options.len()) / 4;
    let total = u16_len(&[options, payload].concat()) + 20;
    let [total_high, total_low] = total.to_be_bytes();
    let [fragment_high, fragment_low] = fragment.to_be_bytes();
    let version = 0x40 | u8::try_from(words).expect("at most ten words of options");
    let fixed = [version, 0, total_high, total_low, 0, 0, fragment_high, fragment_low, 64, protocol, 0, 0];
    [&fixed[..], &[10, 0, 0, 1], &[10, 0, 0, 2], options, payload].concat()
}

/// An IPv6 packet from fd00::1 to fd00::2.
#[must_use]
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let [len_high, len_low] = u16_len(payload).to_be_bytes();
    let fixed = [0x60, 0, 0, 0, len_high, len_low, next, 64];
    [&fixed[..], &ipv6_address(1), &ipv6_address(2), payload].concat()
}

/// An extension header of `8 * (1 + units)` bytes whose length field counts as most do.
#[must_use]
pub fn extension(next: u8, units: u8, payload: &[u8]) -> Vec<u8> {
    let body = vec![0; 6 + 8 * usize::from(units)];
    [&[next, units][..], &body, payload].concat()
}

/// A routing header of eight bytes.
#[must_use]
pub fn routing(next: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[next, 0, kind, 0, 0, 0, 0, 0][..], payload].concat()
}

/// The same packet with other source and destination addresses.
#[must_use]
pub fn between<const N: usize>(src: [u8; N], dst: [u8; N], mut packet: Vec<u8>) -> Vec<u8> {
    let at = if N == 4 { 12 } else { 8 };
    packet[at..at + N].copy_from_slice(&src);
    packet[at + N..at + 2 * N].copy_from_slice(&dst);
    packet
}

/// An ICMP or ICMPv6 message with four bytes behind its checksum.
#[must_use]
pub fn icmp_message(kind: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0, 0][..], &rest, payload].concat()
}

/// A link-layer address option of neighbour discovery; 1 is the source's, 2 the target's.
#[must_use]
pub fn link_layer(kind: u8, mac: MacAddr) -> Vec<u8> {
    [&[kind, 1][..], &mac.bytes()].concat()
}

/// An authentication header, whose length field counts words.
#[must_use]
pub fn auth(next: u8, words: u8, payload: &[u8]) -> Vec<u8> {
    let body = vec![0; 4 * (usize::from(words) + 2) - 2];
    [&[next, words][..], &body, payload].concat()
}

/// An IPv6 fragment header; `offset` is in bytes, a multiple of eight.
#[must_use]
pub fn fragment(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let place = (offset | u16::from(more)).to_be_bytes();
    [&[next, 0][..], &place, &[0, 0, 0, 1], payload].concat()
}

/// A UDP datagram.
#[must_use]
pub fn udp(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16_len(payload) + 8;
    [&src_port.to_be_bytes()[..], &dst_port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// A TCP segment with `flags` and options (a multiple of four bytes).
#[must_use]
pub fn tcp(ports: (u16, u16), flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from((20 + options.len()) / 4).expect("at most ten words of options");
    let numbers = [0; 8];
    let rest = [words << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
    [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &numbers, &rest, options, payload].concat()
}

/// An SCTP common header.
#[must_use]
pub fn sctp(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    [&src_port.to_be_bytes()[..], &dst_port.to_be_bytes(), &[0; 8], payload].concat()
}

/// The head that all ICMP and ICMPv6 messages share.
#[must_use]
pub fn icmp(kind: u8, code: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, code, 0, 0][..], payload].concat()
}

/// fd00::`last`.
#[must_use]
pub fn ipv6_address(last: u8) -> [u8; 16] {
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

fn u16_len(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).expect("a payload below 64 KiB")
}
