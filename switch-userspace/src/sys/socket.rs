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
    wait_first([file], timeout).map(|[readable]| readable)
}

/// Waits until one of `files` can be read, was closed at its other end or failed, and says which; at most `timeout` (rounded up
/// to milliseconds), and `None` waits for ever. A signal ends the wait too.
///
/// # Errors
/// A descriptor cannot be waited for.
pub fn wait_first<const N: usize>(
    files: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let milliseconds = timeout.map_or(-1, |timeout| {
        libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    });
    let mut wanted =
        files.map(|file| libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let count = wanted.len() as libc::nfds_t;
    // SAFETY: poll writes to exactly the `count` pollfds of the array, which lives until the call returns.
    match check(unsafe { libc::poll(wanted.as_mut_ptr(), count, milliseconds) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok([false; N]),
        polled => polled.map(|_| wanted.map(|file| file.revents != 0)),
    }
}

/// Reads and clears the error that `socket` holds from something that happened to it, such as its interface going down.
///
/// # Errors
/// Not a socket.
pub fn take_error(socket: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let mut errno: libc::c_int = 0;
    let mut length = INT_BYTES;
    // SAFETY: the option is one int, written before the call returns, and `length` is that of an int.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut errno).cast(),
            &raw mut length,
        )
    })?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// Sets the receive buffer of `socket` to `bytes`, past the system's limit.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: libc::c_int) -> io::Result<()> {
    set_int(socket, libc::SO_RCVBUFFORCE, bytes)
}

/// Sets the send buffer of `socket` to `bytes`, past the system's limit.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub fn force_send_buffer(socket: BorrowedFd<'_>, bytes: libc::c_int) -> io::Result<()> {
    set_int(socket, libc::SO_SNDBUFFORCE, bytes)
}

fn set_int(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option is one int, read before the call returns, and its length is that of an int.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), INT_BYTES)
    })?;
    Ok(())
}
