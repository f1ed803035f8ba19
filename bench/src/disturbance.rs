//! How much of a measurement's time went to others: waiting for the CPU, and CPU time that the hypervisor took.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// More than this share of the elapsed time spoils a measurement.
const TOLERATED: f64 = 0.02;
/// `USER_HZ`: the unit of `/proc/stat`, the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// A point in time, from a thread that stays on one CPU.
pub(crate) struct Watch {
    cpu: usize,
    waited: Duration,
    stolen: Duration,
}

/// What others took between two points in time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbance {
    /// The thread could have run but did not.
    pub(crate) waited: Duration,
    /// The hypervisor ran something else on the thread's CPU.
    pub(crate) stolen: Duration,
}

impl Watch {
    /// Begins to watch the calling thread, which is pinned to `cpu`.
    ///
    /// # Errors
    /// `/proc` does not tell.
    pub(crate) fn start(cpu: usize) -> Result<Self> {
        Ok(Self { cpu, waited: waited()?, stolen: stolen(cpu)? })
    }

    /// What others took since the start.
    ///
    /// # Errors
    /// `/proc` does not tell.
    pub(crate) fn stop(self) -> Result<Disturbance> {
        Ok(Disturbance {
            waited: waited()?.saturating_sub(self.waited),
            stolen: stolen(self.cpu)?.saturating_sub(self.stolen),
        })
    }
}

impl Disturbance {
    /// Whether a measurement that took `elapsed` is spoiled.
    #[must_use]
    pub(crate) fn spoils(self, elapsed: Duration) -> bool {
        let limit = elapsed.mul_f64(TOLERATED);
        self.waited > limit || self.stolen > limit
    }
}

/// Time that the calling thread spent runnable but not running.
fn waited() -> Result<Duration> {
    let path = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let nanos = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    nanos.map(Duration::from_nanos).with_context(|| format!("{path} does not say how long the thread waited"))
}

fn stolen(cpu: usize) -> Result<Duration> {
    let path = "/proc/stat";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let ticks = steal_ticks(&text, cpu).with_context(|| format!("{path} has no steal time of CPU {cpu}"))?;
    Ok(TICK * ticks)
}

fn steal_ticks(stat: &str, cpu: usize) -> Option<u32> {
    let label = format!("cpu{cpu}");
    let mut fields = stat
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut line| (line.next()? == label).then_some(line))?;
    // user, nice, system, idle, iowait, irq and softirq come before it.
    fields.nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  9 0 9 9 9 0 9 5 0 0\ncpu0 4 0 4 4 4 0 4 2 0 0\ncpu10 5 0 5 5 5 0 5 3 0 0\n";

    #[test]
    fn steal_is_read_from_the_line_of_the_cpu() {
        assert_eq!(steal_ticks(STAT, 0), Some(2));
        assert_eq!(steal_ticks(STAT, 10), Some(3));
        assert_eq!(steal_ticks(STAT, 1), None);
    }

    #[test]
    fn two_percent_are_tolerated() {
        let elapsed = Duration::from_millis(500);
        let waited = |millis| Disturbance { waited: Duration::from_millis(millis), stolen: Duration::ZERO };
        assert!(!waited(10).spoils(elapsed));
        assert!(waited(11).spoils(elapsed));
    }
}
