//! ICMP: no redirects, and errors only about packets that the sender was sent (RFC 5927).

use super::source::Source;
use crate::{
    stage::{
        env::{Frame, Tables},
        headers::{Headers, first4},
    },
    verdict::DropReason,
    wire::{icmp, ipv4::Ipv4Header, ipv6::Ipv6Header},
};

/// Checks an ICMPv4 message.
#[inline(always)]
pub(super) fn check_v4<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), DropReason> {
    match headers.icmp_type() {
        icmp::REDIRECT => Err(DropReason::IcmpRedirect),
        icmp::UNREACHABLE | icmp::SOURCE_QUENCH | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM => {
            let inner = frame.load(headers.l4_offset + icmp::ERROR_LEN).map(Ipv4Header);
            let inner = inner.ok_or(DropReason::IcmpError)?;
            let is_own = source.may_use_ipv4(inner.dst()) && inner.src() == first4(headers.dst_ip);
            if is_own { Ok(()) } else { Err(DropReason::IcmpError) }
        }
        _ => Ok(()),
    }
}

/// Checks an ICMPv6 error.
#[inline(always)]
pub(super) fn check_error_v6<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), DropReason> {
    let inner = frame.load(headers.l4_offset + icmp::ERROR_LEN).map(Ipv6Header);
    let inner = inner.ok_or(DropReason::IcmpError)?;
    let is_own = source.may_use_ipv6(inner.dst()) && inner.src() == headers.dst_ip;
    if is_own { Ok(()) } else { Err(DropReason::IcmpError) }
}
