//! Quantities with their unit in the type, so that seconds and nanoseconds cannot be swapped.

/// A point on, or a span of, the monotonic clock in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Nanoseconds in one second.
    pub const PER_SEC: u64 = 1_000_000_000;

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as u64 * Self::PER_SEC)
    }

    /// The span from `earlier` to `self`, zero where `earlier` lies later (two CPUs' clocks may differ).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / Self::PER_SEC
    }
}
