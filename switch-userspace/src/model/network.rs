//! Networks: one bridge domain each, with its subnets and uplinks.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use switch_common::abi::{
    addr::{DomainId, MacAddr, PortId, Slot},
    domain::DomainFlags,
};

use super::{
    Model,
    error::ModelError,
    fdb::StaticEntry,
    gateway::Gateway,
    multicast::DEFAULT_QUERY_INTERVAL_SECS,
    names::NetworkName,
    options::Options,
    pool::Occupied,
    port::PortSettings,
    serial::{StoredDomainId, StoredPortId, StoredSlot, text},
    subnet::{Subnet, SubnetError, overlaps},
    time::Timestamp,
    vlan::VLANS,
};
use crate::netns::{IfName, Link};

/// Largest L3 packet where nothing is said.
const DEFAULT_MTU: u32 = 1500;
/// The smallest MTU of IPv4 (RFC 791).
const MIN_MTU: u32 = 68;
/// The smallest MTU of IPv6 (RFC 8200).
const MIN_MTU_V6: u32 = 1280;
/// The largest MTU of a veth interface.
const MAX_MTU: u32 = 65_535;

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its bridge domain in the datapath.
    #[serde(with = "StoredDomainId")]
    pub domain: DomainId,
    /// Its subnets, at least one.
    pub subnets: Vec<Subnet>,
    /// No default route in the endpoints.
    pub internal: bool,
    /// Every port of an endpoint on it is isolated.
    pub isolated: bool,
    /// Largest L3 packet in bytes.
    pub mtu: u32,
    /// Lifetime of a learned FDB entry in seconds; 0 for ever.
    pub ageing_secs: u32,
    /// The VLAN of ports that say nothing; `None` where the network knows no VLANs.
    #[serde(default)]
    pub default_vlan: Option<u16>,
    /// It knows VLANs because ports of it have some, not because it was made so.
    #[serde(default)]
    pub is_sorted_for_ports: bool,
    /// The switch answers ARP requests and neighbour solicitations for the endpoints that it knows.
    #[serde(default = "on")]
    pub suppress: bool,
    /// Ports of it that are cabled together are found, and one of them is blocked.
    #[serde(default = "on")]
    pub loop_guard: bool,
    /// Those that ask for somebody else are dropped.
    #[serde(default)]
    pub drop_unknown: bool,
    /// Multicast goes where membership messages say.
    #[serde(default = "snoops_unless_told_otherwise")]
    pub snooping: bool,
    /// The switch asks for members itself while nobody else does.
    #[serde(default)]
    pub querier: bool,
    /// Seconds between two general queries.
    #[serde(default = "default_query_interval")]
    pub query_interval_secs: u32,
    /// The host has a port on it: not where it was told otherwise, and not where its router is behind an uplink.
    #[serde(default = "on")]
    pub wants_gateway: bool,
    /// Interfaces of the host that are ports of it.
    pub uplinks: Vec<Uplink>,
    /// The host's own port on it, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// FDB entries set by command.
    pub static_entries: Vec<StaticEntry>,
    /// Options as they were given.
    pub options: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "text")]
    pub created: Timestamp,
}

const fn on() -> bool {
    true
}

const fn snoops_unless_told_otherwise() -> bool {
    true
}

const fn default_query_interval() -> u32 {
    DEFAULT_QUERY_INTERVAL_SECS
}

/// An interface of the host that is a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// Its name.
    #[serde(with = "text")]
    pub ifname: IfName,
    /// Its index; another one after a reboot.
    #[serde(with = "StoredPortId")]
    pub port: PortId,
    /// Its own MAC address.
    #[serde(with = "text")]
    pub mac: MacAddr,
    /// The port's dense number.
    #[serde(with = "StoredSlot")]
    pub slot: Slot,
    /// The port's switches.
    pub settings: PortSettings,
    /// Whether it took every frame before it became a port, and so is to go on doing so afterwards.
    pub was_promiscuous: bool,
}

impl Uplink {
    /// Whether `link`, which has another name, is its interface all the same.
    #[must_use]
    pub fn is_renamed(&self, link: &Link) -> bool {
        PortId::from(link.index) == self.port && link.mac == Some(self.mac)
    }

    /// Its interface among those of the host: the one of its name, else one that was renamed.
    #[must_use]
    pub fn find<'a>(&self, links: &'a [Link]) -> Option<&'a Link> {
        let by_name = links.iter().find(|link| link.name == self.ifname.as_str());
        by_name.or_else(|| links.iter().find(|link| self.is_renamed(link)))
    }
}

