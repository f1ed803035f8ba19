//! The forwarding database.

use serde::{Deserialize, Serialize};

pub use crate::model::SetType;

/// How an entry came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FdbType {
    /// Seen as a source.
    Learned,
    /// Set by command.
    Static,
    /// Set by command, as learned for good.
    Sticky,
    /// The own address of an endpoint.
    Endpoint,
}

/// An FDB entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbEntry {
    /// The network.
    pub network: String,
    /// The address.
    pub mac: String,
    /// Name of the port that it is behind.
    pub port: String,
    /// How it came to be.
    #[serde(rename = "type")]
    pub kind: FdbType,
    /// The VLAN, where the network tells them apart.
    pub vlan: Option<u16>,
    /// Whole seconds since the MAC last sent a frame, of a learned entry.
    pub age_secs: Option<u64>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FdbQuery {
    /// Of this network only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Behind this port only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Of this sort only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FdbFilter>,
}

/// A sort of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FdbFilter {
    /// Learned.
    Dynamic,
    /// All others.
    Static,
}

/// Asks for an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbAdd {
    /// The address.
    pub mac: String,
    /// Name of the port.
    pub port: String,
    /// The network, to be sure of it; a port has only one.
    #[serde(default)]
    pub network: Option<String>,
    /// Of what sort.
    #[serde(default, rename = "type")]
    pub kind: SetType,
    /// The VLAN; without it that of the port's untagged frames.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// Takes the place of another entry that was set for the address.
    #[serde(default)]
    pub replace: bool,
}

/// Deletes an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbDelete {
    /// The address.
    pub mac: String,
    /// The network; needed where the MAC is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// The VLAN; needed where the address is in several.
    #[serde(default)]
    pub vlan: Option<u16>,
}

/// Deletes entries: the learned ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FdbFlush {
    /// Of this network only.
    pub network: Option<String>,
    /// Behind this port only.
    pub port: Option<String>,
    /// The static and sticky ones, too.
    pub all: bool,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Number of entries that were deleted.
    pub removed: u64,
}
