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

/// Whether a frame asks, without a sender, for an address that is not the port's own.
#[inline(always)]
pub(super) fn asks_for_another<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> bool {
    match headers.network {
        Network::Arp if first4(headers.src_ip) == ipv4::UNSPECIFIED => {
            !source.may_use_ipv4(first4(headers.dst_ip))
        }
        Network::Ipv6 if is_question(headers) => {
            let target = frame.load(headers.l4_offset + neighbour::TARGET_OFFSET);
            target.is_none_or(|target| !source.may_use_ipv6(target))
        }
        Network::Arp | Network::Ipv4 | Network::Ipv6 | Network::Other => false,
    }
}

/// Why such a frame is refused.
#[inline(always)]
pub(super) const fn refusal(headers: &Headers) -> DropReason {
    match headers.network {
        Network::Arp => DropReason::ArpSpoof,
        Network::Ipv4 | Network::Ipv6 | Network::Other => DropReason::NdSpoof,
    }
}

#[inline(always)]
fn is_question(headers: &Headers) -> bool {
    headers.src_ip == ipv6::UNSPECIFIED
        && headers.protocol == icmp::PROTO_V6
        && headers.icmp_type() == icmp::NEIGHBOUR_SOLICITATION
}
