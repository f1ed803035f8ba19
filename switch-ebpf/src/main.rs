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
mod tables;

use aya_ebpf::{macros::classifier, programs::TcContext};
use switch_common::{abi::addr::PortId, stage::pipeline};

use crate::{clock::CoarseClock, frame::SkbFrame, tables::KernelTables};

/// tcx ingress of every port.
#[classifier]
fn port_ingress(ctx: TcContext) -> i32 {
    let frame = SkbFrame::new(&ctx);
    let port = PortId(frame.ifindex());
    let verdict = pipeline::run(&frame, port, &KernelTables, &CoarseClock);
    maps::note_verdict(verdict);
    deliver::carry_out(&ctx, &frame, port, verdict)
}

/// Tail-called by [`port_ingress`] with the kind of flood in the context's scratch words.
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
