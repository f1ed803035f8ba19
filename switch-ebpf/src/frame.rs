//! The packet of a tc program as the pipeline's frame: the only access to packet memory.

use aya_ebpf::{EbpfContext, bindings::__sk_buff, helpers::bpf_skb_load_bytes, programs::TcContext};
use switch_common::{
    stage::env::{Frame, ParseDepth},
    wire::vlan::Tag,
};

/// A socket buffer at a tc hook.
pub(crate) struct SkbFrame {
    skb: *mut __sk_buff,
}

impl SkbFrame {
    /// The packet that the program was called for.
    #[inline(always)]
    pub(crate) fn new(ctx: &TcContext) -> Self {
        Self { skb: ctx.skb.skb }
    }

    /// Index of the interface that the packet is at.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: the context pointer of a running tc program.
        unsafe { (*self.skb).ifindex }
    }
}

impl Frame for SkbFrame {
    const DEPTH: ParseDepth = ParseDepth::FAST_PATH;

    #[inline(always)]
    fn len(&self) -> u32 {
        // SAFETY: the context pointer of a running tc program.
        unsafe { (*self.skb).len }
    }

    #[inline(always)]
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // The verifier needs a bound that it can see here.
        if offset > Self::DEPTH.reach {
            return None;
        }
        // SAFETY: the context pointer of a running tc program; the bytes read lie between data and data_end.
        unsafe {
            let at = (*self.skb).data as usize + offset as usize;
            if at + N <= (*self.skb).data_end as usize {
                return Some((at as *const [u8; N]).read_unaligned());
            }
        }
        self.load_paged(offset)
    }

    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the kernel keeps 16-bit values in these 32-bit fields"
    )]
    fn offloaded_tag(&self) -> Option<Tag> {
        // SAFETY: the context pointer of a running tc program.
        let (present, proto, tci) =
            unsafe { ((*self.skb).vlan_present, (*self.skb).vlan_proto, (*self.skb).vlan_tci) };
        (present != 0).then(|| Tag { tpid: u16::from_be(proto as u16), tci: tci as u16 })
    }

    #[inline(always)]
    fn segment_size(&self) -> u32 {
        // SAFETY: the context pointer of a running tc program.
        unsafe { (*self.skb).gso_size }
    }
}

impl SkbFrame {
    /// Headers that do not lie in the linear part of the buffer.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "headers are some dozen bytes long")]
    fn load_paged<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let mut bytes = [0u8; N];
        // SAFETY: the context pointer of a running tc program; the helper writes N bytes into an array of N bytes.
        let failed =
            unsafe { bpf_skb_load_bytes(self.skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32) };
        (failed == 0).then_some(bytes)
    }
}

/// The raw context of a program.
#[inline(always)]
pub(crate) fn raw(ctx: &TcContext) -> *mut __sk_buff {
    ctx.as_ptr().cast()
}
