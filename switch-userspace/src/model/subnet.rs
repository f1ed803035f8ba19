//! A subnet of a network: which addresses it has for whom.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpAddrRange, IpNet, Ipv4AddrRange, Ipv6AddrRange};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A subnet with its gateway and the range that automatic addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// The subnet.
    pub net: IpNet,
    /// The gateway's address in it.
    pub gateway: IpAddr,
    /// Where automatic addresses come from: a part of it or all of it.
    pub range: IpNet,
}

/// Not a subnet that a network can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubnetError {
    /// Bits behind the prefix are set.
    #[error("{net} has bits set behind its prefix; the subnet of this address is {}", net.trunc())]
    HostBits {
        /// As given.
        net: IpNet,
    },
    /// The addresses are for something else.
    #[error("{net} lies in {reserved}, which is {meaning}")]
    Reserved {
        /// As given.
        net: IpNet,
        /// The reserved block.
        reserved: IpNet,
        /// What it is for.
        meaning: &'static str,
    },
    /// It has no room for a gateway and an endpoint.
    #[error("{net} has no room for a gateway and an endpoint")]
    TooSmall {
        /// As given.
        net: IpNet,
    },
    /// The gateway is not an address that an interface in the subnet can have.
    #[error(
        "gateway {gateway} is not an address for an interface in {net}, or one gateway too many: a subnet has one"
    )]
    Gateway {
        /// As given.
        gateway: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// The range is not a part of the subnet.
    #[error("range {range} is not a part of {net}")]
    Range {
        /// As given.
        range: IpNet,
        /// The subnet.
        net: IpNet,
    },
}

impl Subnet {
    /// Checks a subnet. The gateway is by default its first address, the range all of it.
    ///
    /// # Errors
    /// What is wrong with which part.
    pub fn new(net: IpNet, gateway: Option<IpAddr>, range: Option<IpNet>) -> Result<Self, SubnetError> {
        if net != net.trunc() {
            return Err(SubnetError::HostBits { net });
        }
        if let Some((reserved, meaning)) = reserved_block(net) {
            return Err(SubnetError::Reserved { net, reserved, meaning });
        }
        if net.prefix_len() == net.max_prefix_len() {
            return Err(SubnetError::TooSmall { net });
        }
        let first = addresses(net).find(|ip| is_interface_address(net, *ip));
        let gateway = gateway.or(first).ok_or(SubnetError::TooSmall { net })?;
        if !is_interface_address(net, gateway) {
            return Err(SubnetError::Gateway { gateway, net });
        }
        let range = range.unwrap_or(net);
        if !net.contains(&range) {
            return Err(SubnetError::Range { range, net });
        }
        Ok(Self { net, gateway, range })
    }

    /// Whether an endpoint can have `ip`: it is in the subnet, and neither the gateway nor reserved.
    #[must_use]
    pub fn is_endpoint_address(&self, ip: IpAddr) -> bool {
        ip != self.gateway && is_interface_address(self.net, ip)
    }

    /// The lowest address of the range that an endpoint can have and that is not in `used`.
    #[must_use]
    pub fn lowest_free(&self, used: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        addresses(self.range).find(|ip| self.is_endpoint_address(*ip) && !used.contains(ip))
    }

    /// `ip` with the subnet's prefix.
    #[must_use]
    pub fn with_prefix(&self, ip: IpAddr) -> IpNet {
        IpNet::new(ip, self.net.prefix_len()).unwrap_or_else(|_| ip.into())
    }
}

/// Whether an interface in `net` can have `ip`: not the subnet's own address (RFC 4291, 2.6.1 for IPv6) nor, in IPv4, its
/// broadcast address; a subnet of two addresses has neither (RFC 3021, RFC 6164).
fn is_interface_address(net: IpNet, ip: IpAddr) -> bool {
    let is_pair = net.prefix_len() + 1 == net.max_prefix_len();
    let is_broadcast = ip.is_ipv4() && ip == net.broadcast();
    net.contains(&ip) && (is_pair || (ip != net.network() && !is_broadcast))
}

/// All addresses of `net`, lowest first.
fn addresses(net: IpNet) -> IpAddrRange {
    match net {
        IpNet::V4(net) => IpAddrRange::V4(Ipv4AddrRange::new(net.network(), net.broadcast())),
        IpNet::V6(net) => IpAddrRange::V6(Ipv6AddrRange::new(net.network(), net.broadcast())),
    }
}

/// The block that overlaps `net` and whose addresses no container may have.
fn reserved_block(net: IpNet) -> Option<(IpNet, &'static str)> {
    let v4 = |a, prefix| IpNet::new_assert(Ipv4Addr::new(a, 0, 0, 0).into(), prefix);
    let v6 = |a, prefix| IpNet::new_assert(Ipv6Addr::new(a, 0, 0, 0, 0, 0, 0, 0).into(), prefix);
    let blocks = [
        (v4(0, 8), "\"this network\" (RFC 791)"),
        (v4(127, 8), "loopback (RFC 1122)"),
        (IpNet::new_assert(Ipv4Addr::new(169, 254, 0, 0).into(), 16), "link-local (RFC 3927)"),
        (v4(224, 4), "multicast (RFC 5771)"),
        (v4(240, 4), "reserved (RFC 1112)"),
        (v6(0, 8), "loopback and embedded IPv4 (RFC 4291)"),
        (v6(0xfe80, 10), "link-local (RFC 4291)"),
        (v6(0xff00, 8), "multicast (RFC 4291)"),
    ];
    blocks.into_iter().find(|(block, _)| overlaps(*block, net))
}

/// Whether two nets share an address.
pub(super) fn overlaps(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect(text)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn subnet(text: &str) -> Subnet {
        Subnet::new(net(text), None, None).expect(text)
    }

    #[test]
    fn the_gateway_is_the_first_address_by_default() {
        assert_eq!(subnet("10.1.0.0/24").gateway, ip("10.1.0.1"));
        assert_eq!(subnet("10.1.0.0/31").gateway, ip("10.1.0.0"));
        assert_eq!(subnet("fd00::/64").gateway, ip("fd00::1"));
    }

    #[test]
    fn network_broadcast_and_gateway_are_nobodys() {
        let subnet = subnet("10.1.0.0/30");
        let usable: Vec<_> = addresses(subnet.net).filter(|ip| subnet.is_endpoint_address(*ip)).collect();
        assert_eq!(usable, [ip("10.1.0.2")]);
    }

    #[test]
    fn the_lowest_free_address_of_the_range_is_taken() {
        let subnet = Subnet::new(net("10.1.0.0/24"), None, Some(net("10.1.0.128/30"))).expect("subnet");
        let used = [ip("10.1.0.128"), ip("10.1.0.129")].into();
        assert_eq!(subnet.lowest_free(&used), Some(ip("10.1.0.130")));
        assert_eq!(subnet.lowest_free(&addresses(subnet.range).collect()), None);
    }

    #[test]
    fn impossible_subnets_are_refused() {
        for text in
            ["10.1.0.1/24", "10.1.0.0/32", "fd00::/128", "127.0.0.0/24", "0.0.0.0/0", "::/0", "fe80::/64"]
        {
            assert!(Subnet::new(net(text), None, None).is_err(), "{text}");
        }
        let inside = net("10.1.0.0/24");
        for gateway in ["10.1.1.1", "10.1.0.0", "10.1.0.255", "fd00::1"] {
            assert!(Subnet::new(inside, Some(ip(gateway)), None).is_err(), "{gateway}");
        }
        assert!(Subnet::new(inside, None, Some(net("10.1.0.0/23"))).is_err());
    }
}
