//! The packet of a tc program as the pipeline's frame: the only access to packet memory.

use core::{arch::asm, mem::offset_of};

use aya_ebpf::{EbpfContext, bindings::__sk_buff, helpers::bpf_skb_pull_data, programs::TcContext};
use switch_common::{
    stage::env::{Frame, ParseDepth},
    wire::vlan::Tag,
};

/// One load of a word from packet memory into a register.
macro_rules! load {
    ($at:expr, $width:literal) => {{
        let word: u64;
        asm!(concat!("{word} = *(", $width, " *)({at} + 0)"), word = out(reg) word, at = in(reg) $at,
            options(pure, readonly, nostack));
        word
    }};
}

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
        let mut at = self.data() + offset as usize;
        if at + N > self.data_end() {
            self.pull::<N>(offset)?;
            at = self.data() + offset as usize;
            if at + N > self.data_end() {
                return None;
            }
        }
        // SAFETY: the bytes lie between data and data_end.
        Some(unsafe { words(at) })
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

    /// Makes the linear part longer, up to bytes that do not lie in it yet: a copy of them would need room on the stack. `None` where
    /// the packet has no such bytes.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "headers are some dozen bytes long")]
    fn pull<const N: usize>(&self, offset: u32) -> Option<()> {
        let end = offset + N as u32;
        // SAFETY: the context pointer of a running tc program; no pointer into the packet is held over the call.
        let is_linear = end <= self.len() && unsafe { bpf_skb_pull_data(self.skb, end) } == 0;
        is_linear.then_some(())
    }
}

/// Reads bytes by the widest loads that fit. The compiler would read them one by one, for it does not know how they are aligned; the
/// kernel does not mind.
///
/// # Safety
/// `N` bytes of the packet lie at `at`.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a load fills no more bits of the register than it reads")]
unsafe fn words<const N: usize>(at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let mut done = 0;
    while done + 8 <= N {
        // SAFETY: as the caller says.
        let word = unsafe { load!(at + done, "u64") };
        bytes[done..done + 8].copy_from_slice(&word.to_ne_bytes());
        done += 8;
    }
    if done + 4 <= N {
        // SAFETY: as above.
        let word = unsafe { load!(at + done, "u32") } as u32;
        bytes[done..done + 4].copy_from_slice(&word.to_ne_bytes());
        done += 4;
    }
    if done + 2 <= N {
        // SAFETY: as above.
        let word = unsafe { load!(at + done, "u16") } as u16;
        bytes[done..done + 2].copy_from_slice(&word.to_ne_bytes());
        done += 2;
    }
    if done < N {
        // SAFETY: as above.
        bytes[done] = unsafe { load!(at + done, "u8") } as u8;
    }
    bytes
}

/// The raw context of a program.
#[inline(always)]
pub(crate) fn raw(ctx: &TcContext) -> *mut __sk_buff {
    ctx.as_ptr().cast()
}
