//! Neighbour discovery (RFC 4861): targets and link-layer addresses are the port's own, and nothing is fragmented (RFC 6980).

use super::source::Source;
use crate::{
    abi::addr::MacAddr,
    stage::{
        env::{Frame, Tables},
        headers::{Fragment, Headers},
    },
    verdict::{DropReason, Verdict},
    wire::{icmp, neighbour as wire},
};

/// Checks a solicitation or a neighbour advertisement.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    source: &Source<'_, T>,
) -> Result<(), Verdict> {
    const BAD: Verdict = Verdict::drop(DropReason::NdSpoof);
    if headers.fragment != Fragment::Whole {
        return Err(BAD);
    }
    if headers.icmp_type() == icmp::NEIGHBOUR_ADVERTISEMENT {
        let target = frame.load(headers.l4_offset + wire::TARGET_OFFSET).ok_or(BAD)?;
        if !source.may_use_ipv6(target) {
            return Err(BAD);
        }
    }
    let options = if headers.icmp_type() == icmp::ROUTER_SOLICITATION {
        wire::ROUTER_OPTIONS_OFFSET
    } else {
        wire::OPTIONS_OFFSET
    };
    check_options(frame, headers.l4_offset + options, headers.l3_end, source.mac)
}

/// Link-layer address options (RFC 4861, 4.6.1) must name `mac`.
#[inline(always)]
fn check_options<F: Frame>(frame: &F, first: u32, end: u32, mac: MacAddr) -> Result<(), Verdict> {
    const BAD: Verdict = Verdict::drop(DropReason::NdSpoof);
    let mut at = first;
    for _ in 0..F::DEPTH.nd_options {
        if at == end {
            return Ok(());
        }
        if at + wire::OPTION_UNIT > end {
            return Err(BAD);
        }
        let option = wire::OptionHead(frame.load(at).ok_or(BAD)?);
        if option.is_empty() || option.link_layer_address().is_some_and(|named| named != mac) {
            return Err(BAD);
        }
        at += option.len();
    }
    if at == end { Ok(()) } else { Err(F::DEPTH.beyond_nd_options) }
}
