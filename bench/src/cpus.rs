//! Which CPU does what, and ahead of what.

use anyhow::{Context, Result};

use crate::sys;

/// The CPUs of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    /// Puts frames, and carries whatever the kernel does with them.
    pub(crate) source: usize,
    /// Runs what works beside it, such as the threads of a userspace switch; the same one where there is only one.
    pub(crate) other: usize,
}

impl Cpus {
    /// Chooses among the CPUs that this process may use.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(crate) fn choose() -> Result<Self> {
        let allowed = sys::allowed_cpus().context("cannot ask which CPUs may be used")?;
        let source = allowed.first().copied().context("no CPU may be used")?;
        Ok(Self { source, other: allowed.last().copied().unwrap_or(source) })
    }
}

/// Keeps the calling thread, and threads and programs it will start, on `cpu` and ahead of the machine's other work.
///
/// # Errors
/// The CPU is not ours to use.
pub(crate) fn take(cpu: usize) -> Result<()> {
    sys::pin_to(cpu).with_context(|| format!("cannot run on CPU {cpu}"))?;
    run_first();
    Ok(())
}

/// Puts the calling thread, and threads and programs it will start, ahead of the machine's other work. Where that is not
/// allowed they compete; the rounds that this disturbs are found by [`crate::disturbance`].
pub(crate) fn run_first() {
    let _competes = sys::run_first();
}
