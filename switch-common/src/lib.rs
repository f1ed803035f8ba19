//! The part of wye that runs twice: compiled into the kernel programs and into the userspace switch.
//!
//! A packet's walk, the same in both datapaths ([`stage::pipeline`] has it in one screen):
//!
//! 1. the datapath names the port that the frame came in on and hands over a [`stage::env::Frame`];
//! 2. `parse` copies the headers out, from Ethernet to L4, or names the [`DropReason`] of a malformed frame;
//! 3. `guard` refuses what no port may send;
//! 4. `learn` notes the source MAC in the FDB;
//! 5. `respond` answers ARP requests and neighbour solicitations for stations that are known;
//! 6. `forward` looks the destination up: one port, a flood as far as `storm` lets it, the members of a group (`multicast`),
//!    the host, or a drop;
//! 7. the datapath carries the [`Verdict`] out.
//!
//! Stages see the world through three traits (`Frame`, `Tables`, `Clock`) and own nothing: no maps, no clock, no
//! allocation, no unsafe code.

#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod stage;
pub mod units;
pub mod verdict;
pub mod wire;

pub use verdict::{DropReason, FloodKind, PuntReason, Verdict};
