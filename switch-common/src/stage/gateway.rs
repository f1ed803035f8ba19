//! Gateway ports: what the host may be given, and what it may send, whatever its own stack would forward.
//!
//! Enforces: a frame to the host's MAC gets there only where it is ARP, or an IP packet to an address of the host; so the host
//! forwards for nobody. What comes in is judged by `guard`, with the host's addresses as the port's own.

use crate::{
    abi::{
        addr::MacAddr,
        host::HostAddress,
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::Tables,
        headers::{Headers, Network, first4},
    },
    wire::ipv6,
};

/// Whether the host behind the gateway port `out` may have a frame that is addressed to it.
#[must_use]
#[inline(always)]
pub fn takes<T: Tables>(headers: &Headers, out: &PortConfig, tables: &T) -> bool {
    let address = match headers.network {
        Network::Arp => return true,
        Network::Other => return false,
        Network::Ipv4 => HostAddress::ipv4(first4(headers.dst_ip)),
        Network::Ipv6 => HostAddress::ipv6(headers.dst_ip),
    };
    let is_link_local = headers.network == Network::Ipv6 && headers.dst_ip == ipv6::link_local(out.mac());
    is_link_local || tables.is_host_address(address)
}

/// Whether the MAC `src` at `port` speaks for the host, which has `address`.
#[must_use]
#[inline(always)]
pub fn may_use<T: Tables>(src: MacAddr, address: HostAddress, port: &PortConfig, tables: &T) -> bool {
    port.flags().has(PortFlags::GATEWAY) && src == port.mac() && tables.is_host_address(address)
}
