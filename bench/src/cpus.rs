//! Which CPU does what, and ahead of what.

use anyhow::{Context, Result};

use crate::sys;

/// The CPUs of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    /// Puts frames, and carries whatever the kernel does with them.
    pub(crate) source: usize,
    /// Runs the threads of a userspace switch; the source's own where there is only one.
    pub(crate) switch: usize,
}

impl Cpus {
    /// Chooses among the CPUs that this process may use.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(crate) fn choose() -> Result<Self> {
        let allowed = sys::allowed_cpus().context("cannot ask which CPUs may be used")?;
        let source = allowed.first().copied().context("no CPU may be used")?;
        Ok(Self { source, switch: allowed.last().copied().unwrap_or(source) })
    }
}

/// Keeps the calling thread on `cpu` and ahead of the machine's other work. Where the second is not allowed the thread
/// competes; the rounds that this disturbs are found by [`crate::disturbance`].
///
/// # Errors
/// The CPU is not ours to use.
pub(crate) fn take(cpu: usize) -> Result<()> {
    sys::pin_to(cpu).with_context(|| format!("cannot run on CPU {cpu}"))?;
    // Competing is allowed, as said above.
    let _competes = sys::run_first();
    Ok(())
}

/// Gives the calling thread, and threads and programs it will start, the largest share of the machine among ordinary work.
/// Unlike [`take`] this leaves the kernel's own threads their time. Where it is not allowed they compete.
pub(crate) fn prefer() {
    let _competes = sys::prefer();
}
