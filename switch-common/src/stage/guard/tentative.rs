//! Whether an address is free: questions without a sender (RFC 4862, 5.4.2; RFC 5227, 2.1.1) are about the port's own addresses.

use super::source::Source;
use crate::{
    stage::{
        env::{Frame, Tables},
        headers::{Headers, Network, first4},
    },
    verdict::DropReason,
    wire::{icmp, ipv4, ipv6, neighbour},
};

/// Checks a frame that others are to hear.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), DropReason> {
    match headers.network {
        Network::Arp if first4(headers.src_ip) == ipv4::UNSPECIFIED => {
            let target = first4(headers.dst_ip);
            if source.may_use_ipv4(target) { Ok(()) } else { Err(DropReason::ArpSpoof) }
        }
        Network::Ipv6 if is_question(headers) => {
            let at = headers.l4_offset + neighbour::TARGET_OFFSET;
            let target = frame.load(at).ok_or(DropReason::NdSpoof)?;
            if source.may_use_ipv6(target) { Ok(()) } else { Err(DropReason::NdSpoof) }
        }
        Network::Arp | Network::Ipv4 | Network::Ipv6 | Network::Other => Ok(()),
    }
}

#[inline(always)]
fn is_question(headers: &Headers) -> bool {
    headers.src_ip == ipv6::UNSPECIFIED
        && headers.protocol == icmp::PROTO_V6
        && headers.icmp_type() == icmp::NEIGHBOUR_SOLICITATION
}
