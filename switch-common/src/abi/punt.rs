//! The header in front of a frame on the CPU port: which port it came in on and why it was punted.
//!
//! Layout, 16 bytes: `57 59 45 00` (magic), the port as big-endian u32, the reason as one byte, five zero bytes, then
//! the ethertype 0x88B5 (IEEE 802, local experimental 1), so that a capture on the TAP shows an Ethernet header and a payload.
//! A VLAN tag that lay in the packet's metadata is where a TAP puts every such tag: behind byte 12, as after two MACs.

use crate::{
    abi::addr::PortId,
    verdict::PuntReason,
    wire::vlan::{self, Tag},
};

/// Length of the header in bytes.
pub const PUNT_HEADER_LEN: usize = 16;

const MAGIC: [u8; 4] = [0x57, 0x59, 0x45, 0x00];
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// Where a TAP puts a tag.
const TAG_OFFSET: usize = 12;

/// Writes the header.
#[must_use]
#[inline(always)]
pub const fn punt_header(port: PortId, reason: PuntReason) -> [u8; PUNT_HEADER_LEN] {
    let p = port.0.to_be_bytes();
    let [m0, m1, m2, m3] = MAGIC;
    [m0, m1, m2, m3, p[0], p[1], p[2], p[3], reason as u8, 0, 0, 0, 0, 0, ETHERTYPE[0], ETHERTYPE[1]]
}

/// A frame that was punted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punted<'f> {
    /// The port that it came in on.
    pub port: PortId,
    /// Why it was punted.
    pub reason: PuntReason,
    /// Its outermost tag, where that lay in the packet's metadata.
    pub tag: Option<Tag>,
    /// The frame itself.
    pub frame: &'f [u8],
}

/// Takes the header off; `None` where the bytes do not begin with one.
#[must_use]
pub fn parse_punted(bytes: &[u8]) -> Option<Punted<'_>> {
    let (front, rest) = bytes.split_first_chunk::<TAG_OFFSET>()?;
    let (tag, rest) = match rest.split_first_chunk::<4>() {
        Some(([t0, t1, c0, c1], behind)) if vlan::is_tpid(u16::from_be_bytes([*t0, *t1])) => {
            (Some(Tag { tpid: u16::from_be_bytes([*t0, *t1]), tci: u16::from_be_bytes([*c0, *c1]) }), behind)
        }
        _ => (None, rest),
    };
    let (back, frame) = rest.split_first_chunk::<4>()?;
    let [m0, m1, m2, m3, p0, p1, p2, p3, reason, ..] = *front;
    if [m0, m1, m2, m3] != MAGIC || back[2..] != ETHERTYPE {
        return None;
    }
    let port = PortId(u32::from_be_bytes([p0, p1, p2, p3]));
    Some(Punted { port, reason: PuntReason::from_code(reason)?, tag, frame })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const PORT: PortId = PortId(0x1234);
    const REASON: PuntReason = PuntReason::LongHeaderChain;

    #[test]
    fn a_punted_frame_comes_out_of_its_header_as_it_went_in() {
        let mut bytes = punt_header(PORT, REASON).to_vec();
        bytes.extend([0xab; 60]);
        assert_eq!(
            parse_punted(&bytes),
            Some(Punted { port: PORT, reason: REASON, tag: None, frame: &[0xab; 60] })
        );
    }

    #[test]
    fn a_tag_that_the_tap_put_into_the_header_is_the_frames() {
        let header = punt_header(PORT, REASON);
        let mut bytes: Vec<u8> = header[..12].to_vec();
        bytes.extend([0x81, 0x00, 0x20, 0x05]);
        bytes.extend(&header[12..]);
        bytes.extend([0xab; 60]);
        let tag = Some(Tag { tpid: vlan::TPID_8021Q, tci: 0x2005 });
        assert_eq!(
            parse_punted(&bytes),
            Some(Punted { port: PORT, reason: REASON, tag, frame: &[0xab; 60] })
        );
    }

    #[test]
    fn other_frames_are_not_punted_ones() {
        assert_eq!(parse_punted(&[0; 64]), None);
        assert_eq!(parse_punted(&[]), None);
    }
}
