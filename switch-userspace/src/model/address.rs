//! Attaching an endpoint to a network: its addresses, MAC and interface name, chosen or checked.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use switch_common::abi::addr::{MacAddr, PortId, Slot};

use super::{
    Model,
    endpoint::{Attachment, AttachmentSpec},
    error::ModelError,
    mac::default_mac,
    names::{EndpointName, InstanceName, NetworkName},
    network::Network,
    port::PortSettings,
};
use crate::netns::IfName;

/// The interface on the host's side of an attachment.
#[derive(Clone, Debug)]
pub struct HostSide {
    /// Its name.
    pub ifname: IfName,
    /// Its index.
    pub port: PortId,
    /// The port's dense number.
    pub slot: Slot,
}

/// How many MAC addresses are tried until one is nobody's.
const MAC_ATTEMPTS: u32 = 1000;

impl Model {
    /// Adds an attachment of an endpoint to a network.
    ///
    /// # Errors
    /// No such endpoint or network; it is on it already; an address, MAC or name is impossible or taken; no address is
    /// free.
    pub fn attach(
        &mut self,
        instance: &InstanceName,
        name: &EndpointName,
        network_name: &NetworkName,
        spec: AttachmentSpec,
        host: HostSide,
    ) -> Result<Attachment, ModelError> {
        let network = self.network(network_name)?;
        if self.endpoint(name)?.attachments.iter().any(|attachment| attachment.network == *network_name) {
            return Err(ModelError::AlreadyAttached {
                endpoint: name.to_string(),
                network: network_name.to_string(),
            });
        }
        let attachment = Attachment {
            ifname: self.ifname(name, spec.ifname)?,
            addresses: self.addresses(network_name, network, &spec.ips)?,
            mac: self.mac(instance, network_name, host.slot, spec.mac)?,
            network: network_name.clone(),
            host_ifname: host.ifname,
            port: host.port,
            slot: host.slot,
            rank: self.free_rank(name)?,
            settings: PortSettings { isolated: network.isolated, ..PortSettings::default() },
        };
        if let Some(endpoint) = self.endpoints.get_mut(name) {
            endpoint.attachments.push(attachment.clone());
        }
        Ok(attachment)
    }

    fn free_rank(&self, name: &EndpointName) -> Result<u16, ModelError> {
        let attachments = &self.endpoint(name)?.attachments;
        let is_free = |rank: &u16| attachments.iter().all(|attachment| attachment.rank != *rank);
        (0..)
            .find(is_free)
            .ok_or(ModelError::Full { what: "interfaces of an endpoint", limit: u16::MAX.into() })
    }

    fn ifname(&self, name: &EndpointName, wanted: Option<IfName>) -> Result<IfName, ModelError> {
        let attachments = &self.endpoint(name)?.attachments;
        let is_used = |ifname: &IfName| attachments.iter().any(|attachment| attachment.ifname == *ifname);
        if let Some(ifname) = wanted {
            if is_used(&ifname) {
                return Err(ModelError::IfnameTaken {
                    endpoint: name.to_string(),
                    ifname: ifname.to_string(),
                });
            }
            return Ok(ifname);
        }
        let mut number = 0;
        loop {
            let ifname = IfName::new(format!("eth{number}"))?;
            if !is_used(&ifname) {
                return Ok(ifname);
            }
            number += 1;
        }
    }

    fn addresses(
        &self,
        name: &NetworkName,
        network: &Network,
        wanted: &[IpAddr],
    ) -> Result<Vec<IpNet>, ModelError> {
        for ip in wanted {
            self.check_address(name, network, *ip)?;
        }
        let used: BTreeSet<IpAddr> = self
            .attachments_of(name)
            .flat_map(|(_, attachment)| attachment.addresses.iter().map(IpNet::addr))
            .collect();
        let mut addresses = Vec::new();
        for subnet in &network.subnets {
            let mut given = wanted.iter().filter(|ip| subnet.net.contains(*ip));
            let ip = match (given.next(), given.next()) {
                (Some(_), Some(second)) => {
                    return Err(ModelError::TwoAddresses { ip: *second, net: subnet.net });
                }
                (Some(ip), None) => *ip,
                (None, _) => {
                    subnet.lowest_free(&used).ok_or(ModelError::AddressesExhausted { range: subnet.range })?
                }
            };
            addresses.push(subnet.with_prefix(ip));
        }
        Ok(addresses)
    }

