//! Sampled drop events: at most one a reason, CPU and 10 ms, with the number of drops in between.

use switch_common::{
    DropReason,
    abi::{
        addr::PortId,
        event::{DropEvent, EVENT_BYTES, EVENT_INTERVAL_NS},
    },
    stage::env::{Clock, Frame},
};

use crate::{clock::KernelClock, frame::SkbFrame, maps};

/// Loads have a fixed size: of a frame that is shorter than an event's room, an ARP message's length is tried, then an
/// Ethernet header's.
const SHORT_HEAD: usize = 42;
const ETH_HEAD: usize = 14;
const HEAD_BYTES: u32 = 64;
const SHORT_HEAD_BYTES: u32 = 42;
const ETH_HEAD_BYTES: u32 = 14;
const _: () = assert!(HEAD_BYTES as usize == EVENT_BYTES);

/// Puts a record of the drop into the event ring where one is due.
#[inline(always)]
pub(crate) fn report(frame: &SkbFrame, port: PortId, reason: DropReason) {
    let Some(gate) = maps::EVENT_GATES.get_ptr_mut(reason as u32) else { return };
    let now = KernelClock.now().0;
    // SAFETY: a per-CPU value of a live map.
    let unreported = unsafe {
        if (*gate).last_ns != 0 && now - (*gate).last_ns < EVENT_INTERVAL_NS {
            (*gate).unreported += 1;
            return;
        }
        (*gate).last_ns = now;
        core::mem::take(&mut (*gate).unreported)
    };
    let Some(mut entry) = maps::EVENTS.reserve(0) else {
        // SAFETY: as above; what the full ring did not take is told with the next event.
        unsafe { (*gate).unreported = unreported + 1 };
        return;
    };
    let frame_len = frame.len();
    let mut event = DropEvent {
        at_ns: now,
        unreported,
        port,
        reason: reason as u32,
        frame_len,
        head_len: 0,
        head: [0; EVENT_BYTES],
    };
    if let Some(head) = frame.load::<EVENT_BYTES>(0) {
        event.head = head;
        event.head_len = HEAD_BYTES;
    } else if let Some(head) = frame.load::<SHORT_HEAD>(0) {
        event.head[..SHORT_HEAD].copy_from_slice(&head);
        event.head_len = SHORT_HEAD_BYTES;
    } else if let Some(head) = frame.load::<ETH_HEAD>(0) {
        event.head[..ETH_HEAD].copy_from_slice(&head);
        event.head_len = ETH_HEAD_BYTES;
    }
    entry.write(event);
    entry.submit(0);
}
