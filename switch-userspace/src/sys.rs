//! System calls that the standard library does not wrap: every `unsafe` line of this crate is in here.
//!
//! A function takes borrowed descriptors and ordinary Rust values, makes one call, and returns the errno as [`io::Error`].
#![allow(unsafe_code, reason = "the one place of the crate that calls libc; each block proves itself")]

pub mod clock;
pub mod fs;
pub mod ifreq;
pub mod ns;
pub mod packet;
pub mod packet_ring;
pub mod pod;
pub mod process;
pub mod reader;
pub mod shm;
pub mod socket;
pub mod wake;

use std::io;

/// The result of a call that returns -1 and sets errno on failure.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
