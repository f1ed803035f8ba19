//! IPv4: source address, options, DHCP and ICMP.

use super::{DHCP_V4, icmp, source::Source};
use crate::{
    stage::{
        env::{Frame, Tables},
        headers::{Fragment, Headers, first4},
    },
    verdict::{DropReason, PuntReason, Verdict},
    wire::{icmp as wire_icmp, igmp, ipv4, udp},
};

/// The option that IGMP carries, with its length (RFC 2113).
const ROUTER_ALERT: [u8; 2] = [148, 4];
/// Options that steer the packet: loose and strict source route (RFC 791, RFC 7126).
const SOURCE_ROUTES: [u8; 2] = [131, 137];
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const LONGEST_OPTIONS: u32 = 40;

/// Checks an IPv4 packet.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), Verdict> {
    let ip = first4(headers.src_ip);
    let has_no_address_yet = ip == ipv4::UNSPECIFIED && may_be_unspecified(headers);
    if !has_no_address_yet && !source.may_use_ipv4(ip) {
        return Err(Verdict::drop(DropReason::SourceIp));
    }
    check_options(frame, headers)?;
    if headers.fragment == Fragment::Later {
        return Ok(());
    }
    match headers.protocol {
        udp::PROTO if DHCP_V4.are_of_server(headers) => Err(Verdict::drop(DropReason::DhcpServer)),
        igmp::PROTO if headers.icmp_type() == igmp::QUERY && !source.may_ask_for_members() => {
            Err(Verdict::drop(DropReason::MulticastQuery))
        }
        wire_icmp::PROTO_V4 => icmp::check_v4(frame, headers, source).map_err(Verdict::drop),
        _ => Ok(()),
    }
}

#[inline(always)]
fn may_be_unspecified(headers: &Headers) -> bool {
    match headers.protocol {
        udp::PROTO => headers.src_port == DHCP_V4.client && headers.dst_port == DHCP_V4.server,
        // Hosts without an address report their groups too (RFC 3376, 4.2.13).
        igmp::PROTO => true,
        _ => false,
    }
}

/// A router alert alone is IGMP's, and needs no walk.
#[inline(always)]
fn check_options<F: Frame>(frame: &F, headers: &Headers) -> Result<(), Verdict> {
    let first = headers.l3_offset + ipv4::MIN_LEN;
    if headers.l4_offset <= first {
        return Ok(());
    }
    let bad = Verdict::drop(DropReason::Ipv4Options);
    let head: [u8; 2] = frame.load(first).ok_or(bad)?;
    if head == ROUTER_ALERT && headers.l4_offset == first + u32::from(ROUTER_ALERT[1]) {
        return Ok(());
    }
    if !F::DEPTH.walks_ipv4_options {
        return Err(Verdict::punt(PuntReason::Ipv4Options));
    }
    walk_options(frame, first, headers.l4_offset).map_err(Verdict::drop)
}

#[inline(always)]
fn walk_options<F: Frame>(frame: &F, first: u32, end: u32) -> Result<(), DropReason> {
    const BAD: DropReason = DropReason::Ipv4Options;
    let mut at = first;
    for _ in 0..LONGEST_OPTIONS {
        if at >= end {
            return Ok(());
        }
        let [kind] = frame.load(at).ok_or(BAD)?;
        match kind {
            END_OF_OPTIONS => return Ok(()),
            NO_OPERATION => at += 1,
            kind if SOURCE_ROUTES.contains(&kind) => return Err(BAD),
            _ => {
                let [length] = frame.load(at + 1).ok_or(BAD)?;
                at += u32::from(length);
                if length < 2 || at > end {
                    return Err(BAD);
                }
            }
        }
    }
    Ok(())
}
