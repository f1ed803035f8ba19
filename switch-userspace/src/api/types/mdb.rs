//! Multicast groups.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdbKind {
    /// The port is a member of the group.
    Member,
    /// Multicast routers are behind the port.
    Router,
    /// Who asks for members.
    Querier,
}

/// Something that is known of multicast in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MdbEntry {
    /// The network.
    pub network: String,
    /// The VLAN, where the network tells them apart.
    pub vlan: Option<u16>,
    /// 4 or 6.
    pub family: u8,
    /// What it tells.
    #[serde(rename = "type")]
    pub kind: MdbKind,
    /// The group of a member.
    pub group: Option<IpAddr>,
    /// Name of the port; none where the switch itself asks, or where it is not known yet after a restart.
    pub port: Option<String>,
    /// The address of who asks; none for the switch itself.
    pub address: Option<IpAddr>,
    /// Whole seconds until it ends unless it is confirmed; none for what does not end.
    pub expires_secs: Option<u64>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MdbQuery {
    /// Of this network only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// About this port only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}
