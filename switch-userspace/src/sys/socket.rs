//! Waiting on descriptors and socket options that the standard library does not have.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

use super::check;

#[expect(clippy::cast_possible_truncation, reason = "an int has four bytes")]
const INT_BYTES: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

/// Waits until `file` can be read, at most `timeout` (rounded up to milliseconds); `None` waits for ever. Says whether it can;
/// a signal ends the wait too.
///
/// # Errors
/// The descriptor cannot be waited for.
pub fn wait_readable(file: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let milliseconds = timeout.map_or(-1, |timeout| {
        libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    });
    let mut wanted = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: poll writes to exactly one pollfd, which lives until the call returns.
    match check(unsafe { libc::poll(&raw mut wanted, 1, milliseconds) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        polled => polled.map(|ready| ready > 0),
    }
}

/// Sets the receive buffer of `socket` to `bytes`, past the system's limit.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: libc::c_int) -> io::Result<()> {
    // SAFETY: the option is one int, read before the call returns, and its length is that of an int.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            INT_BYTES,
        )
    })?;
    Ok(())
}
