//! Destination MAC to verdict: one port, a flood, the host, or a drop.
//!
//! Enforces: a frame leaves only within its domain, not through the port it came from (unless hairpin), not between
//! isolated ports, not to the host where that would have to pass it on, not into a port whose MTU it exceeds, and not through one
//! that is blocked or whose interface is down.

use crate::{
    abi::{
        addr::{MacAddr, PortId},
        fdb::{FdbEntry, FdbKey},
        group::ListId,
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Clock, Frame, SIZED_SEGMENTS, Tables},
        gateway,
        headers::Headers,
        multicast::{self, Aim},
        storm,
        vlan::{self, Membership},
    },
    verdict::{DropReason, FloodKind, PuntReason, Verdict},
};

/// Decides where a frame for a group goes.
///
/// # Errors
/// The reason to drop it.
#[inline(always)]
pub fn to_group<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    member: Membership,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, DropReason> {
    let is_broadcast = headers.dst.is_broadcast();
    let kind = if is_broadcast { FloodKind::Broadcast } else { FloodKind::Multicast };
    let aim = if is_broadcast { Aim::ALL } else { multicast::aim::<F, T>(headers, member, port, tables) };
    if aim.is_long {
        return Ok(Verdict::punt(PuntReason::LongReport));
    }
    storm::charge(frame, headers, kind, port, tables, clock)?;
    let flood = match aim.list {
        ListId::NONE => Verdict::flood_in(kind, member),
        list => Verdict::deliver_in(list, member),
    };
    Ok(flood.with_copy(aim.is_snooped))
}

/// Decides where a frame for one station goes, and counts it there where it is one port.
///
/// # Errors
/// The reason to drop it.
#[inline(always)]
pub fn to_station<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    member: Membership,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, DropReason> {
    let key = FdbKey::new(port.domain(), headers.dst).in_vlan(member.vlan());
    let Some(entry) = live_entry(key, port, tables, clock)? else {
        storm::charge(frame, headers, FloodKind::UnknownUnicast, port, tables, clock)?;
        return Ok(Verdict::flood_in(FloodKind::UnknownUnicast, member));
    };
    let Some(out) = tables.port(entry.port()) else {
        return Err(DropReason::EgressGone);
    };
    if out.domain() != port.domain() {
        return Err(DropReason::EgressGone);
    }
    if !out.flags().lets_out() {
        return Err(refusal(out.flags()));
    }
    if entry.port() == port_id && !port.flags().has(PortFlags::HAIRPIN) {
        return Err(DropReason::SamePort);
    }
    if both_isolated(port, &out) {
        return Err(DropReason::Isolated);
    }
    if out.flags().has(PortFlags::GATEWAY) && !gateway::takes(headers, &out, tables) {
        return Ok(Verdict::refuse(DropReason::NoRoute, entry.port()));
    }
    if exceeds_mtu(frame, headers, &out) {
        return Err(DropReason::TooBig);
    }
    let tags = vlan::leave(member, &out, tables).ok_or(DropReason::Vlan)?;
    tables.count_tx(out.slot(), frame.len());
    let is_straight = headers.dst == out.mac() && !out.flags().sends_plainly();
    Ok(Verdict::forward_with(entry.port(), tags).with_straight(is_straight))
}

/// Why nothing leaves through a port with these flags.
#[inline(always)]
const fn refusal(flags: PortFlags) -> DropReason {
    if flags.has(PortFlags::BLOCKED) { DropReason::Loop } else { DropReason::EgressGone }
}

/// Whether a frame from an uplink is the host's alone. Nothing else of it is looked at: the host judges its own traffic.
#[must_use]
#[inline(always)]
pub fn is_for_host<F: Frame>(frame: &F, port: &PortConfig) -> bool {
    port.flags().has(PortFlags::UPLINK) && frame.load(0).map(MacAddr::new) == Some(port.mac())
}

/// Whether the host has a right to a frame from an uplink whatever the switch does with it: one to a group.
#[must_use]
#[inline(always)]
pub fn is_for_host_too<F: Frame>(frame: &F, port: &PortConfig) -> bool {
    port.flags().has(PortFlags::UPLINK) && frame.load(0).is_some_and(|dst| MacAddr::new(dst).is_group())
}

#[inline(always)]
fn live_entry<T: Tables, C: Clock>(
    key: FdbKey,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Option<FdbEntry>, DropReason> {
    let Some(entry) = tables.fdb_lookup(key) else {
        return Ok(None);
    };
    if !entry.is_learned() {
        return Ok(Some(entry));
    }
    let domain = tables.domain(port.domain()).ok_or(DropReason::DomainGone)?;
    Ok((!entry.is_expired(clock.now(), domain.ageing())).then_some(entry))
}

/// Whether isolation keeps two ports apart.
#[must_use]
#[inline(always)]
pub fn both_isolated(a: &PortConfig, b: &PortConfig) -> bool {
    a.flags().has(PortFlags::ISOLATED) && b.flags().has(PortFlags::ISOLATED)
}

/// Whether a packet, or each packet that a super-frame will become, is larger than the port's MTU.
#[must_use]
#[inline(always)]
pub fn exceeds_mtu<F: Frame>(frame: &F, headers: &Headers, out: &PortConfig) -> bool {
    largest_packet(frame, headers) > out.mtu()
}

/// Frames that a super-frame will become; 1 where it is none, or where its sender has cut its segments, of which no more is
/// known.
#[must_use]
#[inline(always)]
pub fn segments<F: Frame>(frame: &F, headers: &Headers) -> u32 {
    match frame.segment_size() {
        0 | SIZED_SEGMENTS => 1,
        size => frame.len().saturating_sub(headers.payload_offset).div_ceil(size).max(1),
    }
}

/// Bytes of the packet that an MTU counts, or of the largest that a super-frame will become. Segments that their sender has cut
/// fit the sender's path: no more is known of them.
#[must_use]
#[inline(always)]
pub fn largest_packet<F: Frame>(frame: &F, headers: &Headers) -> u32 {
    let end = match frame.segment_size() {
        0 => frame.len(),
        SIZED_SEGMENTS => headers.payload_offset,
        size => headers.payload_offset + size,
    };
    end.saturating_sub(headers.body_offset)
}