/// What a new network is to be.
#[derive(Clone, Debug, Default)]
pub struct NetworkSpec {
    /// Its subnets; without any, a free one is chosen.
    pub subnets: Vec<IpNet>,
    /// Gateways, at most one a subnet.
    pub gateways: Vec<IpAddr>,
    /// Ranges of automatic addresses, at most one a subnet.
    pub ip_ranges: Vec<IpNet>,
    /// See [`Network::internal`].
    pub internal: bool,
    /// See [`Network::isolated`].
    pub isolated: bool,
    /// See [`Network::mtu`]; without it, that of its uplinks.
    pub mtu: Option<u32>,
    /// The least MTU of its uplinks, as far as that is possible for the network.
    pub uplinks_mtu: Option<u32>,
    /// See [`Network::default_vlan`].
    pub vlan: Option<u16>,
    /// Options as they were given.
    pub options: BTreeMap<String, String>,
}

impl Network {
    /// The domain's switches.
    #[must_use]
    pub fn flags(&self) -> DomainFlags {
        DomainFlags::NONE
            .with(DomainFlags::SUPPRESS, self.suppress)
            .with(DomainFlags::DROP_UNKNOWN, self.drop_unknown)
            .with(DomainFlags::SNOOPING, self.snooping)
    }
}

impl Model {
    /// Adds a network, yet without its uplinks and its gateway. `occupied` is what the host itself uses.
    ///
    /// # Errors
    /// The name is taken; a value is impossible; a subnet collides with another; there is no room.
    pub fn add_network(
        &mut self,
        name: &NetworkName,
        spec: NetworkSpec,
        occupied: &[Occupied],
        created: Timestamp,
    ) -> Result<&mut Network, ModelError> {
        if self.networks.contains_key(name) {
            return Err(ModelError::NetworkExists { name: name.to_string() });
        }
        if self.endpoints.contains_key(name.as_str()) {
            let owner = format!("endpoint {name}");
            return Err(ModelError::PortNameTaken { name: name.to_string(), owner });
        }
        let options = Options::read(&spec.options)?;
        let subnets = self.subnets(&spec, &options, occupied)?;
        let network = Network {
            domain: self.free_domain()?,
            mtu: mtu(spec.mtu, spec.uplinks_mtu, &subnets)?,
            subnets,
            internal: spec.internal,
            isolated: spec.isolated,
            ageing_secs: options.ageing_secs,
            default_vlan: vlan(spec.vlan)?,
            is_sorted_for_ports: false,
            suppress: options.suppress,
            loop_guard: options.loop_guard,
            drop_unknown: options.drop_unknown,
            snooping: options.snooping,
            querier: options.querier,
            query_interval_secs: options.query_interval_secs,
            wants_gateway: options.gateway && options.uplinks.is_empty(),
            uplinks: Vec::new(),
            gateway: None,
            static_entries: Vec::new(),
            options: spec.options,
            created,
        };
        Ok(self.networks.entry(name.clone()).or_insert(network))
    }

    /// Adds an uplink to a network.
    ///
    /// # Errors
    /// No such network; the interface is a port already; an endpoint has its name.
    pub fn add_uplink(&mut self, name: &NetworkName, uplink: Uplink) -> Result<(), ModelError> {
        if let Some((owner, ..)) = self.uplinks().find(|(.., other)| other.ifname == uplink.ifname) {
            return Err(ModelError::UplinkTaken {
                ifname: uplink.ifname.to_string(),
                network: owner.to_string(),
            });
        }
        if self.endpoints.contains_key(uplink.ifname.as_str()) {
            return Err(ModelError::PortNameTaken {
                name: uplink.ifname.to_string(),
                owner: format!("endpoint {}", uplink.ifname),
            });
        }
        let no_network = || ModelError::NoNetwork { name: name.to_string() };
        self.networks.get_mut(name).ok_or_else(no_network)?.uplinks.push(uplink);
        Ok(())
    }

    /// Replaces the uplink in the same slot.
    pub fn put_uplink(&mut self, name: &NetworkName, changed: Uplink) {
        let uplinks = self.networks.get_mut(name).into_iter().flat_map(|network| &mut network.uplinks);
        for place in uplinks.filter(|uplink| uplink.slot == changed.slot) {
            *place = changed.clone();
        }
    }

