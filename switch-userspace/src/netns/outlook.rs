//! What a program sees of the system inside a namespace: `/sys` and `/etc` as `ip netns exec` shows them.

use std::{fs, io, path::Path};

use super::error::NetnsError;
use crate::sys;

/// Where files lie that take the place of those in `/etc`: one directory a namespace.
const ETC_NETNS: &str = "/etc/netns";
const SYS: &str = "/sys";

/// Shows the calling process, alone, the interfaces of the namespace that it is in at `/sys`, and the files of
/// `/etc/netns/NAME` in `/etc` where the namespace has a name. It must have one thread only.
///
/// # Errors
/// Without CAP_SYS_ADMIN; a file there has no counterpart in `/etc`.
pub fn show_own(name: Option<&str>) -> Result<(), NetnsError> {
    sys::ns::unshare_mounts().map_err(|source| NetnsError::system("copy", "the mounts", source))?;
    match sys::ns::unmount(Path::new(SYS)) {
        // Nothing was mounted there.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
        unmounted => unmounted.map_err(|source| NetnsError::system("unmount", SYS, source))?,
    }
    sys::ns::mount_sysfs(Path::new(SYS)).map_err(|source| NetnsError::system("mount", SYS, source))?;
    name.map_or(Ok(()), show_etc)
}

fn show_etc(name: &str) -> Result<(), NetnsError> {
    let dir = Path::new(ETC_NETNS).join(name);
    let files = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|source| NetnsError::system("read", dir.display(), source))?,
    };
    for file in files.filter_map(Result::ok) {
        let place = Path::new("/etc").join(file.file_name());
        sys::ns::bind_mount(&file.path(), &place)
            .map_err(|source| NetnsError::system("show", place.display(), source))?;
    }
    Ok(())
}
