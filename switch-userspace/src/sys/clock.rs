//! The clock that FDB entries and events are stamped with.

use std::mem::MaybeUninit;

use switch_common::units::Nanos;

/// `CLOCK_MONOTONIC_COARSE`: the kernel's monotonic clock at the resolution of its tick, the one that the kernel programs
/// read.
#[must_use]
pub fn monotonic() -> Nanos {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: clock_gettime writes one timespec; zeroed bytes are a valid one, should the call ever fail.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr());
        time.assume_init()
    };
    Nanos(time.tv_sec.cast_unsigned() * Nanos::PER_SEC + time.tv_nsec.cast_unsigned())
}
