//! Storm control: how many frames of each kind of flood a port may send.
//!
//! The generic cell rate algorithm (ITU-T I.371) in its virtual scheduling form: an account is the moment at which all frames so
//! far have been paid for at the limit's rate, one word that lies at most a burst ahead of the clock.

use crate::{abi::addr::Slot, units::Nanos, verdict::FloodKind};

/// Gates kept for each slot: one a kind of flood, one for the copies of membership messages, and one for ICMP errors.
pub const GATES_PER_SLOT: u32 = 5;

const BURST_SHIFT: u32 = 32;
const INTERVAL_MASK: u64 = (1 << BURST_SHIFT) - 1;

/// A limit in one word, so that nobody reads half of one: the time between two frames, and how many may come at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct StormLimit(u64);

impl StormLimit {
    /// Any number of frames.
    pub const NONE: Self = Self(0);

    /// At most `rate` frames a second (0: any number) beside `burst` at once, which is at least 1. The time between two frames
    /// is kept in whole nanoseconds, rounded up: the rate in force is never higher.
    #[must_use]
    pub const fn new(rate: u32, burst: u32) -> Self {
        if rate == 0 {
            return Self::NONE;
        }
        let burst = if burst == 0 { 1 } else { burst };
        Self(Nanos::PER_SEC.div_ceil(rate as u64) | (burst as u64) << BURST_SHIFT)
    }

    /// The word that is stored.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From the word that was stored.
    #[must_use]
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether any number of frames may pass.
    #[must_use]
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The account after `frames` that come at `now`; `None` where they are too many, which leaves the account as it is. More
    /// frames in one than a burst are always too many.
    #[must_use]
    #[inline(always)]
    pub fn admit(self, paid_at: Nanos, now: Nanos, frames: u32) -> Option<Nanos> {
        let interval = self.0 & INTERVAL_MASK;
        let tolerance = interval * (self.0 >> BURST_SHIFT);
        let next = paid_at.0.max(now.0) + interval * u64::from(frames);
        (next - now.0 <= tolerance).then_some(Nanos(next))
    }
}

/// The limits of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StormLimits {
    /// For unicast to a MAC that the FDB does not know.
    pub unknown_unicast: StormLimit,
    /// For broadcast.
    pub broadcast: StormLimit,
    /// For multicast.
    pub multicast: StormLimit,
}

impl StormLimits {
    /// Any number of frames of every kind.
    pub const NONE: Self =
        Self { unknown_unicast: StormLimit::NONE, broadcast: StormLimit::NONE, multicast: StormLimit::NONE };

    /// That of one kind.
    #[must_use]
    pub const fn of(&self, kind: FloodKind) -> StormLimit {
        match kind {
            FloodKind::UnknownUnicast => self.unknown_unicast,
            FloodKind::Broadcast => self.broadcast,
            FloodKind::Multicast => self.multicast,
        }
    }
}

/// A port's limit for one kind of flood, and its account. Changed word by word: the limit by the control plane, the account by
/// compare-and-exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct StormGate {
    limit: u64,
    paid_at: u64,
}

impl StormGate {
    /// A gate as it is at a moment.
    #[must_use]
    pub const fn new(limit: StormLimit, paid_at: Nanos) -> Self {
        Self { limit: limit.to_bits(), paid_at: paid_at.0 }
    }

    /// The limit.
    #[must_use]
    #[inline(always)]
    pub const fn limit(self) -> StormLimit {
        StormLimit::from_bits(self.limit)
    }

    /// The account: when all frames so far have been paid for.
    #[must_use]
    #[inline(always)]
    pub const fn paid_at(self) -> Nanos {
        Nanos(self.paid_at)
    }
}

/// Membership messages that the control plane gets a copy of: a second's worth of a port with many hosts behind it.
pub const SNOOP_LIMIT: StormLimit = StormLimit::new(1_000, 1_000);

/// Index of a port's account for those copies in the array of gates: no kind of flood has it.
#[must_use]
#[inline(always)]
pub const fn snoop_gate_index(slot: Slot) -> u32 {
    slot.0 as u32 * GATES_PER_SLOT
}

/// ICMP errors that a port is sent by the switch's own routers.
pub const ERROR_LIMIT: StormLimit = StormLimit::new(1_000, 100);

/// Index of a port's account for those errors in the array of gates.
#[must_use]
#[inline(always)]
pub const fn error_gate_index(slot: Slot) -> u32 {
    slot.0 as u32 * GATES_PER_SLOT + GATES_PER_SLOT - 1
}

/// Index of a port's gate for a kind of flood in the array of gates.
#[must_use]
#[inline(always)]
pub const fn gate_index(slot: Slot, kind: FloodKind) -> u32 {
    slot.0 as u32 * GATES_PER_SLOT + kind as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Offers one frame at each of these distances from the one before; says when frames were admitted.
    fn admitted(limit: StormLimit, gaps: &[u64]) -> std::vec::Vec<u64> {
        let (mut now, mut paid_at) = (1_000_000, Nanos(0));
        let mut times = std::vec::Vec::new();
        for gap in gaps {
            now += gap;
            if let Some(next) = limit.admit(paid_at, Nanos(now), 1) {
                paid_at = next;
                times.push(now);
            }
        }
        times
    }

    fn limits() -> impl Strategy<Value = (u32, u32)> {
        (prop_oneof![1..1_000u32, 1..=10_000_000u32], 1..50u32)
    }

    proptest! {
        #[test]
        fn no_span_sees_more_than_a_burst_and_what_the_rate_gives(
            (rate, burst) in limits(),
            gaps in prop::collection::vec(prop_oneof![Just(0), 0..10_000u64, 0..2_000_000_000u64], 1..300),
        ) {
            let times = admitted(StormLimit::new(rate, burst), &gaps);
            for (first, start) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let earned = u128::from(end - start) * u128::from(rate) / u128::from(Nanos::PER_SEC);
                    prop_assert!((last - first + 1) as u128 <= u128::from(burst) + earned);
                }
            }
        }

        #[test]
        fn whoever_keeps_to_the_rate_loses_nothing(
            (rate, burst) in limits(),
            waits in prop::collection::vec(0..5_000u64, 1..300),
        ) {
            let interval = Nanos::PER_SEC.div_ceil(u64::from(rate));
            let gaps: std::vec::Vec<u64> = waits.iter().map(|wait| interval + wait).collect();
            prop_assert_eq!(admitted(StormLimit::new(rate, burst), &gaps).len(), gaps.len());
        }

        #[test]
        fn a_burst_passes_at_once_after_silence_and_the_next_frame_does_not((rate, burst) in limits()) {
            let limit = StormLimit::new(rate, burst);
            let whole = limit.admit(Nanos(0), Nanos(5_000_000_000), burst).expect("a burst");
            prop_assert_eq!(limit.admit(whole, Nanos(5_000_000_000), 1), None);
            prop_assert!(limit.admit(Nanos(0), Nanos(5_000_000_000), burst + 1).is_none());
        }

        #[test]
        fn a_storm_does_not_use_up_what_comes_after_it((rate, burst) in limits(), flood in 1..500usize) {
            let interval = Nanos::PER_SEC.div_ceil(u64::from(rate));
            let mut gaps = std::vec![0; flood];
            gaps.push(interval);
            prop_assert_eq!(*admitted(StormLimit::new(rate, burst), &gaps).last().expect("some"), 1_000_000 + interval);
        }
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        assert_eq!(StormLimit::new(0, 7), StormLimit::NONE);
        assert!(!StormLimit::new(1, 1).is_none());
    }
}
