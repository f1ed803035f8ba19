//! The model as the API shows it.

use super::{Control, plug::default_gateways};
use crate::{
    api::types::{self, EndpointState, NetnsRef, PortKind},
    model::{Attachment, Endpoint, EndpointName, Gateway, Network, NetworkName, PortRef, Subnet, Uplink},
    netns::IfName,
};

impl Control {
    pub(super) fn view_network(&self, name: &NetworkName, network: &Network) -> types::Network {
        types::Network {
            name: name.to_string(),
            domain: network.domain.0,
            subnets: network.subnets.iter().map(|subnet| subnet.net).collect(),
            gateways: network.subnets.iter().map(|subnet| subnet.gateway).collect(),
            ip_ranges: network.subnets.iter().map(|subnet: &Subnet| subnet.range).collect(),
            internal: network.internal,
            isolated: network.isolated,
            mtu: network.mtu,
            vlan: network.default_vlan,
            ageing_secs: network.ageing_secs,
            snooping: network.snooping,
            querier: network.querier,
            query_interval_secs: network.query_interval_secs,
            uplinks: network.uplinks.iter().map(|uplink| uplink.ifname.to_string()).collect(),
            gateway_port: network.gateway.as_ref().map(|_| name.to_string()),
            gateway_mac: network.gateway.as_ref().map(|gateway| gateway.mac.to_string()),
            options: network.options.clone(),
            endpoints: self.model.attachments_of(name).map(|(endpoint, _)| endpoint.to_string()).collect(),
            created: network.created.to_string(),
        }
    }

    pub(super) fn view_endpoint(&self, name: &EndpointName, endpoint: &Endpoint) -> types::Endpoint {
        let ailment = self.ailments.get(name);
        let only = endpoint.attachments.len() == 1;
        types::Endpoint {
            name: name.to_string(),
            namespace: endpoint.namespace.to_string(),
            labels: endpoint.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            netns: NetnsRef {
                path: endpoint.netns.path.clone(),
                owned: endpoint.netns.owned,
                dev: endpoint.netns.dev,
                ino: endpoint.netns.ino,
            },
            state: ailment.map_or(EndpointState::Ready, |ailment| ailment.state),
            reason: ailment.map(|ailment| ailment.reason.clone()),
            attachments: endpoint
                .attachments
                .iter()
                .map(|attachment| {
                    let port = PortRef::Endpoint { endpoint: name, attachment, only };
                    self.view_attachment(attachment, port.name())
                })
                .collect(),
            created: endpoint.created.to_string(),
        }
    }

    fn view_attachment(&self, attachment: &Attachment, port: String) -> types::Attachment {
        let network = self.model.networks.get(&attachment.network);
        let found = self.attached.get(&attachment.slot).map(|condition| condition.mtu);
        let mtu = found.or_else(|| network.map(|network| network.mtu));
        types::Attachment {
            network: attachment.network.to_string(),
            port,
            ifname: attachment.ifname.to_string(),
            ips: attachment.addresses.clone(),
            gateways: network.map(default_gateways).unwrap_or_default(),
            mac: attachment.mac.to_string(),
            mtu: mtu.unwrap_or_default(),
            host_ifname: attachment.host_ifname.to_string(),
            host_ifindex: attachment.port.0,
            slot: attachment.slot.0,
        }
    }
}

/// What a port leads to.
pub(super) fn kind(port: &PortRef<'_>) -> PortKind {
    match port {
        PortRef::Endpoint { .. } => PortKind::Endpoint,
        PortRef::Uplink { .. } => PortKind::Uplink,
        PortRef::Gateway { .. } => PortKind::Gateway,
    }
}

/// The interface on the host's side of a port.
pub(super) fn host_ifname<'a>(port: &PortRef<'a>) -> &'a IfName {
    match port {
        PortRef::Endpoint { attachment: Attachment { host_ifname, .. }, .. } => host_ifname,
        PortRef::Uplink { uplink: Uplink { ifname, .. }, .. } => ifname,
        PortRef::Gateway { gateway: Gateway { host_ifname, .. }, .. } => host_ifname,
    }
}
