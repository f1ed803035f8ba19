//! Networks.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Asks for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkCreate {
    /// Its name, which is a legal interface name.
    pub name: String,
    /// Its subnets; without any, a free IPv4 one is chosen.
    pub subnets: Vec<IpNet>,
    /// The gateway's address, at most one a subnet; by default the subnet's first.
    pub gateways: Vec<IpAddr>,
    /// Where automatic addresses come from, at most one a subnet; by default the whole of it.
    pub ip_ranges: Vec<IpNet>,
    /// No default route in the endpoints.
    pub internal: bool,
    /// Every port of the network is isolated.
    pub isolated: bool,
    /// Largest L3 packet in bytes; 1500 by default.
    pub mtu: Option<u32>,
    /// The access VLAN of its ports that say nothing else.
    pub vlan: Option<u16>,
    /// Options: `uplink`, `ageing`…
    pub options: BTreeMap<String, String>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Number of its bridge domain in the datapath.
    pub domain: u16,
    /// Its subnets.
    pub subnets: Vec<IpNet>,
    /// The gateway's address in each subnet.
    pub gateways: Vec<IpAddr>,
    /// Where automatic addresses come from.
    pub ip_ranges: Vec<IpNet>,
    /// No default route in the endpoints.
    pub internal: bool,
    /// Every port of the network is isolated.
    pub isolated: bool,
    /// Largest L3 packet in bytes.
    pub mtu: u32,
    /// The access VLAN of its ports that say nothing else.
    pub vlan: Option<u16>,
    /// Lifetime of a learned FDB entry in seconds; 0 means that it does not age.
    pub ageing_secs: u32,
    /// Multicast goes where membership messages say.
    pub snooping: bool,
    /// The switch asks for members of groups while nobody else does.
    pub querier: bool,
    /// Seconds between two such questions.
    pub query_interval_secs: u32,
    /// Interfaces of the host that are ports of the network.
    pub uplinks: Vec<String>,
    /// The host's own port on the network, and its interface; `None` where the network has uplinks.
    pub gateway_port: Option<String>,
    /// The address of that interface.
    pub gateway_mac: Option<String>,
    /// Options as they were given.
    pub options: BTreeMap<String, String>,
    /// Names of the endpoints on it.
    pub endpoints: Vec<String>,
    /// When it was made.
    pub created: String,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Names.
    pub names: Vec<String>,
}