    fn check_address(&self, name: &NetworkName, network: &Network, ip: IpAddr) -> Result<(), ModelError> {
        let Some(subnet) = network.subnets.iter().find(|subnet| subnet.net.contains(&ip)) else {
            let subnets = network.subnets.iter().map(|subnet| subnet.net).collect();
            return Err(ModelError::AddressOutside { ip, network: name.to_string(), subnets });
        };
        if ip == subnet.gateway {
            return Err(ModelError::AddressTaken { ip, owner: format!("the gateway of network {name}") });
        }
        if !subnet.is_endpoint_address(ip) {
            return Err(ModelError::AddressReserved { ip, net: subnet.net });
        }
        let is_its = |attachment: &Attachment| attachment.addresses.iter().any(|net| net.addr() == ip);
        match self.attachments_of(name).find(|(_, attachment)| is_its(attachment)) {
            Some((owner, _)) => Err(ModelError::AddressTaken { ip, owner: format!("endpoint {owner}") }),
            None => Ok(()),
        }
    }

    pub(super) fn mac(
        &self,
        instance: &InstanceName,
        network: &NetworkName,
        slot: Slot,
        wanted: Option<MacAddr>,
    ) -> Result<MacAddr, ModelError> {
        if let Some(mac) = wanted {
            return match self.owner_of_mac(network, mac) {
                Some(owner) => Err(ModelError::MacTaken { mac, owner }),
                None => Ok(mac),
            };
        }
        (0..MAC_ATTEMPTS)
            .map(|attempt| default_mac(instance, network, slot, attempt))
            .find(|mac| self.owner_of_mac(network, *mac).is_none())
            .ok_or(ModelError::NoFreeMac { attempts: MAC_ATTEMPTS })
    }

    /// Who on a network has a MAC by the model: an endpoint, an uplink, the gateway or a static entry.
    fn owner_of_mac(&self, name: &NetworkName, mac: MacAddr) -> Option<String> {
        let is_fixed = self.networks.get(name)?.static_entries.iter().any(|entry| entry.mac == mac);
        self.station_with_mac(name, mac)
            .or_else(|| is_fixed.then(|| format!("a static FDB entry of network {name}")))
    }