    /// Removes a network that has no endpoints.
    ///
    /// # Errors
    /// No such network; endpoints are on it.
    pub fn remove_network(&mut self, name: &NetworkName) -> Result<Network, ModelError> {
        let endpoints: Vec<String> =
            self.attachments_of(name).map(|(endpoint, _)| endpoint.to_string()).collect();
        if !endpoints.is_empty() {
            return Err(ModelError::NetworkInUse { name: name.to_string(), endpoints });
        }
        self.networks.remove(name).ok_or_else(|| ModelError::NoNetwork { name: name.to_string() })
    }

    fn subnets(
        &self,
        spec: &NetworkSpec,
        options: &Options,
        occupied: &[Occupied],
    ) -> Result<Vec<Subnet>, ModelError> {
        if spec.subnets.is_empty() {
            let net = self.choose_subnet(occupied).ok_or(ModelError::NoFreeSubnet)?;
            return built(&[net], spec);
        }
        let subnets = built(&spec.subnets, spec)?;
        // The addresses on an uplink's wire may be those of the network: it is the same wire then.
        let elsewhere: Vec<Occupied> =
            occupied.iter().filter(|other| !is_on_uplink(other, options)).cloned().collect();
        for (position, net) in spec.subnets.iter().enumerate() {
            let twice = spec.subnets[..position].iter().find(|other| overlaps(**other, *net));
            let other = twice.map(|other| format!("{other} of the same network"));
            if let Some(other) = other.or_else(|| self.overlapping(*net, &elsewhere)) {
                return Err(ModelError::Overlap { net: *net, other, free: self.free_like(*net, occupied) });
            }
        }
        Ok(subnets)
    }
}

fn is_on_uplink(occupied: &Occupied, options: &Options) -> bool {
    let on = |interface: &String| options.uplinks.iter().any(|uplink| uplink.as_str() == interface.as_str());
    occupied.interface.as_ref().is_some_and(on)
}

/// Gives each net its gateway and range; none may be left over.
fn built(nets: &[IpNet], spec: &NetworkSpec) -> Result<Vec<Subnet>, ModelError> {
    let mut gateways = spec.gateways.clone();
    let mut ranges = spec.ip_ranges.clone();
    let mut subnets = Vec::new();
    for net in nets {
        let gateway = gateways.iter().position(|ip| net.contains(ip)).map(|at| gateways.remove(at));
        let range = ranges.iter().position(|range| net.contains(range)).map(|at| ranges.remove(at));
        subnets.push(Subnet::new(*net, gateway, range)?);
    }
    let anywhere = nets.first().copied();
    match (gateways.first(), ranges.first(), anywhere) {
        (Some(gateway), _, Some(net)) => Err(SubnetError::Gateway { gateway: *gateway, net }.into()),
        (None, Some(range), Some(net)) => Err(SubnetError::Range { range: *range, net }.into()),
        _ => Ok(subnets),
    }
}

fn vlan(wanted: Option<u16>) -> Result<Option<u16>, ModelError> {
    match wanted {
        Some(vlan) if !VLANS.contains(&vlan) => Err(ModelError::Vlan { vlan }),
        wanted => Ok(wanted),
    }
}

