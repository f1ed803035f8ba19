//! Desired state: what the switch is to be. Values in here are valid; nothing in here does I/O or reads a clock.
//!
//! A [`Model`] is changed by making the next one: each change is checked against the whole model before it is in it.

mod address;
mod endpoint;
mod error;
mod fdb;
mod gateway;
mod labels;
mod mac;
mod multicast;
mod names;
mod network;
mod options;
mod pool;
mod port;
mod serial;
mod source;
mod storm;
mod subnet;
mod time;
mod vlan;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switch_common::abi::{
    MAX_DOMAINS, MAX_SLOTS,
    addr::{DomainId, PortId, Slot},
};

use self::serial::{StoredDomainId, StoredPortId, StoredSlot};
pub use self::{
    address::HostSide,
    endpoint::{Attachment, AttachmentSpec, Endpoint, EndpointNetns, EndpointSpec},
    error::ModelError,
    fdb::{SetType, StaticEntry},
    gateway::Gateway,
    labels::{LabelError, LabelKey, LabelValue, Labels},
    mac::parse_mac,
    multicast::{DEFAULT_QUERY_INTERVAL_SECS, McastRouter},
    names::{EndpointName, InstanceName, NameError, Namespace, NetworkName},
    network::{Network, NetworkSpec, Uplink},
    options::{DEFAULT_AGEING_SECS, Options},
    pool::Occupied,
    port::{PortRef, PortSettings},
    source::SourcePair,
    storm::{MAX_STORM_RATE, StormRate, StormSettings},
    subnet::{Subnet, SubnetError},
    time::Timestamp,
    vlan::PortVlans,
};

/// Everything that the switch is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Networks by name.
    pub networks: BTreeMap<NetworkName, Network>,
    /// Endpoints by name.
    pub endpoints: BTreeMap<EndpointName, Endpoint>,
    /// Ports that carry traffic though the state that described them was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostPort>,
}

/// A port that carries traffic though the state that described it was lost: nobody else gets its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostPort {
    /// Its interface's index.
    #[serde(with = "StoredPortId")]
    pub port: PortId,
    /// Its dense number.
    #[serde(with = "StoredSlot")]
    pub slot: Slot,
    /// Its bridge domain.
    #[serde(with = "StoredDomainId")]
    pub domain: DomainId,
}

impl Model {
    /// The network called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn network(&self, name: &NetworkName) -> Result<&Network, ModelError> {
        self.networks.get(name).ok_or_else(|| ModelError::NoNetwork { name: name.to_string() })
    }

    /// The endpoint called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn endpoint(&self, name: &EndpointName) -> Result<&Endpoint, ModelError> {
        self.endpoints.get(name).ok_or_else(|| ModelError::NoEndpoint { name: name.to_string() })
    }

    /// The attachments to a network, with their endpoints.
    pub fn attachments_of<'a>(
        &'a self,
        network: &'a NetworkName,
    ) -> impl Iterator<Item = (&'a EndpointName, &'a Attachment)> {
        self.attachments().filter(move |(_, attachment)| attachment.network == *network)
    }

    /// All attachments, with their endpoints.
    pub fn attachments(&self) -> impl Iterator<Item = (&EndpointName, &Attachment)> {
        self.endpoints.iter().flat_map(|(name, endpoint)| {
            endpoint.attachments.iter().map(move |attachment| (name, attachment))
        })
    }

    /// All uplinks, with their networks.
    pub fn uplinks(&self) -> impl Iterator<Item = (&NetworkName, &Network, &Uplink)> {
        self.networks
            .iter()
            .flat_map(|(name, network)| network.uplinks.iter().map(move |uplink| (name, network, uplink)))
    }

    /// The network that has a domain.
    #[must_use]
    pub fn network_of_domain(&self, domain: DomainId) -> Option<(&NetworkName, &Network)> {
        self.networks.iter().find(|(_, network)| network.domain == domain)
    }

    /// The lowest domain number that nobody has.
    ///
    /// # Errors
    /// All are in use.
    pub fn free_domain(&self) -> Result<DomainId, ModelError> {
        let is_lost = |domain: DomainId| self.lost.iter().any(|lost| lost.domain == domain);
        numbers(MAX_DOMAINS)
            .map(DomainId)
            .find(|domain| self.network_of_domain(*domain).is_none() && !is_lost(*domain))
            .ok_or(ModelError::Full { what: "networks", limit: MAX_DOMAINS - 1 })
    }

    /// The lowest slot that nobody has.
    ///
    /// # Errors
    /// All are in use.
    pub fn free_slot(&self) -> Result<Slot, ModelError> {
        let mut used = [false; MAX_SLOTS as usize];
        let slots = self.ports().map(|port| port.slot());
        for slot in slots.chain(self.lost.iter().map(|lost| lost.slot)) {
            used[usize::from(slot.0) % used.len()] = true;
        }
        numbers(MAX_SLOTS)
            .map(Slot)
            .find(|slot| !used[usize::from(slot.0)])
            .ok_or(ModelError::Full { what: "ports", limit: MAX_SLOTS - 1 })
    }
}

/// The numbers that domains and slots have: 0 is none.
fn numbers(limit: u32) -> impl Iterator<Item = u16> {
    (1..limit).map_while(|number| u16::try_from(number).ok())
}
