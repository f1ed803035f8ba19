//! The system calls about threads that the standard library does not wrap: every `unsafe` line of this crate is in here.
#![allow(unsafe_code, reason = "the one place of the crate that calls libc; each block proves itself")]

use std::{io, mem};

/// The CPUs that the calling thread may run on, in ascending order.
///
/// # Errors
/// The kernel has more CPUs than `cpu_set_t` has bits.
pub(crate) fn allowed_cpus() -> io::Result<Vec<usize>> {
    let mut set = empty_set();
    // SAFETY: the kernel writes at most the size that is named, which is that of the set.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) })?;
    let limit = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
    // SAFETY: the set is initialised and every index is below its size.
    Ok((0..limit).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect())
}

/// Keeps the calling thread, and threads it will start, on one CPU.
///
/// # Errors
/// EINVAL where the CPU does not exist or is not the thread's to use.
pub(crate) fn pin_to(cpu: usize) -> io::Result<()> {
    if cpu >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut set = empty_set();
    // SAFETY: the set is initialised and the index is below its size.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads the size that is named, which is that of the set.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
}

/// Lets the calling thread, and threads it will start, run before all ordinary threads of the machine.
///
/// # Errors
/// EPERM without CAP_SYS_NICE, or in a control group without real-time budget.
pub(crate) fn run_first() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter outlives the call; 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) })
}

fn empty_set() -> libc::cpu_set_t {
    // SAFETY: a set of bits, for which all zeros is the empty set.
    unsafe { mem::zeroed() }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
