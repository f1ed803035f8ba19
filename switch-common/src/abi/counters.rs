//! Traffic counters by port and drop counters by port and reason.

use crate::{abi::addr::Slot, verdict::DropReason};

/// Frames and bytes through one port, one record a CPU. A GSO super-frame counts as one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PortCounters {
    /// Frames that the port's interface handed to the switch.
    pub rx_frames: u64,
    /// Bytes of those frames, Ethernet header included.
    pub rx_bytes: u64,
    /// Frames that the switch delivered to the port.
    pub tx_frames: u64,
    /// Bytes of those frames, Ethernet header included.
    pub tx_bytes: u64,
}

impl PortCounters {
    /// Adds another CPU's share.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            rx_frames: self.rx_frames.wrapping_add(other.rx_frames),
            rx_bytes: self.rx_bytes.wrapping_add(other.rx_bytes),
            tx_frames: self.tx_frames.wrapping_add(other.tx_frames),
            tx_bytes: self.tx_bytes.wrapping_add(other.tx_bytes),
        }
    }
}

/// Drop counters kept for each slot.
pub const DROPS_PER_SLOT: u32 = 64;

/// Index of a port's counter for `reason` in the array of drop counters.
#[must_use]
#[inline(always)]
pub const fn drop_index(slot: Slot, reason: DropReason) -> u32 {
    slot.0 as u32 * DROPS_PER_SLOT + reason as u32
}
