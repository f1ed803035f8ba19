//! Desired state against what the kernel has: the ordered steps from one to the other. Pure.
//!
//! What the kernel has and desired state knows is adopted, so that traffic does not notice a restart. What it has under our
//! names and nobody knows is removed. What is missing is made again where its namespace still exists.

use std::collections::{BTreeMap, BTreeSet};

use switch_common::abi::{
    addr::{DomainId, PortId, Slot},
    domain::DomainFlags,
    fdb::{FdbEntry, FdbKey, FdbKind},
};

use crate::{
    datapath::Port,
    model::{Attachment, EndpointName, Model, NetworkName, PortRef},
    netns::{IfName, Link},
};

/// What the kernel has.
#[derive(Clone, Debug, Default)]
pub struct Actual {
    /// The datapath's ports.
    pub ports: Vec<Port>,
    /// Interfaces in the ports' namespace that are called as host sides of this instance are.
    pub host_sides: Vec<Link>,
    /// Interfaces of the host.
    pub host_links: Vec<Link>,
    /// Endpoints whose network namespace is gone, and how that is told.
    pub gone: BTreeMap<EndpointName, String>,
}

/// One step. Each names what it is about; the rest is in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes a domain, or sets its ageing time and switches.
    SetDomain {
        /// The domain.
        domain: DomainId,
        /// Lifetime of a learned entry in seconds; 0 for ever.
        ageing_secs: u32,
        /// Its switches.
        flags: DomainFlags,
    },
    /// Detaches a port that is nobody's, or whose interface is gone.
    DetachPort {
        /// The port.
        port: PortId,
    },
    /// Deletes an interface that is nobody's.
    DeleteLink {
        /// Its index.
        port: PortId,
        /// Its name.
        name: String,
    },
    /// Takes an interface that is there as the port of an attachment.
    Adopt {
        /// The endpoint.
        endpoint: EndpointName,
        /// The attachment's slot.
        slot: Slot,
    },
    /// Makes the interfaces of an attachment again.
    Replug {
        /// The endpoint.
        endpoint: EndpointName,
        /// The attachment's slot.
        slot: Slot,
    },
    /// Takes an interface of the host as a port.
    AdoptUplink {
        /// The network.
        network: NetworkName,
        /// The interface.
        ifname: IfName,
        /// Its index.
        port: PortId,
    },
    /// Takes the interfaces of a gateway that are there for its port.
    AdoptGateway {
        /// The network.
        network: NetworkName,
    },
    /// Makes the interfaces of a gateway.
    PlugGateway {
        /// The network.
        network: NetworkName,
    },
    /// Notes that an endpoint has lost its namespace.
    NoteStale {
        /// The endpoint.
        endpoint: EndpointName,
        /// How that is told.
        reason: String,
    },
}

/// A change of a fixed FDB entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdbStep {
    /// Sets an entry.
    Put {
        /// Its key.
        key: FdbKey,
        /// The port that it points to.
        port: PortId,
        /// Of what sort it is.
        kind: FdbKind,
    },
    /// Removes an entry.
    Remove {
        /// Its key.
        key: FdbKey,
    },
}

/// The steps from `actual` to `model`, in order: domains, what is in the way (interfaces before their programs: without one, the
/// host's own stack would listen), then ports.
#[must_use]
pub fn plan(model: &Model, actual: &Actual) -> Vec<Step> {
    let mut steps = Vec::new();
    for network in model.networks.values() {
        let (domain, ageing_secs, flags) = (network.domain, network.ageing_secs, network.flags());
        steps.push(Step::SetDomain { domain, ageing_secs, flags });
    }
    steps.extend(deleted(model, actual));
    steps.extend(detached(model, actual));
    for (endpoint, attachment) in model.attachments() {
        let (endpoint, slot) = (endpoint.clone(), attachment.slot);
        if has_host_side(actual, attachment) {
            steps.push(Step::Adopt { endpoint, slot });
        } else if !actual.gone.contains_key(&endpoint) {
            steps.push(Step::Replug { endpoint, slot });
        }
    }
    for (network, _, uplink) in model.uplinks() {
        if let Some(link) = uplink.find(&actual.host_links) {
            let (network, ifname) = (network.clone(), uplink.ifname.clone());
            steps.push(Step::AdoptUplink { network, ifname, port: link.index.into() });
        }
    }
    for (network, _, gateway) in model.gateways() {
        let network = network.clone();
        steps.push(if has_link(actual, gateway.port, &gateway.host_ifname) {
            Step::AdoptGateway { network }
        } else {
            Step::PlugGateway { network }
        });
    }
    for (endpoint, reason) in &actual.gone {
        steps.push(Step::NoteStale { endpoint: endpoint.clone(), reason: reason.clone() });
    }
    steps
}

