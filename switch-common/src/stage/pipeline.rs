//! The order of the stages, in one screen.
//!
//! [`run`] is the whole way of a frame. The kernel takes it in the same parts, each a program of its own, because one program
//! that holds all stages needs more stack than the kernel gives: [`admit`], [`identify`] where it is in doubt who speaks, then [`switch_to_station`] or
//! [`switch_to_group`], and [`refuse`] where there is no way.

use crate::{
    abi::{
        addr::{DomainId, PortId, Slot},
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Clock, Frame, Tables},
        forward, guard,
        headers::Headers,
        learn, parse, probe, respond, unreachable, vlan,
    },
    verdict::{DropReason, Outcome, PuntReason, Verdict},
};

/// Drops of frames from interfaces that are no ports are counted here; real ports have slots from 1 on.
pub const NO_SLOT: Slot = Slot(0);

/// Decides what becomes of a frame that came in on `port_id`, and counts it. What is parsed of it is kept in `headers`, whatever
/// they held before.
#[inline(always)]
pub fn run<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &mut Headers,
    port_id: PortId,
    tables: &T,
    clock: &C,
) -> Verdict {
    let verdict = match judge(frame, headers, port_id, tables, clock) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    conclude(port_id, tables, verdict);
    verdict
}

#[inline(always)]
fn judge<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &mut Headers,
    port_id: PortId,
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    let port = admit(frame, headers, port_id, tables)?;
    if is_in_doubt(headers, port_id, &port, tables) {
        identify(frame, headers, port_id, &port, tables)?;
    }
    let verdict = switch(frame, headers, port_id, &port, tables, clock)?;
    match verdict.outcome() {
        Some(Outcome::Refuse(reason, router)) => {
            refuse::<F, T, C>(headers, &port, (reason, router), tables, clock)
        }
        _ => Ok(verdict),
    }
}

/// Lets a frame in: counts it, parses it, and checks what holds for every port.
///
/// # Errors
/// The verdict, where that is the end of it.
#[inline(always)]
pub fn admit<F: Frame, T: Tables>(
    frame: &F,
    headers: &mut Headers,
    port_id: PortId,
    tables: &T,
) -> Result<PortConfig, Verdict> {
    let port = known_port(port_id, tables)?;
    tables.count_rx(port.slot(), frame.len());
    if !port.flags().has(PortFlags::READY) {
        return Err(Verdict::drop(DropReason::PortNotReady));
    }
    if forward::is_for_host(frame, &port) {
        return Err(Verdict::to_host());
    }
    if port.flags().has(PortFlags::DOWN) {
        tables.note_awake(port_id);
    }
    parse::parse_into(frame, headers)?;
    if probe::is_probe(headers) {
        return Err(Verdict::punt(PuntReason::LoopProbe));
    }
    if port.flags().has(PortFlags::BLOCKED) {
        return Err(Verdict::drop(DropReason::Loop));
    }
    guard::check(headers).map_err(Verdict::drop)?;
    Ok(port)
}

/// Whether a frame has to pass [`identify`]: it comes from a guarded port and is not plainly that port's own.
#[must_use]
#[inline(always)]
pub fn is_in_doubt<T: Tables>(headers: &Headers, port_id: PortId, port: &PortConfig, tables: &T) -> bool {
    port.flags().has(PortFlags::GUARD) && guard::is_in_doubt(headers, port_id, tables)
}

/// Checks that a guarded port speaks for itself.
///
/// # Errors
/// The verdict, where that is the end of it.
#[inline(always)]
pub fn identify<F: Frame, T: Tables>(
    frame: &F,
    headers: &mut Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
) -> Result<(), Verdict> {
    if port.flags().has(PortFlags::GUARD) {
        guard::check_identity(frame, headers, port_id, port, tables)?;
        headers.asks_for_another = guard::asks_for_another(frame, headers, port_id, port, tables);
    }
    Ok(())
}

/// Learns where the frame came from, answers it or decides where it goes.
///
/// # Errors
/// The verdict, where it is to drop.
#[inline(always)]
pub fn switch<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    if headers.dst.is_group() {
        switch_to_group(frame, headers, port_id, port, tables, clock)
    } else {
        switch_to_station(frame, headers, port_id, port, tables, clock)
    }
}

/// [`switch`] for a frame that is not for a group.
///
/// # Errors
/// As [`switch`].
#[inline(always)]
pub fn switch_to_station<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    let member = vlan::classify(headers, port, tables).map_err(Verdict::drop)?;
    learn::learn_source(headers, member.vlan(), port_id, port, tables, clock).map_err(Verdict::drop)?;
    guard::check_unanswered(headers).map_err(Verdict::drop)?;
    forward::to_station(frame, headers, member, port_id, port, tables, clock).map_err(Verdict::drop)
}

/// [`switch`] for a frame that is for a group, which may be a question.
///
/// # Errors
/// As [`switch`].
#[inline(always)]
pub fn switch_to_group<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    headers: &Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    let member = vlan::classify(headers, port, tables).map_err(Verdict::drop)?;
    learn::learn_source(headers, member.vlan(), port_id, port, tables, clock).map_err(Verdict::drop)?;
    if let Some(verdict) =
        respond::respond(frame, headers, member, port_id, port, tables).map_err(Verdict::drop)?
    {
        return Ok(verdict);
    }
    guard::check_unanswered(headers).map_err(Verdict::drop)?;
    forward::to_group(frame, headers, member, port, tables, clock).map_err(Verdict::drop)
}

/// Decides who is told of a packet that the router behind a port refused for a reason.
///
/// # Errors
/// Nobody: it is dropped.
#[inline(always)]
pub fn refuse<F: Frame, T: Tables, C: Clock>(
    headers: &Headers,
    port: &PortConfig,
    (reason, router): (DropReason, PortId),
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    let told = tables.port(router).is_some_and(|out| unreachable::tells(headers, port, &out, tables, clock));
    match (told, F::DEPTH.makes_errors) {
        (false, _) => Err(Verdict::drop(reason)),
        (true, true) => Ok(Verdict::refuse(reason, router)),
        (true, false) => Ok(Verdict::punt(PuntReason::Unreachable)),
    }
}

/// The record of the port that a frame came in on.
///
/// # Errors
/// The interface is no port.
#[inline(always)]
pub fn known_port<T: Tables>(port_id: PortId, tables: &T) -> Result<PortConfig, Verdict> {
    let known = tables.port(port_id).filter(|port| port.domain() != DomainId::NONE);
    known.ok_or(Verdict::drop(DropReason::UnknownPort))
}

/// Counts a verdict that is a drop.
#[inline(always)]
pub fn conclude<T: Tables>(port_id: PortId, tables: &T, verdict: Verdict) {
    if let Some(Outcome::Drop(reason) | Outcome::Refuse(reason, _)) = verdict.outcome() {
        let slot = known_port(port_id, tables).map_or(NO_SLOT, |port| port.slot());
        tables.count_drop(slot, reason);
    }
}
