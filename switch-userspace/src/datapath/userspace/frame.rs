//! A frame in ordinary memory as the pipeline sees it.

use std::marker::PhantomData;

use switch_common::{
    stage::env::{Frame, ParseDepth},
    wire::vlan::Tag,
};

/// How deep a datapath looks into frames.
pub trait Depth {
    /// How far chains of headers are followed.
    const PARSE: ParseDepth;
}

/// As deep as the userspace switch and the slow path look.
#[derive(Clone, Copy, Debug)]
pub struct SlowPath;

impl Depth for SlowPath {
    const PARSE: ParseDepth = ParseDepth::SLOW_PATH;
}

/// As deep as the kernel programs, for comparison with them.
#[derive(Clone, Copy, Debug)]
pub struct FastPath;

impl Depth for FastPath {
    const PARSE: ParseDepth = ParseDepth::FAST_PATH;
}

/// A borrowed frame.
#[derive(Debug)]
pub struct SliceFrame<'a, D: Depth> {
    bytes: &'a [u8],
    tag: Option<Tag>,
    segment_size: u32,
    depth: PhantomData<D>,
}

impl<'a, D: Depth> SliceFrame<'a, D> {
    /// A frame of `bytes`, destination MAC first, with its outermost tag where that lies outside, and the payload bytes of
    /// each segment where it is a super-frame (0 where not).
    #[must_use]
    pub fn new(bytes: &'a [u8], tag: Option<Tag>, segment_size: u32) -> Self {
        Self { bytes, tag, segment_size, depth: PhantomData }
    }
}

impl<D: Depth> Frame for SliceFrame<'_, D> {
    const DEPTH: ParseDepth = D::PARSE;

    fn len(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        if offset > D::PARSE.reach {
            return None;
        }
        self.bytes.get(offset as usize..)?.first_chunk().copied()
    }

    fn offloaded_tag(&self) -> Option<Tag> {
        self.tag
    }

    fn segment_size(&self) -> u32 {
        self.segment_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_behind_the_end_cannot_be_loaded() {
        let frame = SliceFrame::<SlowPath>::new(&[1, 2, 3, 4], None, 0);
        assert_eq!(frame.load::<2>(2), Some([3, 4]));
        assert_eq!(frame.load::<2>(3), None);
        assert_eq!(frame.load::<1>(4), None);
        assert_eq!(frame.load::<1>(u32::MAX), None);
    }

    #[test]
    fn the_fast_path_depth_stops_where_the_kernel_programs_stop() {
        let bytes = [7; 2048];
        assert_eq!(SliceFrame::<FastPath>::new(&bytes, None, 0).load::<1>(0x400), None);
        assert_eq!(SliceFrame::<FastPath>::new(&bytes, None, 0).load::<1>(0x3ff), Some([7]));
        assert_eq!(SliceFrame::<SlowPath>::new(&bytes, None, 0).load::<1>(0x400), Some([7]));
    }
}
