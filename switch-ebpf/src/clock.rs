//! The kernel's monotonic clock, at the resolution of its tick: no timer hardware is read.

use aya_ebpf::helpers::bpf_ktime_get_coarse_ns;
use switch_common::{stage::env::Clock, units::Nanos};

/// `CLOCK_MONOTONIC_COARSE`.
pub(crate) struct CoarseClock;

impl Clock for CoarseClock {
    #[inline(always)]
    fn now(&self) -> Nanos {
        // SAFETY: the helper takes nothing and returns a number.
        Nanos(unsafe { bpf_ktime_get_coarse_ns() })
    }
}
