//! What the fuzz targets share: how the fuzzer's bytes become frames.

use switch_common::stage::env::{Frame, ParseDepth};
use switch_common::wire::vlan::{TPID_8021Q, Tag};

/// A frame, and what a datapath would know of it from metadata.
pub struct FuzzFrame<'a> {
    bytes: &'a [u8],
    len: u32,
    tag: Option<Tag>,
    segment_size: u32,
}

impl<'a> FuzzFrame<'a> {
    /// Takes the first byte as switches (bit 0: a tag in the metadata, bit 1: a super-frame) and the rest as the frame.
    /// `None` without a first byte, and for more bytes than a frame can have.
    pub fn new(input: &'a [u8]) -> Option<Self> {
        let (switches, bytes) = input.split_first()?;
        Some(Self {
            bytes,
            len: u32::try_from(bytes.len()).ok()?,
            tag: (switches & 1 != 0).then_some(Tag { tpid: TPID_8021Q, tci: 7 }),
            segment_size: if switches & 2 != 0 { 1448 } else { 0 },
        })
    }
}

impl Frame for FuzzFrame<'_> {
    const DEPTH: ParseDepth = ParseDepth::FAST_PATH;

    fn len(&self) -> u32 {
        self.len
    }

    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.bytes.get(usize::try_from(offset).ok()?..)?.first_chunk().copied()
    }

    fn offloaded_tag(&self) -> Option<Tag> {
        self.tag
    }

    fn segment_size(&self) -> u32 {
        self.segment_size
    }
}

/// Cuts the next record off: its length in two big-endian bytes, then as many bytes as are there.
pub fn next_record<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = input.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (record, rest) = rest.split_at(length);
    *input = rest;
    Some(record)
}
