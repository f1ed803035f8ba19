//! The pipeline's clock outside the kernel.

use switch_common::{stage::env::Clock, units::Nanos};

use crate::sys;

/// The clock that the kernel programs read too.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> Nanos {
        sys::clock::monotonic()
    }

    fn exact_now(&self) -> Nanos {
        self.now()
    }
}
