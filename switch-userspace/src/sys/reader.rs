//! Whoever reads what this process writes.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Waits, within a runtime, until nobody can read any more what is written to `output`.
///
/// # Errors
/// That cannot be watched: `output` is a file, or the process may open no more descriptors.
pub async fn gone(output: impl AsFd) -> io::Result<()> {
    let output: OwnedFd = output.as_fd().try_clone_to_owned()?;
    // SAFETY: an owned descriptor is open, stays the same and is closed only when the `AsyncFd`, which takes it, drops it.
    let watched = unsafe { AsyncFd::register_with_interest(output, Interest::ERROR) }?;
    watched.ready(Interest::ERROR).await.map(drop)
}
