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
