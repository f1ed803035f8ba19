//! What a process uses, over all its threads.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// A process, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

/// What it used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Memory that it holds, in bytes.
    pub(super) resident_bytes: u64,
    /// Threads that it has.
    pub(super) threads: u64,
    /// CPU time of these.
    pub(super) ran: Duration,
    /// How often these began to run.
    pub(super) wakeups: u64,
}

impl Process {
    /// Reads `/proc`. Threads that ended are not counted.
    ///
    /// # Errors
    /// The process is gone.
    pub(super) fn usage(self) -> Result<Usage> {
        let dir = format!("/proc/{}", self.0);
        let path = format!("{dir}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let mut usage = Usage {
            resident_bytes: resident_bytes(&status).with_context(|| format!("{path} has no VmRSS"))?,
            ..Usage::default()
        };
        let tasks = format!("{dir}/task");
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot list {tasks}"))? {
            let path = task?.path().join("schedstat");
            // A thread that ended meanwhile takes nothing any more.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let (ran, wakeups) = schedstat(&text).with_context(|| format!("{} is odd", path.display()))?;
            usage.threads += 1;
            usage.ran += ran;
            usage.wakeups += wakeups;
        }
        Ok(usage)
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Time on the CPU in nanoseconds, time waiting for it, and how often it got it.
fn schedstat(text: &str) -> Option<(Duration, u64)> {
    let mut fields = text.split_whitespace();
    let ran = fields.next()?.parse().ok()?;
    Some((Duration::from_nanos(ran), fields.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_bytes("Name:\twye\nVmRSS:\t    9216 kB\n"), Some(9216 * 1024));
        assert_eq!(resident_bytes("Name:\twye\n"), None);
    }

    #[test]
    fn a_thread_has_run_time_and_wakeups() {
        assert_eq!(schedstat("1500 7 3\n"), Some((Duration::from_nanos(1500), 3)));
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Process(std::process::id()).usage().expect("it lives");
        assert!(usage.resident_bytes > 0 && usage.threads > 0 && usage.wakeups > 0, "{usage:?}");
    }
}
