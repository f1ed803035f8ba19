//! ARP: the sender is the port itself (RFC 826), or nobody yet (a probe, RFC 5227).

use super::source::Source;
use crate::{
    stage::{
        env::{Frame, Tables},
        headers::Headers,
    },
    verdict::DropReason,
    wire::{
        arp::{self, ArpMessage},
        ipv4,
    },
};

/// Checks an ARP message.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), DropReason> {
    let message = ArpMessage(frame.load(headers.l3_offset).ok_or(DropReason::ArpHeader)?);
    let is_known = matches!(message.operation(), arp::REQUEST | arp::REPLY);
    let ip = message.sender_ip();
    let is_probe = ip == ipv4::UNSPECIFIED && message.operation() == arp::REQUEST;
    if is_known && message.sender_mac() == source.mac && (is_probe || source.may_use_ipv4(ip)) {
        Ok(())
    } else {
        Err(DropReason::ArpSpoof)
    }
}
