//! Waking a thread that waits on descriptors: an eventfd that neither side ever blocks on.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd},
};

use super::check;

/// A counter in the kernel: readable while it is not zero.
#[derive(Debug)]
pub struct Wake(File);

impl Wake {
    /// A new one, not readable.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes numbers only and returns a new descriptor, or -1.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }.into()))
    }

    /// The same counter under another descriptor.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Makes it readable. A counter that is full stays readable, which is all that is wanted.
    pub fn notify(&self) {
        let _full = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub fn clear(&self) {
        let _was_zero = (&self.0).read(&mut [0; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
