//! The frame that is put: an IPv4 UDP datagram, since a bridge with netfilter looks into nothing else.

use switch_common::abi::addr::MacAddr;

/// Length in bytes, without the frame check sequence.
pub(crate) const FRAME_BYTES: usize = 64;

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const TTL: u8 = 64;
const UDP: u8 = 17;
/// The discard service.
const L4_PORT: u16 = 9;

/// To all stations of a link, and to all of an IPv4 subnet.
pub(crate) const BROADCAST: MacAddr = MacAddr::new([0xff; 6]);
pub(crate) const BROADCAST_IP: [u8; 4] = [0xff; 4];

/// The destination number `number` of a source that walks through many (`SPREAD` in `switch-ebpf/src/bin/probe.rs`).
#[must_use]
pub(crate) fn numbered(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr::new([2, 1, a, b, c, d])
}

/// A valid frame; its UDP checksum is 0, which is "none".
#[must_use]
pub(crate) fn udp(src: MacAddr, dst: MacAddr, src_ip: [u8; 4], dst_ip: [u8; 4]) -> Vec<u8> {
    let ip_bytes = u16::try_from(FRAME_BYTES - ETHERNET_BYTES).unwrap_or(0).to_be_bytes();
    let udp_bytes = u16::try_from(FRAME_BYTES - ETHERNET_BYTES - IPV4_BYTES).unwrap_or(0).to_be_bytes();
    let mut ip = [0; IPV4_BYTES];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&ip_bytes);
    ip[8] = TTL;
    ip[9] = UDP;
    ip[12..16].copy_from_slice(&src_ip);
    ip[16..20].copy_from_slice(&dst_ip);
    let checksum = internet_checksum(&ip).to_be_bytes();
    ip[10..12].copy_from_slice(&checksum);

    let l4_port = L4_PORT.to_be_bytes();
    let mut frame =
        [&dst.bytes()[..], &src.bytes(), &[0x08, 0x00], &ip, &l4_port, &l4_port, &udp_bytes].concat();
    frame.resize(FRAME_BYTES, 0);
    frame
}

/// RFC 1071, over an even number of bytes.
#[must_use]
pub(crate) fn internet_checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_valid() {
        let frame = udp(
            MacAddr::new([2, 0, 0, 0, 0, 1]),
            MacAddr::new([2, 0, 0, 0, 0, 2]),
            [10, 0, 0, 1],
            [10, 0, 0, 2],
        );
        assert_eq!(frame.len(), FRAME_BYTES);
        assert_eq!(frame[..6], [2, 0, 0, 0, 0, 2]);
        assert_eq!(internet_checksum(&frame[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES]), 0);
    }
}
