//! Frames to send.

use switch_common::{
    abi::addr::MacAddr,
    wire::vlan::{TPID_8021AD, TPID_8021Q},
};

/// An ethertype for experiments (IEEE 802, local experimental 1), which no stack answers.
pub(crate) const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

/// A frame with an experimental ethertype that carries `payload`.
pub(crate) fn frame(dst: MacAddr, src: MacAddr, payload: &[u8]) -> Vec<u8> {
    [&dst.bytes()[..], &src.bytes(), &EXPERIMENT, payload].concat()
}

/// The same with a tag in front of the ethertype.
pub(crate) fn tagged(dst: MacAddr, src: MacAddr, tpid: u16, tci: u16, payload: &[u8]) -> Vec<u8> {
    let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
    [&dst.bytes()[..], &src.bytes(), &tag, &EXPERIMENT, payload].concat()
}

/// A frame with an S-tag of VLAN 7 and a C-tag of VLAN 8.
pub(crate) fn twice_tagged(dst: MacAddr, src: MacAddr, payload: &[u8]) -> Vec<u8> {
    let mut frame = tagged(dst, src, TPID_8021Q, 0x2008, payload);
    let outer = [TPID_8021AD.to_be_bytes(), 0x6007_u16.to_be_bytes()].concat();
    frame.splice(12..12, outer);
    frame
}

/// A frame of `length` bytes whose headers are rarely right: kinds of frames take turns.
pub(crate) fn odd_frame(length: usize, dst: MacAddr, src: MacAddr) -> Vec<u8> {
    let kinds: [&[u8]; 7] = [
        &EXPERIMENT,
        &[0x08, 0x00, 0x45, 0x00, 0x00, 0x30, 0, 0, 0, 0, 64, 6],
        &[0x08, 0x00, 0x4f],
        &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 0],
        &[0x08, 0x06, 0, 1, 8, 0, 6, 4],
        &[0x00, 0x40, 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00],
        &[0x81, 0x00, 0x00, 0x05, 0x86, 0xdd, 0x60],
    ];
    // The kernel itself discards a frame that ends within its tag.
    let kinds = if length < 20 { &kinds[..6] } else { &kinds[..] };
    let mut frame = [&dst.bytes()[..], &src.bytes(), kinds[length % kinds.len()]].concat();
    frame.resize(length, 0x11);
    frame
}

/// Payload bytes of each segment of a [`super_frame`].
pub(crate) const SEGMENT_BYTES: u16 = 1000;

/// A tagged TCP super-frame over IPv4 whose checksum is still to be made, and its `struct virtio_net_hdr`.
pub(crate) fn super_frame(dst: MacAddr, src: MacAddr, tag: [u8; 4], payload: &[u8]) -> (Vec<u8>, [u8; 10]) {
    let total = u16::try_from(20 + 20 + payload.len()).expect("fits an IPv4 packet").to_be_bytes();
    let ipv4 = [0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let tcp = [0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let frame = [&dst.bytes()[..], &src.bytes(), &tag, &[0x08, 0x00], &ipv4, &tcp, payload].concat();
    (frame, super_frame_header(18))
}

/// The `struct virtio_net_hdr` of a [`super_frame`] whose IPv4 header begins at `l3_offset`: checksum needed, TCP over IPv4.
pub(crate) fn super_frame_header(l3_offset: u16) -> [u8; 10] {
    let l4_offset = l3_offset + 20;
    let fields = [l4_offset + 20, SEGMENT_BYTES, l4_offset, 16].map(u16::to_ne_bytes);
    let mut header = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..].copy_from_slice(fields.as_flattened());
    header
}

/// Whether a frame has the experimental ethertype.
pub(crate) fn is_experiment(bytes: &[u8]) -> bool {
    bytes.get(12..14) == Some(&EXPERIMENT)
}
