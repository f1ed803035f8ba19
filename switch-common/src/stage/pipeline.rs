//! The order of the stages, in one screen.

use crate::{
    abi::{
        addr::{DomainId, PortId, Slot},
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Clock, Frame, Tables},
        forward, guard, learn, parse,
    },
    verdict::{DropReason, Outcome, Verdict},
};

/// Drops of frames from interfaces that are no ports are counted here; real ports have slots from 1 on.
pub const NO_SLOT: Slot = Slot(0);

/// Decides what becomes of a frame that came in on `port_id`, and counts it.
#[inline(always)]
pub fn run<F: Frame, T: Tables, C: Clock>(frame: &F, port_id: PortId, tables: &T, clock: &C) -> Verdict {
    let Some(port) = tables.port(port_id).filter(|port| port.domain() != DomainId::NONE) else {
        tables.count_drop(NO_SLOT, DropReason::UnknownPort);
        return Verdict::drop(DropReason::UnknownPort);
    };
    tables.count_rx(port.slot(), frame.len());
    let verdict = match judge(frame, port_id, &port, tables, clock) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    if let Some(Outcome::Drop(reason)) = verdict.outcome() {
        tables.count_drop(port.slot(), reason);
    }
    verdict
}

#[inline(always)]
fn judge<F: Frame, T: Tables, C: Clock>(
    frame: &F,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<Verdict, Verdict> {
    if !port.flags().has(PortFlags::READY) {
        return Err(Verdict::drop(DropReason::PortNotReady));
    }
    let headers = parse::parse(frame)?;
    guard::check(&headers).map_err(Verdict::drop)?;
    learn::learn_source(&headers, port_id, port, tables, clock).map_err(Verdict::drop)?;
    forward::forward(frame, &headers, port_id, port, tables, clock).map_err(Verdict::drop)
}
