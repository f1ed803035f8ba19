//! Memory shared with the kernel: memory-mapped BPF arrays.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
    sync::atomic::AtomicU64,
};

/// A memory-mapped BPF array (`BPF_F_MMAPABLE`) seen as a row of 64-bit words, which programs change at the same time.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
    bytes: usize,
}

// SAFETY: the memory is valid until drop, and is read and written by atomic operations only.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps `words` 64-bit words of the array behind `fd`.
    ///
    /// # Errors
    /// The map is not memory-mappable or is smaller than that.
    pub fn map(fd: BorrowedFd<'_>, words: usize) -> io::Result<Self> {
        let page = 4096;
        let bytes = (words * size_of::<u64>()).next_multiple_of(page);
        // SAFETY: a new mapping at an address of the kernel's choice; nothing else is touched.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(Self { start, words, bytes })
    }

    /// The word at `index`; `None` behind the end.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<&AtomicU64> {
        // SAFETY: below `words`, so within the mapping; page-aligned start, so aligned.
        (index < self.words).then(|| unsafe { self.start.add(index).as_ref() })
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made; no reference outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
