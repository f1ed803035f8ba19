//! System calls that no crate of the tests wraps: every `unsafe` line of the tests is in here.
#![allow(unsafe_code, reason = "the one place of the tests that calls libc; each block proves itself")]

use std::{io, mem};

/// Keeps the calling thread on the CPU that it runs on, and says which one that is.
///
/// # Errors
/// As sched_setaffinity(2).
pub fn stay_on_this_cpu() -> io::Result<usize> {
    // SAFETY: takes nothing and returns a number.
    let cpu = usize::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: a cpu_set_t is an array of integers: all-zero bytes are the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the macro's checks the number against the set's size.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set lives until the call returns, and its size is given.
    let failed = unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) };
    if failed == 0 { Ok(cpu) } else { Err(io::Error::last_os_error()) }
}
