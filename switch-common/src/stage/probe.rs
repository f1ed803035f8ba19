//! Probes of a loop guard: frames that a switch sends out of its ports to find those that are cabled together.
//!
//! Enforces: no probe is forwarded, whoever sent it; it goes to the control plane, which knows its own. Guarded, locked and
//! blocked ports take probes too: a cable is found from either end.

use crate::{abi::addr::MacAddr, stage::headers::Headers};

/// Where probes are sent to: unicast, since frames to a group are the host's too where they come in on its interface; a local
/// address that nobody has, so that bridges on the way flood it.
pub const PROBE_MAC: MacAddr = MacAddr::new([0x02, 0x57, 0x59, 0x45, 0x00, 0x01]);
/// Local experimental ethertype 2 (IEEE 802-2014, 9.2.4).
pub const PROBE_TYPE: u16 = 0x88b6;

/// Whether a frame is a probe.
#[must_use]
#[inline(always)]
pub fn is_probe(headers: &Headers) -> bool {
    headers.ethertype == PROBE_TYPE && headers.dst == PROBE_MAC
}
