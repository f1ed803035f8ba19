//! ICMP: no redirects, no router advertisements, and errors only about packets that the sender was sent (RFC 5927).

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
        icmp::ROUTER_ADVERTISEMENT_V4 => Err(DropReason::RouterAdvertisement),
        icmp::UNREACHABLE | icmp::SOURCE_QUENCH | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM => {
            let inner = Ipv4Header(load_inner(frame, headers)?);
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
    let inner = Ipv6Header(load_inner(frame, headers)?);
    let is_own = source.may_use_ipv6(inner.dst()) && inner.src() == headers.dst_ip;
    if is_own { Ok(()) } else { Err(DropReason::IcmpError) }
}

/// The header of the packet that an error is about. It is whole and in this packet: what lies in the padding is not what the
/// receiver reads, and may come in a fragment of its own.
#[inline(always)]
fn load_inner<F: Frame, const N: usize>(frame: &F, headers: &Headers) -> Result<[u8; N], DropReason> {
    let at = headers.l4_offset + icmp::ERROR_LEN;
    let inner = frame.load(at).ok_or(DropReason::IcmpError)?;
    if u64::from(at) + N as u64 <= u64::from(headers.l3_end) { Ok(inner) } else { Err(DropReason::IcmpError) }
}
