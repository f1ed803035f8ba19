//! Records of the event ring.

use crate::abi::addr::PortId;

/// Bytes of a dropped frame that its event carries.
pub const EVENT_BYTES: usize = 64;

/// Shortest time between two events of the same drop reason on one CPU: 100 a second.
pub const EVENT_INTERVAL_NS: u64 = 10_000_000;

/// A sampled drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct DropEvent {
    /// Monotonic time of the drop in nanoseconds.
    pub at_ns: u64,
    /// Drops of this reason on this CPU that made no event since the one before.
    pub unreported: u64,
    /// The port that the frame came in on.
    pub port: PortId,
    /// [`crate::DropReason`] as a number.
    pub reason: u32,
    /// Length of the frame in bytes.
    pub frame_len: u32,
    /// Valid bytes in `head`.
    pub head_len: u32,
    /// The beginning of the frame.
    pub head: [u8; EVENT_BYTES],
}

/// When the last event of a reason was made on this CPU, and how many drops went without one since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct EventGate {
    /// Monotonic time of the last event in nanoseconds.
    pub last_ns: u64,
    /// Drops since then.
    pub unreported: u64,
}
