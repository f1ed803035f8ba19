//! The kernel programs of wye: entry points that run the pipeline of `switch-common` and carry its verdicts out.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod atomic;
mod clock;
mod deliver;
mod events;
mod flood;
mod frame;
mod jump;
mod maps;
mod respond;
mod snoop;
mod tables;

use aya_ebpf::{macros::classifier, programs::TcContext};
use switch_common::{
    DropReason, Verdict,
    abi::{
        addr::PortId,
        names::{JUMP_GUARD, JUMP_REFUSE, JUMP_SWITCH, JUMP_SWITCH_GROUP},
    },
    stage::{headers::Headers, pipeline},
    verdict::Outcome,
};

use crate::{clock::KernelClock, frame::SkbFrame, jump::jump, tables::KernelTables};

/// tcx ingress of every port.
#[classifier]
fn port_ingress(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let verdict = match pipeline::admit(&frame, headers, port_id, &KernelTables) {
        Ok(port) if pipeline::is_in_doubt(headers, port_id, &port, &KernelTables) => {
            go_on::<JUMP_GUARD>(&ctx)
        }
        Ok(_) => go_on_to_switch(&ctx, headers),
        Err(verdict) => verdict,
    };
    turn_away(&ctx, port_id, verdict)
}

/// Tail-called by [`port_ingress`] where it is in doubt whether a guarded port speaks for itself.
#[classifier]
fn guard(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let judged = pipeline::known_port(port_id, &KernelTables)
        .and_then(|port| pipeline::identify(&frame, headers, port_id, &port, &KernelTables));
    let verdict = match judged {
        Ok(()) => go_on_to_switch(&ctx, headers),
        Err(verdict) => verdict,
    };
    turn_away(&ctx, port_id, verdict)
}

/// Jumps to the program that switches a frame: frames for groups, which many more stages look at, have one of their own.
#[inline(always)]
fn go_on_to_switch(ctx: &TcContext, headers: &Headers) -> Verdict {
    if headers.dst.is_group() { go_on::<JUMP_SWITCH_GROUP>(ctx) } else { go_on::<JUMP_SWITCH>(ctx) }
}

#[inline(always)]
fn go_on_to_refuse(ctx: &TcContext, verdict: Verdict) -> Verdict {
    maps::note_verdict(verdict);
    go_on::<JUMP_REFUSE>(ctx)
}

/// Tail-called by [`port_ingress`] or [`guard`] for a frame that is for one station.
#[classifier]
fn switch(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let switched = pipeline::known_port(port_id, &KernelTables).and_then(|port| {
        pipeline::switch_to_station(&frame, headers, port_id, &port, &KernelTables, &KernelClock)
    });
    let (Ok(verdict) | Err(verdict)) = switched;
    let is_refused = matches!(verdict.outcome(), Some(Outcome::Refuse(..)));
    finish(&ctx, port_id, if is_refused { go_on_to_refuse(&ctx, verdict) } else { verdict })
}

/// Tail-called by [`switch`] for a packet that the router of the last verdict refuses.
#[classifier]
fn refuse(ctx: TcContext) -> i32 {
    let port_id = PortId(SkbFrame::new(&ctx).ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let Some(Outcome::Refuse(reason, router)) = maps::last_verdict().and_then(|verdict| verdict.outcome())
    else {
        return deliver::SHOT;
    };
    let refused = pipeline::known_port(port_id, &KernelTables).and_then(|port| {
        let by = (reason, router);
        pipeline::refuse::<SkbFrame, _, _>(headers, &port, by, &KernelTables, &KernelClock)
    });
    let (Ok(verdict) | Err(verdict)) = refused;
    turn_away(&ctx, port_id, verdict)
}

/// Tail-called by [`port_ingress`] or [`guard`] for a frame that is for a group.
#[classifier]
fn switch_group(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let switched = pipeline::known_port(port_id, &KernelTables).and_then(|port| {
        pipeline::switch_to_group(&frame, headers, port_id, &port, &KernelTables, &KernelClock)
    });
    let (Ok(verdict) | Err(verdict)) = switched;
    if let Some(member) = verdict.copied() {
        snoop::copy(&ctx, headers, port_id, member.vlan());
    }
    finish(&ctx, port_id, verdict)
}

#[inline(always)]
fn finish(ctx: &TcContext, port: PortId, verdict: Verdict) -> i32 {
    pipeline::conclude(port, &KernelTables, verdict);
    maps::note_verdict(verdict);
    deliver::carry_out(ctx, &SkbFrame::new(ctx), port, verdict)
}

/// Jumps to the next part of the pipeline. Where that is not there, the frame goes nowhere: that is the verdict then.
#[inline(always)]
fn go_on<const PART: u32>(ctx: &TcContext) -> Verdict {
    // SAFETY: the target is a program of the same type that takes the headers just stored.
    unsafe { jump::<PART>(ctx) };
    Verdict::drop(DropReason::PortNotReady)
}

#[inline(always)]
fn turn_away(ctx: &TcContext, port: PortId, verdict: Verdict) -> i32 {
    pipeline::conclude(port, &KernelTables, verdict);
    maps::note_verdict(verdict);
    deliver::turn_away(ctx, &SkbFrame::new(ctx), port, verdict)
}

/// Tail-called by [`switch_group`] for a frame that is to be answered.
#[classifier]
fn respond(ctx: TcContext) -> i32 {
    respond::start(&ctx)
}

/// Tail-called by [`switch`] and [`switch_group`] with the kind of flood in the context's scratch words.
#[classifier]
fn flood(ctx: TcContext) -> i32 {
    flood::start(&ctx)
}

/// tcx ingress of the far end of the relay pair.
#[classifier]
fn flood_resume(ctx: TcContext) -> i32 {
    flood::resume(&ctx)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses endless loops, so a program with a reachable panic does not load.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
