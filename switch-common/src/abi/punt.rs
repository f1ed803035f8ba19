//! The header in front of a frame on the CPU port: which port it came in on and why it was punted.
//!
//! Layout, 16 bytes: `57 59 45 00` (magic), the port as big-endian u32, the reason as one byte, five zero bytes, then
//! the ethertype 0x88B5 (IEEE 802, local experimental 1), so that a capture on the TAP shows an Ethernet header and a payload.

use crate::{abi::addr::PortId, verdict::PuntReason};

/// Length of the header in bytes.
pub const PUNT_HEADER_LEN: usize = 16;

const MAGIC: [u8; 4] = [0x57, 0x59, 0x45, 0x00];
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

/// Writes the header.
#[must_use]
#[inline(always)]
pub const fn punt_header(port: PortId, reason: PuntReason) -> [u8; PUNT_HEADER_LEN] {
    let p = port.0.to_be_bytes();
    let [m0, m1, m2, m3] = MAGIC;
    [m0, m1, m2, m3, p[0], p[1], p[2], p[3], reason as u8, 0, 0, 0, 0, 0, ETHERTYPE[0], ETHERTYPE[1]]
}

/// Reads the header; `None` where the bytes are not one.
#[must_use]
pub fn parse_punt_header(bytes: &[u8]) -> Option<(PortId, PuntReason)> {
    let header: &[u8; PUNT_HEADER_LEN] = bytes.first_chunk()?;
    if header[..4] != MAGIC || header[14..] != ETHERTYPE {
        return None;
    }
    let port = PortId(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
    Some((port, PuntReason::from_code(header[8])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_survives_a_round_trip() {
        let header = punt_header(PortId(0x1234), PuntReason::LongHeaderChain);
        assert_eq!(parse_punt_header(&header), Some((PortId(0x1234), PuntReason::LongHeaderChain)));
    }

    #[test]
    fn other_frames_are_no_punt_header() {
        assert_eq!(parse_punt_header(&[0; 64]), None);
        assert_eq!(parse_punt_header(&[]), None);
    }
}
