//! Jumps from one program to another.

use core::arch::asm;

use aya_ebpf::programs::TcContext;

use crate::{frame::raw, maps};

/// Goes on in the program at `INDEX`; comes back only where none is there. The index is part of the instructions: the kernel makes a
/// direct jump of it then (5.5), and no compiler can merge two jumps into one whose index is found at run time, which would go the
/// slow way of indirect branches.
///
/// # Safety
/// The program at `INDEX` is one of the same type that finds all that it reads stored.
#[inline(always)]
pub(crate) unsafe fn jump<const INDEX: u32>(ctx: &TcContext) {
    // SAFETY: the helper `bpf_tail_call` (12), which takes context, map and index, and leaves nothing in the registers of arguments.
    unsafe {
        asm!("r3 = {index}", "call 12", index = const INDEX, inlateout("r1") raw(ctx) => _,
            inlateout("r2") &raw const maps::JUMPS => _, lateout("r0") _, lateout("r3") _, lateout("r4") _,
            lateout("r5") _, options(nostack));
    }
}
