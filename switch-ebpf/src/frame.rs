//! The packet of a tc program as the pipeline's frame: the only access to packet memory.

use core::{arch::asm, mem::offset_of};

use aya_ebpf::{EbpfContext, bindings::__sk_buff, helpers::bpf_skb_pull_data, programs::TcContext};
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
        self.load_linear(offset).or_else(|| self.load_paged(offset))
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
    /// Bytes from the linear part of the buffer.
    #[inline(always)]
    fn load_linear<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let at = self.data() + offset as usize;
        if at + N > self.data_end() {
            return None;
        }
        // SAFETY: the bytes lie between data and data_end.
        Some(unsafe { (at as *const [u8; N]).read_unaligned() })
    }

    /// Where the linear part begins. The context's field has 32 bits, for which the verifier puts a pointer; it must come into a
    /// register in one instruction, without the conversion that the compiler would place behind a branch.
    #[inline(always)]
    fn data(&self) -> usize {
        let data;
        // SAFETY: the context pointer of a running tc program; one load.
        unsafe {
            asm!("{data} = *(u32 *)({skb} + {at})", data = out(reg) data, skb = in(reg) self.skb,
                at = const offset_of!(__sk_buff, data), options(readonly, nostack));
        }
        data
    }

    /// Where the linear part ends.
    #[inline(always)]
    fn data_end(&self) -> usize {
        let end;
        // SAFETY: as above.
        unsafe {
            asm!("{end} = *(u32 *)({skb} + {at})", end = out(reg) end, skb = in(reg) self.skb,
                at = const offset_of!(__sk_buff, data_end), options(readonly, nostack));
        }
        end
    }

    /// Bytes that do not lie in the linear part yet: it is made longer, for a copy of them would need room on the stack.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "headers are some dozen bytes long")]
    fn load_paged<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let end = offset + N as u32;
        // SAFETY: the context pointer of a running tc program; no pointer into the packet is held over the call.
        let is_linear = end <= self.len() && unsafe { bpf_skb_pull_data(self.skb, end) } == 0;
        if is_linear { self.load_linear(offset) } else { None }
    }
}

/// The raw context of a program.
#[inline(always)]
pub(crate) fn raw(ctx: &TcContext) -> *mut __sk_buff {
    ctx.as_ptr().cast()
}
