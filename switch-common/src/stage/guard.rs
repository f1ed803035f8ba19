//! What no port may send, whoever is behind it.
//!
//! Enforces: the source MAC is one station's; link-local groups (IEEE 802.1Q-2018, table 8-1) are not forwarded.

use crate::{stage::headers::Headers, verdict::DropReason};

/// Checks the addresses of a frame.
///
/// # Errors
/// The reason to drop it.
#[inline(always)]
pub fn check(headers: &Headers) -> Result<(), DropReason> {
    if headers.src.is_group() || headers.src.is_zero() {
        return Err(DropReason::SourceMac);
    }
    if headers.dst.is_bridge_reserved() {
        return Err(DropReason::ReservedGroup);
    }
    Ok(())
}
