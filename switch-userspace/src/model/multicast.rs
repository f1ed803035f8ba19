//! What networks and ports say of multicast.

use serde::{Deserialize, Serialize};
use switch_common::units::Nanos;

use super::{network::Network, port::PortSettings};
use crate::multicast::{PortRules, RouterRule, Timing};

/// Seconds between two general queries where nothing is said (RFC 3376, 8.2).
pub const DEFAULT_QUERY_INTERVAL_SECS: u32 = 125;
/// The longest that RFC 3376 can tell (4.1.7).
pub(super) const MAX_QUERY_INTERVAL_SECS: u32 = 31_744;

/// Whether multicast routers are behind a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum McastRouter {
    /// Where a query comes from it; never at a guarded port.
    #[default]
    Auto,
    /// Always; a guarded port may send queries then.
    On,
    /// Never: its queries are not listened to.
    Off,
}

impl McastRouter {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl Network {
    /// The intervals of its groups.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing { interval: Nanos::from_secs(self.query_interval_secs) }
    }
}

impl PortSettings {
    /// What they say of multicast.
    #[must_use]
    pub fn port_rules(&self) -> PortRules {
        let router = match self.mcast_router {
            McastRouter::On => RouterRule::Always,
            McastRouter::Auto if !self.guard => RouterRule::Learned,
            McastRouter::Auto | McastRouter::Off => RouterRule::Never,
        };
        PortRules { router, fast_leave: self.fast_leave }
    }
}
