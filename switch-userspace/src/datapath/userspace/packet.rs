//! A frame on its way through the userspace switch, with what the kernel knows of it beside its bytes.

use switch_common::{abi::addr::PortId, wire::vlan::Tag};

use super::frame::{Depth, SliceFrame};
use crate::sys::packet::VNET_HEADER_BYTES;

/// Flag of a header: the checksum is to be completed from `csum_start` on.
const NEEDS_CSUM: u8 = 1;

/// A `struct virtio_net_hdr` in this machine's byte order: what is still to be done for a frame's checksum and segmentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader([u8; VNET_HEADER_BYTES]);

impl VnetHeader {
    /// Nothing is left to be done.
    pub const NONE: Self = Self([0; VNET_HEADER_BYTES]);

    /// From the bytes before a frame.
    #[must_use]
    pub fn new(bytes: [u8; VNET_HEADER_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes that go before the frame.
    #[must_use]
    pub fn bytes(self) -> [u8; VNET_HEADER_BYTES] {
        self.0
    }

    /// Payload bytes of each segment that a super-frame will become; 0 where it is no super-frame.
    #[must_use]
    pub fn segment_size(self) -> u32 {
        let [_, gso_type, _, _, low, high, ..] = self.0;
        if gso_type == 0 { 0 } else { u32::from(u16::from_ne_bytes([low, high])) }
    }

    /// The header of the same frame when `bytes` were put in (or, negative, taken out) before its L3 header.
    #[must_use]
    pub fn moved(self, bytes: i16) -> Self {
        let [flags, gso_type, l0, l1, s0, s1, c0, c1, o0, o1] = self.0;
        let shift = |field: [u8; 2]| u16::from_ne_bytes(field).saturating_add_signed(bytes).to_ne_bytes();
        let [l0, l1] = if [l0, l1] == [0, 0] { [l0, l1] } else { shift([l0, l1]) };
        let [c0, c1] = if flags & NEEDS_CSUM == 0 { [c0, c1] } else { shift([c0, c1]) };
        Self([flags, gso_type, l0, l1, s0, s1, c0, c1, o0, o1])
    }
}

/// A frame that came in on a port.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'f> {
    /// The port.
    pub port: PortId,
    /// The frame, destination MAC first.
    pub bytes: &'f [u8],
    /// Its outermost tag, where the kernel took that out of the bytes.
    pub tag: Option<Tag>,
    /// Its checksum and segmentation.
    pub vnet: VnetHeader,
}

impl<'f> Packet<'f> {
    /// The frame as the pipeline sees it.
    #[must_use]
    pub fn frame<D: Depth>(&self) -> SliceFrame<'f, D> {
        SliceFrame::new(self.bytes, self.tag, self.vnet.segment_size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u8, gso_type: u8, fields: [u16; 4]) -> VnetHeader {
        let mut bytes = vec![flags, gso_type];
        bytes.extend(fields.iter().flat_map(|field| field.to_ne_bytes()));
        VnetHeader::new(bytes.try_into().expect("ten bytes"))
    }

    #[test]
    fn a_super_frame_keeps_its_segment_size_when_a_tag_goes_in_and_its_offsets_move() {
        let before = header(NEEDS_CSUM, 1, [54, 1448, 34, 16]);
        assert_eq!(before.moved(4), header(NEEDS_CSUM, 1, [58, 1448, 38, 16]));
        assert_eq!(before.moved(4).moved(-4), before);
        assert_eq!(before.segment_size(), 1448);
    }

    #[test]
    fn a_header_without_requests_does_not_move() {
        let plain = VnetHeader::NONE;
        assert_eq!(plain.moved(4), plain);
        assert_eq!(plain.segment_size(), 0);
        assert_eq!(header(0, 0, [0, 1448, 0, 0]).segment_size(), 0);
    }
}
