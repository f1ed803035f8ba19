//! Measuring programs for the bench and the tests: a source, a sink and a counter. They share nothing with the switch.

#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    bindings::{__sk_buff, TC_ACT_SHOT, xdp_action},
    btf_maps::{Array, PerCpuArray},
    helpers::bpf_clone_redirect,
    macros::{btf_map, classifier, xdp},
    programs::{TcContext, XdpContext},
};

/// Frames and bytes that the sink took, one record a CPU.
#[repr(C)]
#[derive(Clone, Copy)]
struct Taken {
    frames: u64,
    bytes: u64,
}

/// What the sink took.
#[btf_map]
static TAKEN: PerCpuArray<Taken, 1> = PerCpuArray::new();

/// How many destination MACs the source walks through (1: the frame's own), and the next one's number.
#[btf_map]
static SPREAD: Array<u32, 2> = Array::new();

/// Length of a frame that can be put anew, in words.
const ORIGINAL_WORDS: usize = 12;

/// A frame that is written anew before it is put; all zeros where the frame is left alone. The kernel uses the memory of frames
/// again, with what a switch wrote into it.
#[btf_map]
static ORIGINAL: Array<[u64; ORIGINAL_WORDS], 1> = Array::new();

/// Live frames: hands each frame to the stack of the interface that the run names, written anew where there is an original,
/// and with the last four bytes of the destination MAC set to the next number below `SPREAD[0]`.
#[xdp]
fn source(ctx: XdpContext) -> u32 {
    let (Some(spread), Some(next)) = (SPREAD.get(0).copied(), SPREAD.get_ptr_mut(1)) else {
        return xdp_action::XDP_ABORTED;
    };
    let Some(original) = ORIGINAL.get(0) else { return xdp_action::XDP_ABORTED };
    if original[0] != 0 {
        let at = ctx.data();
        if at + size_of::<[u64; ORIGINAL_WORDS]>() > ctx.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        // SAFETY: as many bytes between data and data_end.
        unsafe { (at as *mut [u64; ORIGINAL_WORDS]).write_unaligned(*original) };
    }
    if spread > 1 {
        let at = ctx.data() + 2;
        if at + 4 > ctx.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        // SAFETY: four bytes between data and data_end; one CPU at a time runs this program.
        unsafe {
            let number = if *next + 1 >= spread { 0 } else { *next + 1 };
            *next = number;
            (at as *mut [u8; 4]).write(number.to_be_bytes());
        }
    }
    xdp_action::XDP_PASS
}

/// Test run: sends a copy of the frame out of the interface that the run names, in memory of the size that a socket's frames have.
#[classifier]
fn sender(ctx: TcContext) -> i32 {
    let skb: *mut __sk_buff = ctx.as_ptr().cast();
    // SAFETY: the context pointer of a running tc program; no pointer into the packet is used.
    unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) };
    TC_ACT_SHOT
}

/// tc ingress: counts a frame and drops it.
#[classifier]
fn sink(ctx: TcContext) -> i32 {
    if let Some(taken) = TAKEN.get_ptr_mut(0) {
        // SAFETY: a per-CPU value of a live map.
        unsafe {
            (*taken).frames += 1;
            (*taken).bytes += u64::from(ctx.len());
        }
    }
    TC_ACT_SHOT
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses endless loops, so a program with a reachable panic does not load.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
