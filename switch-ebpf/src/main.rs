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
mod maps;
mod respond;
mod tables;

use aya_ebpf::{macros::classifier, programs::TcContext};
use switch_common::{
    DropReason, Verdict,
    abi::{
        addr::PortId,
        names::{JUMP_GUARD, JUMP_SWITCH},
        port::PortFlags,
    },
    stage::pipeline,
};

use crate::{clock::KernelClock, frame::SkbFrame, tables::KernelTables};

/// tcx ingress of every port.
#[classifier]
fn port_ingress(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    match pipeline::admit(&frame, headers, port_id, &KernelTables) {
        Ok(port) if port.flags().has(PortFlags::GUARD) => go_on(&ctx, port_id, JUMP_GUARD),
        Ok(_) => go_on(&ctx, port_id, JUMP_SWITCH),
        Err(verdict) => finish(&ctx, port_id, verdict),
    }
}

/// Tail-called by [`port_ingress`] for guarded ports.
#[classifier]
fn guard(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let judged = pipeline::known_port(port_id, &KernelTables)
        .and_then(|port| pipeline::identify(&frame, headers, port_id, &port, &KernelTables));
    match judged {
        Ok(()) => go_on(&ctx, port_id, JUMP_SWITCH),
        Err(verdict) => finish(&ctx, port_id, verdict),
    }
}

/// Tail-called by [`port_ingress`] or [`guard`].
#[classifier]
fn switch(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port_id = PortId(frame.ifindex());
    let Some(headers) = maps::headers() else { return deliver::SHOT };
    let switched = pipeline::known_port(port_id, &KernelTables)
        .and_then(|port| pipeline::switch(&frame, headers, port_id, &port, &KernelTables, &KernelClock));
    match switched {
        Ok(verdict) | Err(verdict) => finish(&ctx, port_id, verdict),
    }
}

/// Jumps to the next part of the pipeline. Where that is not there, the frame goes nowhere.
#[inline(always)]
fn go_on(ctx: &TcContext, port: PortId, part: u32) -> i32 {
    // SAFETY: the target is a program of the same type that takes the headers just stored.
    unsafe { maps::JUMPS.tail_call(ctx, part) };
    finish(ctx, port, Verdict::drop(DropReason::PortNotReady))
}

#[inline(always)]
fn finish(ctx: &TcContext, port: PortId, verdict: Verdict) -> i32 {
    pipeline::conclude(port, &KernelTables, verdict);
    maps::note_verdict(verdict);
    deliver::carry_out(ctx, &SkbFrame::new(ctx), port, verdict)
}

/// Tail-called by [`switch`] for a frame that is to be answered.
#[classifier]
fn respond(ctx: TcContext) -> i32 {
    respond::start(&ctx)
}

/// Tail-called by [`switch`] with the kind of flood in the context's scratch words.
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
