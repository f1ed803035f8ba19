//! Atomic addition on map values: the bpf target of `core` has no read-modify-write atomics, the instruction set has
//! (kernel 5.12, cpu v3).

use core::arch::asm;

/// Adds to a shared counter and returns what it held before.
///
/// # Safety
/// `at` points into a live map value and is 8-byte aligned; every other writer adds atomically too.
#[inline(always)]
pub(crate) unsafe fn fetch_add(at: *mut u64, amount: u64) -> u64 {
    let mut value = amount;
    // SAFETY: one instruction on the word that the caller vouches for.
    unsafe {
        asm!("{value} = atomic_fetch_add((u64 *)({at} + 0), {value})", at = in(reg) at, value = inout(reg) value);
    }
    value
}