/// Uplinks that take less than the network's family needs, or more than an endpoint's interface does, are no reason to refuse.
fn mtu(wanted: Option<u32>, of_uplinks: Option<u32>, subnets: &[Subnet]) -> Result<u32, ModelError> {
    let is_v6 = subnets.iter().any(|subnet| matches!(subnet.net, IpNet::V6(_)));
    let least = if is_v6 { MIN_MTU_V6 } else { MIN_MTU };
    let unsaid = of_uplinks.map_or(DEFAULT_MTU, |mtu| mtu.clamp(least, MAX_MTU));
    let mtu = wanted.unwrap_or(unsaid);
    if (least..=MAX_MTU).contains(&mtu) {
        Ok(mtu)
    } else {
        Err(ModelError::Mtu { mtu, least, most: MAX_MTU })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn spec(subnets: &[&str]) -> NetworkSpec {
        let subnets = subnets.iter().map(|text| text.parse().expect("net")).collect();
        NetworkSpec { subnets, ..NetworkSpec::default() }
    }

    fn add(
        model: &mut Model,
        name: &str,
        spec: NetworkSpec,
        occupied: &[Occupied],
    ) -> Result<Network, ModelError> {
        let name = NetworkName::new(name).expect("name");
        model.add_network(&name, spec, occupied, Timestamp::new(SystemTime::UNIX_EPOCH)).cloned()
    }

    fn route(net: &str, interface: &str) -> Occupied {
        Occupied {
            net: net.parse().expect("net"),
            by: format!("the host's route to {net}"),
            interface: Some(interface.to_owned()),
        }
    }

    #[test]
    fn networks_without_a_subnet_get_different_ones() {
        let mut model = Model::default();
        let first = add(&mut model, "red", spec(&[]), &[]).expect("red");
        let second = add(&mut model, "blue", spec(&[]), &[]).expect("blue");
        assert_ne!(first.subnets[0].net, second.subnets[0].net);
        assert_ne!(first.domain, second.domain);
    }

    #[test]
    fn an_overlap_names_the_other_network_and_a_free_subnet() {
        let mut model = Model::default();
        add(&mut model, "red", spec(&["10.88.0.0/16"]), &[]).expect("red");
        let error = add(&mut model, "blue", spec(&["10.88.7.0/24"]), &[]).expect_err("overlap");
        let ModelError::Overlap { other, free, .. } = error else { panic!("{error:?}") };
        assert_eq!(other, "10.88.0.0/16 of network red");
        assert_eq!(free, Some("10.89.0.0/24".parse().expect("net")));
    }

    #[test]
    fn an_overlap_with_the_host_is_refused_unless_the_host_is_on_the_uplink() {
        let occupied = [route("192.168.1.0/24", "eth1")];
        let mut model = Model::default();
        assert!(add(&mut model, "red", spec(&["192.168.1.0/24"]), &occupied).is_err());
        let mut on_wire = spec(&["192.168.1.0/24"]);
        on_wire.options.insert("uplink".into(), "eth1".into());
        assert!(add(&mut model, "red", on_wire, &occupied).is_ok());
    }

    #[test]
    fn gateways_and_ranges_go_to_their_subnets() {
        let mut wanted = spec(&["10.1.0.0/24", "fd00::/64"]);
        wanted.gateways = vec!["fd00::ff".parse().expect("ip"), "10.1.0.254".parse().expect("ip")];
        wanted.ip_ranges = vec!["10.1.0.64/26".parse().expect("net")];
        let network = add(&mut Model::default(), "red", wanted.clone(), &[]).expect("red");
        assert_eq!(network.subnets[0].gateway, wanted.gateways[1]);
        assert_eq!(network.subnets[0].range, wanted.ip_ranges[0]);
        assert_eq!(network.subnets[1].gateway, wanted.gateways[0]);
        wanted.gateways.push("10.1.0.253".parse().expect("ip"));
        assert!(add(&mut Model::default(), "red", wanted, &[]).is_err(), "two gateways in one subnet");
    }

    #[test]
    fn mtu_has_the_bounds_of_its_families() {
        for (subnet, mtu, legal) in [
            ("10.1.0.0/24", 68, true),
            ("10.1.0.0/24", 67, false),
            ("10.1.0.0/24", 65_535, true),
            ("10.1.0.0/24", 65_536, false),
            ("fd00::/64", 1280, true),
            ("fd00::/64", 1279, false),
        ] {
            let wanted = NetworkSpec { mtu: Some(mtu), ..spec(&[subnet]) };
            assert_eq!(add(&mut Model::default(), "red", wanted, &[]).is_ok(), legal, "{subnet} {mtu}");
        }
    }

    #[test]
    fn a_network_that_is_told_no_mtu_takes_that_of_its_uplinks() {
        for (subnet, told, of_uplinks, mtu) in [
            ("10.1.0.0/24", None, Some(9000), 9000),
            ("10.1.0.0/24", Some(1400), Some(9000), 1400),
            ("10.1.0.0/24", None, None, 1500),
            ("fd00::/64", None, Some(600), 1280),
            ("10.1.0.0/24", None, Some(u32::MAX), 65_535),
        ] {
            let wanted = NetworkSpec { mtu: told, uplinks_mtu: of_uplinks, ..spec(&[subnet]) };
            let network = add(&mut Model::default(), "red", wanted, &[]).expect("red");
            assert_eq!(network.mtu, mtu, "{subnet} {told:?} {of_uplinks:?}");
        }
    }

    #[test]
    fn a_network_of_that_name_is_in_the_way() {
        let mut model = Model::default();
        add(&mut model, "red", spec(&[]), &[]).expect("red");
        assert!(matches!(add(&mut model, "red", spec(&[]), &[]), Err(ModelError::NetworkExists { .. })));
    }
}
