//! Ports.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

pub use crate::model::{McastRouter, PortSettings, StormSettings};
use crate::model::{ModelError, PortVlans, SourcePair, StormRate};

/// What a port leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// An endpoint.
    Endpoint,
    /// An interface of the host.
    Uplink,
    /// The host itself.
    Gateway,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name: `EP` or `EP:IFNAME` of an endpoint's interface, the interface's own of an uplink, the network's of
    /// its gateway.
    pub name: String,
    /// What it leads to.
    pub kind: PortKind,
    /// The endpoint behind it.
    pub endpoint: Option<String>,
    /// Its network.
    pub network: String,
    /// The interface on the host's side.
    pub ifname: String,
    /// Index of that interface.
    pub ifindex: u32,
    /// The port's dense number.
    pub slot: u16,
    /// Whether its interface is there, so that frames pass.
    pub attached: bool,
    /// Whether the interface behind it is up, so that frames to it arrive.
    pub up: bool,
    /// The port that it is cabled to, where it is blocked for that.
    pub blocked_by: Option<String>,
    /// The address of the interface behind it.
    pub mac: String,
    /// Largest L3 packet in bytes that it takes.
    pub mtu: u32,
    /// Its switches.
    pub settings: PortSettings,
    /// Multicast groups that are joined at it.
    pub groups: u64,
    /// Joins that were refused for want of room.
    pub groups_refused: u64,
    /// MACs that are learned at it.
    pub learned: u64,
    /// Traffic through it.
    pub counters: Counters,
    /// Frames that came in on it and were dropped, by reason; reasons without any are left out.
    pub drops: BTreeMap<String, u64>,
}

/// Changes a port's switches; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortChange {
    /// See [`PortSettings::learning`].
    pub learning: Option<bool>,
    /// See [`PortSettings::flood`].
    pub flood: Option<bool>,
    /// See [`PortSettings::bcast_flood`].
    pub bcast_flood: Option<bool>,
    /// See [`PortSettings::mcast_flood`].
    pub mcast_flood: Option<bool>,
    /// See [`PortSettings::isolated`].
    pub isolated: Option<bool>,
    /// See [`PortSettings::hairpin`].
    pub hairpin: Option<bool>,
    /// See [`PortSettings::max_macs`].
    pub max_macs: Option<u32>,
    /// See [`PortSettings::guard`].
    pub guard: Option<bool>,
    /// See [`PortSettings::locked`].
    pub locked: Option<bool>,
    /// Takes the place of [`PortSettings::allow`].
    pub allow: Option<Vec<SourcePair>>,
    /// Takes the place of [`PortSettings::vlan`].
    pub vlan: Option<VlanChange>,
    /// See [`PortSettings::fast_leave`].
    pub fast_leave: Option<bool>,
    /// See [`PortSettings::mcast_router`].
    pub mcast_router: Option<McastRouter>,
    /// See [`PortSettings::storm`].
    pub storm: StormChange,
}

/// A change of how a port sorts frames by VLAN; `none` leaves it to its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VlanChange(Option<PortVlans>);

impl VlanChange {
    /// The setting afterwards.
    #[must_use]
    pub fn into_setting(self) -> Option<PortVlans> {
        self.0
    }
}

impl FromStr for VlanChange {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

impl TryFrom<String> for VlanChange {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VlanChange> for String {
    fn from(change: VlanChange) -> Self {
        change.0.map_or_else(|| Self::from("none"), Self::from)
    }
}

/// Changes a port's storm limits; what is absent stays, and a rate of 0 takes a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StormChange {
    /// See [`StormSettings::bcast`].
    pub bcast: Option<StormRate>,
    /// See [`StormSettings::mcast`].
    pub mcast: Option<StormRate>,
    /// See [`StormSettings::unicast`].
    pub unicast: Option<StormRate>,
}

/// Traffic through a port; `rx` came from it, `tx` went to it. A GSO super-frame counts as one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Frames from it.
    pub rx_frames: u64,
    /// Bytes of those, Ethernet header included.
    pub rx_bytes: u64,
    /// Frames to it.
    pub tx_frames: u64,
    /// Bytes of those, Ethernet header included.
    pub tx_bytes: u64,
}
