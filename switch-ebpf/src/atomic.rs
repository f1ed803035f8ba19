//! Atomic addition, exchange and clearing of bits on map values: the bpf target of `core` has no read-modify-write atomics, the instruction set has
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

/// Clears the bits of `mask` in a shared word.
///
/// # Safety
/// `at` points into a live map value and is 4-byte aligned.
#[inline(always)]
pub(crate) unsafe fn clear_bits(at: *mut u32, mask: u32) {
    // SAFETY: one instruction on the word that the caller vouches for.
    unsafe {
        asm!("lock *(u32 *)({at} + 0) &= {kept}", at = in(reg) at, kept = in(wreg) !mask);
    }
}

/// Puts `new` in the place of `old`; says `false` and changes nothing where something else is there.
///
/// # Safety
/// As for [`fetch_add`]; other writers may also replace the word whole.
#[inline(always)]
pub(crate) unsafe fn compare_exchange(at: *mut u64, old: u64, new: u64) -> bool {
    let found;
    // SAFETY: one instruction on the word that the caller vouches for; it compares with r0 and leaves there what it found.
    unsafe {
        asm!("r0 = cmpxchg_64({at} + 0, r0, {new})", at = in(reg) at, new = in(reg) new, inlateout("r0") old => found);
    }
    let found: u64 = found;
    found == old
}
