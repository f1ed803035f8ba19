//! What the standard library cannot do to the own process.

use std::io;

use super::check;

/// Makes the calling process the leader of a new session, which has no terminal.
///
/// # Errors
/// EPERM where it leads a process group.
pub fn new_session() -> io::Result<()> {
    // SAFETY: setsid takes no arguments and changes no memory.
    check(unsafe { libc::setsid() })?;
    Ok(())
}

/// Keeps the descriptors that are open at present, but for stdin, stdout and stderr, from programs that this process starts.
///
/// # Errors
/// EINVAL or ENOSYS before Linux 5.11.
pub fn keep_descriptors() -> io::Result<()> {
    let (first, last) = (libc::STDERR_FILENO + 1, libc::c_uint::MAX);
    // SAFETY: no pointers are passed, and no descriptor is closed: each is marked to be closed on exec.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if marked < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
