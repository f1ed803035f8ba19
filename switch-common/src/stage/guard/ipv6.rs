//! IPv6: source address, DHCP, ICMPv6 and neighbour discovery.

use super::{DHCP_V6, icmp, neighbour, source::Source};
use crate::{
    stage::{
        env::{Frame, Tables},
        headers::{Fragment, Headers},
    },
    verdict::{DropReason, Verdict},
    wire::{icmp as wire_icmp, ipv6, udp},
};

/// Checks an IPv6 packet.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), Verdict> {
    let has_no_address_yet = headers.src_ip == ipv6::UNSPECIFIED && may_be_unspecified(headers);
    if !has_no_address_yet && !source.may_use_ipv6(headers.src_ip) {
        return Err(Verdict::drop(DropReason::SourceIp));
    }
    if headers.fragment == Fragment::Later {
        return Ok(());
    }
    match headers.protocol {
        udp::PROTO if DHCP_V6.are_of_server(headers) => Err(Verdict::drop(DropReason::DhcpServer)),
        wire_icmp::PROTO_V6 => check_icmp(frame, headers, source),
        _ => Ok(()),
    }
}

/// A station that is only just finding its address (RFC 4862) and reports its groups (RFC 3590).
#[inline(always)]
fn may_be_unspecified(headers: &Headers) -> bool {
    headers.protocol == wire_icmp::PROTO_V6
        && headers.fragment != Fragment::Later
        && matches!(
            headers.icmp_type(),
            wire_icmp::ROUTER_SOLICITATION
                | wire_icmp::NEIGHBOUR_SOLICITATION
                | wire_icmp::MLD_REPORT
                | wire_icmp::MLD_DONE
                | wire_icmp::MLD_REPORT_V2
        )
}

#[inline(always)]
fn check_icmp<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), Verdict> {
    match headers.icmp_type() {
        wire_icmp::ROUTER_ADVERTISEMENT => Err(Verdict::drop(DropReason::RouterAdvertisement)),
        wire_icmp::MLD_QUERY if !source.may_ask_for_members() => {
            Err(Verdict::drop(DropReason::MulticastQuery))
        }
        wire_icmp::REDIRECT_V6 => Err(Verdict::drop(DropReason::IcmpRedirect)),
        wire_icmp::ROUTER_SOLICITATION
        | wire_icmp::NEIGHBOUR_SOLICITATION
        | wire_icmp::NEIGHBOUR_ADVERTISEMENT => neighbour::check(frame, headers, source),
        wire_icmp::UNREACHABLE_V6..=wire_icmp::PARAMETER_PROBLEM_V6 => {
            icmp::check_error_v6(frame, headers, source).map_err(Verdict::drop)
        }
        _ => Ok(()),
    }
}
