//! Storm control: whether a port may send one more frame that has to be flooded.
//!
//! Enforces: no more frames of a kind leave a limited port than the limit's burst and rate allow. A super-frame counts as the
//! frames that it will become, and one that will become more than a burst never passes.

use crate::{
    abi::port::{PortConfig, PortFlags},
    stage::{
        env::{Clock, Frame, Tables},
        forward::segments,
        headers::Headers,
    },
    verdict::{DropReason, FloodKind},
};

/// How often the account is tried again after another CPU was quicker.
const ATTEMPTS: u32 = 4;

/// Charges a frame to its port's account for this kind of flood.
///
/// # Errors
/// The account does not allow it, or too many CPUs charge it at once.
#[inline(always)]
pub fn charge<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    kind: FloodKind,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<(), DropReason> {
    if !port.flags().has(PortFlags::STORM) {
        return Ok(());
    }
    let now = clock.exact_now();
    let frames = segments(frame, headers);
    for _ in 0..ATTEMPTS {
        let gate = tables.storm_gate(port.slot(), kind);
        if gate.limit().is_none() {
            return Ok(());
        }
        let next = gate.limit().admit(gate.paid_at(), now, frames).ok_or(DropReason::Storm)?;
        if tables.storm_charge(port.slot(), kind, gate.paid_at(), next) {
            return Ok(());
        }
    }
    Err(DropReason::Storm)
}