/// The steps from the fixed FDB entries that there are to those that the ports of `attached` are to have.
#[must_use]
pub fn plan_fdb(model: &Model, attached: &BTreeSet<Slot>, actual: &[(FdbKey, FdbEntry)]) -> Vec<FdbStep> {
    let desired = fixed_entries(model, attached);
    let mut steps = Vec::new();
    for (key, entry) in actual.iter().filter(|(_, entry)| !entry.is_learned()) {
        let is_lost = model.lost.iter().any(|lost| lost.port == entry.port());
        if !is_lost && !desired.contains_key(key) {
            steps.push(FdbStep::Remove { key: *key });
        }
    }
    let actual: BTreeMap<&FdbKey, &FdbEntry> = actual.iter().map(|(key, entry)| (key, entry)).collect();
    for (key, (port, kind)) in desired {
        let is_there =
            actual.get(&key).is_some_and(|entry| entry.port() == port && entry.kind() == Some(kind));
        if !is_there {
            steps.push(FdbStep::Put { key, port, kind });
        }
    }
    steps
}

fn fixed_entries(model: &Model, attached: &BTreeSet<Slot>) -> BTreeMap<FdbKey, (PortId, FdbKind)> {
    let mut entries = BTreeMap::new();
    for port in model.ports().filter(|port| attached.contains(&port.slot())) {
        if let Some(network) = model.networks.get(port.network()) {
            let fixed = network.fixed_entries(port.slot(), port.mac(), port.settings());
            entries.extend(fixed.into_iter().map(|(key, kind)| (key, (port.id(), kind))));
        }
    }
    entries
}

/// Ports that nobody knows, that are known as something else, or whose interface is gone.
fn detached(model: &Model, actual: &Actual) -> Vec<Step> {
    let stays = |port: &&Port| {
        let is_lost = model.lost.iter().any(|lost| lost.port == port.id);
        is_lost || model.port_by_id(port.id).is_some_and(|known| fits(model, actual, port, &known))
    };
    actual.ports.iter().filter(|port| !stays(port)).map(|port| Step::DetachPort { port: port.id }).collect()
}

fn fits(model: &Model, actual: &Actual, port: &Port, known: &PortRef<'_>) -> bool {
    let domain = model.networks.get(known.network()).map(|network| network.domain);
    let is_there = match known {
        PortRef::Endpoint { attachment, .. } => {
            attachment.port == port.id && has_host_side(actual, attachment)
        }
        PortRef::Uplink { uplink, .. } => {
            uplink.find(&actual.host_links).is_some_and(|link| PortId::from(link.index) == port.id)
        }
        PortRef::Gateway { gateway, .. } => has_link(actual, gateway.port, &gateway.host_ifname),
    };
    is_there && port.config.slot() == known.slot() && Some(port.config.domain()) == domain
}

/// Interfaces with our names that nobody knows.
fn deleted(model: &Model, actual: &Actual) -> Vec<Step> {
    let is_known = |link: &&Link| {
        let port = PortId::from(link.index);
        let is_lost = model.lost.iter().any(|lost| lost.port == port);
        let is_host_side = |known: PortRef<'_>| match known {
            PortRef::Endpoint { attachment, .. } => attachment.host_ifname.as_str() == link.name,
            PortRef::Gateway { gateway, .. } => gateway.host_ifname.as_str() == link.name,
            PortRef::Uplink { .. } => false,
        };
        is_lost || model.port_by_id(port).is_some_and(is_host_side)
    };
    let delete = |link: &Link| Step::DeleteLink { port: link.index.into(), name: link.name.clone() };
    actual.host_sides.iter().filter(|link| !is_known(link)).map(delete).collect()
}

fn has_host_side(actual: &Actual, attachment: &Attachment) -> bool {
    has_link(actual, attachment.port, &attachment.host_ifname)
}

fn has_link(actual: &Actual, port: PortId, name: &IfName) -> bool {
    actual.host_sides.iter().any(|link| PortId::from(link.index) == port && link.name == name.as_str())
}

#[cfg(test)]
mod tests;
