//! The kernel's monotonic clock, at the resolution of its tick where that will do: then no timer hardware is read.

use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use switch_common::{stage::env::Clock, units::Nanos};

/// `CLOCK_MONOTONIC_COARSE`, and `CLOCK_MONOTONIC` where asked.
pub(crate) struct KernelClock;

impl Clock for KernelClock {
    #[inline(always)]
    fn now(&self) -> Nanos {
        // SAFETY: the helper takes nothing and returns a number.
        Nanos(unsafe { bpf_ktime_get_coarse_ns() })
    }

    #[inline(always)]
    fn exact_now(&self) -> Nanos {
        // SAFETY: as above.
        Nanos(unsafe { bpf_ktime_get_ns() })
    }
}
