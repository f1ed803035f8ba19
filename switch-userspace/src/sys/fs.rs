//! What kind of file system a path is on.

use std::{ffi::CString, io, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

use super::check;

const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Whether `path` lies on a BPF file system.
///
/// # Errors
/// The path does not exist or cannot be looked at.
pub fn is_bpffs(path: &Path) -> io::Result<bool> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    let mut info = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: a NUL-terminated path and room for the answer; zeroed bytes are a valid statfs.
    let info = unsafe {
        check(libc::statfs(text.as_ptr(), info.as_mut_ptr()))?;
        info.assume_init()
    };
    Ok(info.f_type == BPF_FS_MAGIC)
}
