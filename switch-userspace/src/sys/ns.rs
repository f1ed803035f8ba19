//! Network namespaces and the mounts that give them names.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

use super::check;

/// Moves the calling thread, and no other, into the network namespace `netns`.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN in both namespaces; EINVAL where `netns` is no network namespace.
pub fn enter(netns: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: setns takes no pointers, and the descriptor is borrowed, so open, for the length of the call.
    check(unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Moves the calling thread into a network namespace made for it.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; ENOSPC at the limit of namespaces.
pub fn unshare() -> io::Result<()> {
    // SAFETY: unshare takes no pointers; CLONE_NEWNET changes the calling thread only and no memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Whether `file` is a network namespace.
#[must_use]
pub fn is_netns(file: BorrowedFd<'_>) -> bool {
    // SAFETY: NS_GET_NSTYPE takes no argument; on any other kind of file the call fails with ENOTTY.
    unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) == libc::CLONE_NEWNET }
}

/// Gives the calling process, which must have one thread only, mounts of its own: it goes on seeing what others mount, and
/// they do not see what it mounts.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: unshare takes no pointers; CLONE_NEWNS changes what the calling thread sees of the file system and no memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", Path::new("none"), Path::new("/"), libc::MS_SLAVE | libc::MS_REC)
}

/// Mounts a sysfs at `dir`, which shows the calling thread's network namespace.
///
/// # Errors
/// As mount(2).
pub fn mount_sysfs(dir: &Path) -> io::Result<()> {
    mount(c"sysfs", Path::new("sysfs"), dir, 0)
}

/// Makes `source` visible at `target` as well.
///
/// # Errors
/// As mount(2); EINVAL where `source` is no mount of this mount namespace.
pub fn bind_mount(source: &Path, target: &Path) -> io::Result<()> {
    mount(c"none", source, target, libc::MS_BIND | libc::MS_REC)
}

/// Makes the mount at `dir` shared, so that other mount namespaces see what is mounted below it.
///
/// # Errors
/// As mount(2); EINVAL where `dir` is no mount point.
pub fn make_shared(dir: &Path) -> io::Result<()> {
    mount(c"none", Path::new("none"), dir, libc::MS_SHARED | libc::MS_REC)
}

/// Detaches the mount at `target`.
///
/// # Errors
/// As umount2(2); EINVAL where `target` is no mount point.
pub fn unmount(target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: the path is a valid C string that outlives the call.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) })?;
    Ok(())
}

fn mount(kind: &CStr, source: &Path, target: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let source = c_path(source)?;
    let target = c_path(target)?;
    // SAFETY: all three are valid C strings that outlive the call, and these flags take no data.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, ptr::null()) })?;
    Ok(())
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
