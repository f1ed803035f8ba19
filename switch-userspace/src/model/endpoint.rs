//! Endpoints, and their attachments to networks.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use switch_common::abi::addr::{MacAddr, PortId, Slot};

use super::{
    Model,
    error::ModelError,
    labels::{LabelKey, Labels},
    names::{EndpointName, Namespace, NetworkName},
    port::PortSettings,
    serial::{StoredPortId, StoredSlot, text},
    time::Timestamp,
};
use crate::netns::{IfName, NetnsId};

/// A workload: a network namespace with an interface on each of its networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The Kubernetes namespace that it belongs to.
    pub namespace: Namespace,
    /// Labels.
    pub labels: Labels,
    /// Its network namespace.
    pub netns: EndpointNetns,
    /// Its interfaces, in the order they were made.
    pub attachments: Vec<Attachment>,
    /// When it was made.
    #[serde(with = "text")]
    pub created: Timestamp,
}

/// An endpoint's network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointNetns {
    /// A file that opens it.
    pub path: PathBuf,
    /// Whether wye made it, and removes it.
    pub owned: bool,
    /// Device of its file: with the inode, tells it from another namespace at the same path.
    pub dev: u64,
    /// Inode of its file.
    pub ino: u64,
}

impl EndpointNetns {
    /// Which namespace it is.
    #[must_use]
    pub fn id(&self) -> NetnsId {
        NetnsId { dev: self.dev, ino: self.ino }
    }
}

/// One interface of an endpoint on one network: a veth pair, its host side a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The network.
    pub network: NetworkName,
    /// The interface inside the endpoint.
    #[serde(with = "text")]
    pub ifname: IfName,
    /// Its addresses with the prefix of their subnet, one a subnet.
    pub addresses: Vec<IpNet>,
    /// Its MAC address.
    #[serde(with = "text")]
    pub mac: MacAddr,
    /// The interface on the host's side.
    #[serde(with = "text")]
    pub host_ifname: IfName,
    /// Index of that interface.
    #[serde(with = "StoredPortId")]
    pub port: PortId,
    /// The port's dense number.
    #[serde(with = "StoredSlot")]
    pub slot: Slot,
    /// Its place among the endpoint's default routes, which no other of its attachments has: the lowest one is used.
    pub rank: u16,
    /// The port's switches.
    pub settings: PortSettings,
}

/// What a new endpoint is to be, apart from its interfaces.
#[derive(Clone, Debug)]
pub struct EndpointSpec {
    /// See [`Endpoint::namespace`].
    pub namespace: Namespace,
    /// See [`Endpoint::labels`].
    pub labels: Labels,
    /// See [`Endpoint::netns`].
    pub netns: EndpointNetns,
}

/// What a new attachment is to be; what is not said is chosen.
#[derive(Clone, Debug, Default)]
pub struct AttachmentSpec {
    /// Addresses, at most one a subnet.
    pub ips: Vec<std::net::IpAddr>,
    /// MAC address.
    pub mac: Option<MacAddr>,
    /// The interface inside the endpoint.
    pub ifname: Option<IfName>,
}

impl Model {
    /// Checks that an endpoint of this name can be added.
    ///
    /// # Errors
    /// The name is taken.
    pub fn check_new_endpoint(&self, name: &EndpointName) -> Result<(), ModelError> {
        if self.endpoints.contains_key(name) {
            return Err(ModelError::EndpointExists { name: name.to_string() });
        }
        if self.networks.get(name.as_str()).is_some_and(|network| network.gateway.is_some()) {
            let owner = format!("the gateway of network {name}");
            return Err(ModelError::PortNameTaken { name: name.to_string(), owner });
        }
        if let Some((network, ..)) =
            self.uplinks().find(|(.., uplink)| uplink.ifname.as_str() == name.as_str())
        {
            return Err(ModelError::PortNameTaken {
                name: name.to_string(),
                owner: format!("the uplink of network {network}"),
            });
        }
        Ok(())
    }

    /// Adds an endpoint, yet without interfaces.
    ///
    /// # Errors
    /// The name is taken; the namespace is another endpoint's.
    pub fn add_endpoint(
        &mut self,
        name: &EndpointName,
        spec: EndpointSpec,
        created: Timestamp,
    ) -> Result<(), ModelError> {
        self.check_new_endpoint(name)?;
        let id = spec.netns.id();
        if let Some((owner, _)) = self.endpoints.iter().find(|(_, other)| other.netns.id() == id) {
            return Err(ModelError::NetnsTaken {
                path: spec.netns.path.display().to_string(),
                owner: owner.to_string(),
            });
        }
        let EndpointSpec { namespace, labels, netns } = spec;
        let endpoint = Endpoint { namespace, labels, netns, attachments: Vec::new(), created };
        self.endpoints.insert(name.clone(), endpoint);
        Ok(())
    }

    /// Removes an endpoint with all its attachments.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn remove_endpoint(&mut self, name: &EndpointName) -> Result<Endpoint, ModelError> {
        let endpoint =
            self.endpoints.remove(name).ok_or_else(|| ModelError::NoEndpoint { name: name.to_string() })?;
        for attachment in &endpoint.attachments {
            self.forget_static_entries_of(attachment.slot);
        }
        Ok(endpoint)
    }

    /// The attachment of an endpoint to a network.
    ///
    /// # Errors
    /// No such endpoint or network; it is not on it.
    pub fn attachment(&self, name: &EndpointName, network: &NetworkName) -> Result<&Attachment, ModelError> {
        self.network(network)?;
        let endpoint = self.endpoint(name)?;
        endpoint.attachments.iter().find(|attachment| attachment.network == *network).ok_or_else(|| {
            ModelError::NotAttached { endpoint: name.to_string(), network: network.to_string() }
        })
    }

    /// Replaces the attachment in the same slot.
    pub fn put_attachment(&mut self, name: &EndpointName, changed: Attachment) {
        let attachments =
            self.endpoints.get_mut(name).into_iter().flat_map(|endpoint| &mut endpoint.attachments);
        for place in attachments.filter(|attachment| attachment.slot == changed.slot) {
            *place = changed.clone();
        }
    }

    /// Removes one attachment.
    ///
    /// # Errors
    /// As [`Model::attachment`].
    pub fn detach(&mut self, name: &EndpointName, network: &NetworkName) -> Result<Attachment, ModelError> {
        let removed = self.attachment(name, network)?.clone();
        self.forget_static_entries_of(removed.slot);
        if let Some(endpoint) = self.endpoints.get_mut(name) {
            endpoint.attachments.retain(|attachment| attachment.slot != removed.slot);
        }
        Ok(removed)
    }

    /// Puts labels on an endpoint and takes others off.
    ///
    /// # Errors
    /// No such endpoint; it does not have a label that is to be taken off.
    pub fn change_labels(
        &mut self,
        name: &EndpointName,
        set: Labels,
        remove: &[LabelKey],
    ) -> Result<(), ModelError> {
        let endpoint =
            self.endpoints.get_mut(name).ok_or_else(|| ModelError::NoEndpoint { name: name.to_string() })?;
        if let Some(key) = remove.iter().find(|key| !endpoint.labels.contains_key(key)) {
            return Err(ModelError::NoLabel { endpoint: name.to_string(), key: key.to_string() });
        }
        endpoint.labels.retain(|key, _| !remove.contains(key));
        endpoint.labels.extend(set);
        Ok(())
    }
}