    /// The endpoint, uplink or gateway on a network whose own address a MAC is.
    pub(super) fn station_with_mac(&self, name: &NetworkName, mac: MacAddr) -> Option<String> {
        let endpoint = self.attachments_of(name).find(|(_, attachment)| attachment.mac == mac);
        let network = self.networks.get(name)?;
        let uplink = network.uplinks.iter().find(|uplink| uplink.mac == mac);
        let is_gateway = network.gateway.as_ref().is_some_and(|gateway| gateway.mac == mac);
        endpoint
            .map(|(owner, _)| format!("endpoint {owner}"))
            .or_else(|| uplink.map(|uplink| format!("uplink {}", uplink.ifname)))
            .or_else(|| is_gateway.then(|| format!("the gateway of network {name}")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::{EndpointNetns, EndpointSpec, Labels, Namespace, NetworkSpec, Timestamp};

    /// A model with the network `red`, 10.1.0.0/29, and endpoints without interfaces.
    struct Fixture {
        model: Model,
        red: NetworkName,
    }

    impl Fixture {
        fn new(subnets: &[&str]) -> Self {
            let mut model = Model::default();
            let red = NetworkName::new("red").expect("name");
            let subnets = subnets.iter().map(|text| text.parse().expect("net")).collect();
            let spec = NetworkSpec { subnets, ..NetworkSpec::default() };
            model.add_network(&red, spec, &[], Timestamp::new(SystemTime::UNIX_EPOCH)).expect("red");
            Self { model, red }
        }

        fn attach(&mut self, name: &str, spec: AttachmentSpec) -> Result<Attachment, ModelError> {
            let name = EndpointName::new(name).expect("name");
            let ino = self.model.endpoints.len() as u64;
            let netns = EndpointNetns { path: "/run/netns/x".into(), owned: false, dev: 0, ino };
            let endpoint = EndpointSpec { namespace: Namespace::default(), labels: Labels::new(), netns };
            self.model.add_endpoint(&name, endpoint, Timestamp::new(SystemTime::UNIX_EPOCH))?;
            let slot = self.model.free_slot()?;
            let ifname = IfName::new(format!("wyep{}", slot.0)).expect("name");
            let host = HostSide { ifname, port: PortId(1000 + u32::from(slot.0)), slot };
            let instance = InstanceName::new("default").expect("name");
            self.model.attach(&instance, &name, &self.red, spec, host)
        }
    }

    fn with_ip(ip: &str) -> AttachmentSpec {
        AttachmentSpec { ips: vec![ip.parse().expect("ip")], ..AttachmentSpec::default() }
    }

    #[test]
    fn endpoints_get_the_lowest_free_addresses_until_none_is_left() {
        let mut fixture = Fixture::new(&["10.1.0.0/29"]);
        fixture.attach("fixed", with_ip("10.1.0.3")).expect("fixed");
        let mut got = Vec::new();
        while let Ok(attachment) = fixture.attach(&format!("e{}", got.len()), AttachmentSpec::default()) {
            got.push(attachment.addresses[0].to_string());
        }
        assert_eq!(got, ["10.1.0.2/29", "10.1.0.4/29", "10.1.0.5/29", "10.1.0.6/29"]);
    }

    #[test]
    fn every_subnet_gives_an_address() {
        let mut fixture = Fixture::new(&["10.1.0.0/24", "fd00::/64"]);
        let attachment = fixture.attach("a", with_ip("fd00::9")).expect("a");
        let addresses: Vec<String> = attachment.addresses.iter().map(IpNet::to_string).collect();
        assert_eq!(addresses, ["10.1.0.2/24", "fd00::9/64"]);
        assert_eq!(attachment.ifname.as_str(), "eth0");
    }

    #[test]
    fn a_taken_address_names_its_owner() {
        let mut fixture = Fixture::new(&["10.1.0.0/24"]);
        fixture.attach("a", with_ip("10.1.0.9")).expect("a");
        let error = fixture.attach("b", with_ip("10.1.0.9")).expect_err("taken").to_string();
        assert!(error.contains("endpoint a"), "{error}");
    }

    #[test]
    fn impossible_addresses_are_refused() {
        for ip in ["10.1.0.0", "10.1.0.1", "10.1.0.255", "10.2.0.1", "fd00::1"] {
            assert!(Fixture::new(&["10.1.0.0/24"]).attach("a", with_ip(ip)).is_err(), "{ip}");
        }
        let two = AttachmentSpec {
            ips: vec!["10.1.0.4".parse().expect("ip"), "10.1.0.5".parse().expect("ip")],
            ..AttachmentSpec::default()
        };
        assert!(Fixture::new(&["10.1.0.0/24"]).attach("a", two).is_err());
    }

    #[test]
    fn a_mac_is_on_a_network_once() {
        let mut fixture = Fixture::new(&["10.1.0.0/24"]);
        let first = fixture.attach("a", AttachmentSpec::default()).expect("a");
        let same = AttachmentSpec { mac: Some(first.mac), ..AttachmentSpec::default() };
        let error = fixture.attach("b", same).expect_err("taken").to_string();
        assert!(error.contains("endpoint a"), "{error}");
        let second = fixture.attach("c", AttachmentSpec::default()).expect("c");
        assert_ne!(first.mac, second.mac);
    }
}
