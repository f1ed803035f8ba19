//! Ageing: learned entries that are dead are swept out of the FDB, and the accounts of those that are left are checked.
//!
//! The datapath takes a dead entry for none, so the sweep only makes room; nothing depends on when it comes.

use std::time::{Duration, Instant};

use switch_common::{
    abi::fdb::{FdbEntry, FdbKey},
    units::Nanos,
};

use super::{Control, error::ControlError, fdb::ageing};
use crate::sys::clock::monotonic;

/// A sweep comes at least this often while something may be learned, and at most every [`SHORTEST`].
const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
/// Sweeps in the lifetime of an entry.
const SWEEPS: u32 = 8;

impl Control {
    /// Sweeps where that is due; says when the next sweep is, where there will be one.
    pub(super) fn sweep_if_due(&mut self, now: Instant) -> Option<Instant> {
        let period = self.sweep_period()?;
        if now.duration_since(self.last_sweep) >= period {
            self.last_sweep = now;
            if let Err(error) = self.sweep(monotonic()) {
                tracing::warn!(%error, "the FDB could not be swept");
            }
        }
        Some(self.last_sweep + period)
    }

    fn sweep_period(&self) -> Option<Duration> {
        if self.attached.is_empty() {
            return None;
        }
        let lifetimes =
            self.model.networks.values().map(|network| network.ageing_secs).filter(|secs| *secs > 0);
        let shortest = Duration::from_secs(lifetimes.min()?.into());
        Some((shortest / SWEEPS).clamp(SHORTEST, LONGEST))
    }

    fn sweep(&self, now: Nanos) -> Result<(), ControlError> {
        if self.kernel.datapath(|datapath| Ok(datapath.learned()))? == 0 {
            return Ok(());
        }
        let is_dead = |(key, entry): &(FdbKey, FdbEntry)| {
            let network = self.model.network_of_domain(key.domain());
            network.is_some_and(|(_, network)| entry.is_expired(now, ageing(network)))
        };
        let entries = self.kernel.datapath(|datapath| datapath.list_fdb())?;
        let (dead, living): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_dead);
        self.kernel.datapath(|datapath| {
            dead.iter().try_for_each(|(key, _)| datapath.remove_fdb(*key).map(drop))?;
            datapath.recount_learned(&living)
        })
    }
}
