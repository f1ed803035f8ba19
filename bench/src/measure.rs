//! Frames per second of lanes, in rounds.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    cpus::Cpus,
    probe::{Burst, Entry, Probe},
    rounds::{self, Plan, Rounds},
};

/// Batches that warm up caches, FDB and page pools.
const WARM_UP_BATCHES: u32 = 300;
/// Batches that tell the rate.
const TRIAL_BATCHES: u32 = 1_500;
/// How long frames in flight may take to arrive.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// The sink is idle when nothing came for this long.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// What a burst says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Time per delivered frame.
    pub(crate) ns_per_frame: f64,
    /// Share of frames that did not arrive.
    pub(crate) loss: f64,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a burst has far less than 2^52 frames")]
    fn of(burst: Burst, elapsed: Duration) -> Self {
        let delivered = burst.delivered as f64;
        Self {
            ns_per_frame: elapsed.as_secs_f64() * 1e9 / delivered,
            loss: (1.0 - delivered / burst.expected as f64).max(0.0),
        }
    }

    /// Millions of delivered frames a second.
    #[must_use]
    pub(crate) fn mpps(self) -> f64 {
        1e3 / self.ns_per_frame
    }
}

/// Measures the entries side by side.
///
/// # Errors
/// The kernel refuses; a lane delivers nothing; the rounds were stopped or all disturbed.
pub(crate) fn rates(
    probe: &mut Probe,
    entries: &[(&str, Entry<'_>)],
    plan: &Plan,
    cpus: Cpus,
) -> Result<Rounds<Rate>> {
    let mut counts = Vec::new();
    for (name, entry) in entries {
        counts.push(frames_in(probe, entry, plan.seconds, cpus).with_context(|| format!("path {name}"))?);
    }
    rounds::run(plan, entries.len(), |lane| {
        let (Some((name, entry)), Some(count)) = (entries.get(lane), counts.get(lane)) else {
            bail!("there is no path {lane}");
        };
        let burst = probe.put(entry, *count, cpus.source).with_context(|| format!("path {name}"))?;
        drain(probe)?;
        Ok(burst.taken().map(|value| Rate::of(value, burst.elapsed)))
    })
}

/// How many frames take `seconds` to be put on the entry.
fn frames_in(probe: &mut Probe, entry: &Entry<'_>, seconds: f64, cpus: Cpus) -> Result<u32> {
    probe.put(entry, WARM_UP_BATCHES * entry.batch, cpus.source)?;
    drain(probe)?;
    let count = TRIAL_BATCHES * entry.batch;
    let trial = probe.put(entry, count, cpus.source)?;
    drain(probe)?;
    if trial.value.delivered == 0 {
        bail!("none of {} frames arrived", trial.value.expected);
    }
    let wanted = f64::from(count) * seconds / trial.elapsed.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    Ok((wanted as u32).max(count))
}

/// Waits until frames in flight have arrived, so that they count for nothing that is measured next.
fn drain(probe: &Probe) -> Result<()> {
    let start = Instant::now();
    let mut before = probe.taken()?;
    while start.elapsed() < DRAIN_LIMIT {
        thread::sleep(DRAIN_STEP);
        let now = probe.taken()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    bail!("frames still arrive {DRAIN_LIMIT:?} after the last was put")
}
