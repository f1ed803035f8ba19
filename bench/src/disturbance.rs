//! How much of a measurement's time went to others: waiting for the CPU, and CPU time that the hypervisor took.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use switch_userspace::netns::Netns;

use crate::{cpus, rounds::Taken};

/// More than this share of the elapsed time spoils a measurement.
const TOLERATED: f64 = 0.02;
/// `USER_HZ`: the unit of `/proc/stat`, the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What others took while something was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbance {
    waited: Duration,
    stolen: Duration,
}

/// A piece of work that was watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched<T> {
    /// Its result.
    pub(crate) value: T,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// What others took of that.
    pub(crate) disturbance: Disturbance,
}

/// Does work in a namespace, on a CPU of its own as far as that goes.
///
/// # Errors
/// Those of `work`; the CPU is not ours to use; `/proc` does not tell.
pub(crate) fn watch<T: Send>(
    netns: &Netns,
    cpu: usize,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<Watched<T>> {
    netns.run(|| {
        cpus::take(cpu)?;
        let before = Disturbance { waited: waited()?, stolen: stolen(&format!("cpu{cpu}"))? };
        let start = Instant::now();
        let value = work()?;
        let elapsed = start.elapsed();
        let disturbance = Disturbance {
            waited: waited()?.saturating_sub(before.waited),
            stolen: stolen(&format!("cpu{cpu}"))?.saturating_sub(before.stolen),
        };
        Ok(Watched { value, elapsed, disturbance })
    })
}

/// Does work that has threads or processes on all CPUs; of these only the stolen time is known.
///
/// # Errors
/// Those of `work`; `/proc` does not tell.
pub(crate) fn watch_machine<T>(work: impl FnOnce() -> Result<T>) -> Result<Watched<T>> {
    let before = stolen("cpu")?;
    let start = Instant::now();
    let value = work()?;
    let disturbance = Disturbance { waited: Duration::ZERO, stolen: stolen("cpu")?.saturating_sub(before) };
    Ok(Watched { value, elapsed: start.elapsed(), disturbance })
}

impl<T> Watched<T> {
    /// The result, with whether others spoiled it.
    #[must_use]
    pub(crate) fn taken(self) -> Taken<T> {
        Taken { spoiled: self.disturbance.spoils(self.elapsed), value: self.value }
    }
}

impl Disturbance {
    /// Whether a measurement that took `elapsed` is spoiled.
    #[must_use]
    fn spoils(self, elapsed: Duration) -> bool {
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

/// Time that the hypervisor took from `cpu`, or from all of them together where that is just "cpu".
fn stolen(cpu: &str) -> Result<Duration> {
    let path = "/proc/stat";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let ticks = steal_ticks(&text, cpu).with_context(|| format!("{path} has no steal time of {cpu}"))?;
    Ok(TICK * ticks)
}

fn steal_ticks(stat: &str, cpu: &str) -> Option<u32> {
    let mut fields =
        stat.lines().map(str::split_whitespace).find_map(|mut line| (line.next()? == cpu).then_some(line))?;
    // user, nice, system, idle, iowait, irq and softirq come before it.
    fields.nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  9 0 9 9 9 0 9 5 0 0\ncpu0 4 0 4 4 4 0 4 2 0 0\ncpu10 5 0 5 5 5 0 5 3 0 0\n";

    #[test]
    fn steal_is_read_from_the_line_of_the_cpu() {
        assert_eq!(steal_ticks(STAT, "cpu0"), Some(2));
        assert_eq!(steal_ticks(STAT, "cpu10"), Some(3));
        assert_eq!(steal_ticks(STAT, "cpu"), Some(5));
        assert_eq!(steal_ticks(STAT, "cpu1"), None);
    }

    #[test]
    fn two_percent_are_tolerated() {
        let elapsed = Duration::from_millis(500);
        let waited = |millis| Disturbance { waited: Duration::from_millis(millis), stolen: Duration::ZERO };
        assert!(!waited(10).spoils(elapsed));
        assert!(waited(11).spoils(elapsed));
    }
}
