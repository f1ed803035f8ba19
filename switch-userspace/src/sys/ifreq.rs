//! Requests about one interface that only exist as ioctls: TAP creation and the ethtool offload switches.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
};

use super::check;

/// An interface name as the kernel stores it, NUL-terminated.
pub type RawName = [u8; libc::IFNAMSIZ];

/// `struct ethtool_value`: every one of the old per-feature commands carries it.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Runs the per-feature ethtool `command` on an interface of the namespace that `socket` belongs to; `data` goes in, the
/// kernel's value comes out.
///
/// # Errors
/// ENODEV without such an interface; EOPNOTSUPP where the device cannot switch that feature; EPERM.
pub fn ethtool_value(socket: BorrowedFd<'_>, name: RawName, command: u32, data: u32) -> io::Result<u32> {
    let mut value = EthtoolValue { command, data };
    let mut request = request(name);
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL reads an ifreq whose data points at a struct ethtool_value for these commands; both live on this
    // stack frame until the call returns, and nothing keeps the pointers.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })?;
    Ok(value.data)
}

/// Makes or attaches to the TUN/TAP interface `name` with `flags` (`IFF_*`), through an opened `/dev/net/tun`.
///
/// # Errors
/// EBUSY where another process holds it; EINVAL where it is of another kind; EPERM.
pub fn tun_attach(tun: BorrowedFd<'_>, name: RawName, flags: libc::c_int) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(flags).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives until the call returns.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(())
}

/// Chooses the index that [`tun_attach`] gives to a new interface.
///
/// # Errors
/// EFAULT or EINVAL on a descriptor that is already attached.
pub fn tun_choose_index(tun: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    // SAFETY: TUNSETIFINDEX reads one unsigned int, which lives until the call returns.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFINDEX, &raw const index) })?;
    Ok(())
}

/// Says which offloads (`TUN_F_*`) the reader of the descriptor can take: what the kernel then leaves undone in frames.
///
/// # Errors
/// EINVAL for an unknown combination.
pub fn tun_set_offload(tun: BorrowedFd<'_>, features: libc::c_uint) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(features)) })?;
    Ok(())
}

/// Whether the interface stays when the descriptor is closed.
///
/// # Errors
/// EBADFD on a descriptor that is not attached.
pub fn tun_set_persistent(tun: BorrowedFd<'_>, persistent: bool) -> io::Result<()> {
    // SAFETY: TUNSETPERSIST takes its argument by value.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETPERSIST, libc::c_ulong::from(persistent)) })?;
    Ok(())
}

fn request(name: RawName) -> libc::ifreq {
    // SAFETY: an ifreq is integers, byte arrays and pointers: all-zero bytes are a valid value of every member.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(name) {
        *slot = byte.cast_signed();
    }
    request
}
