//! Frames that need no closer look: most of what containers send.

use super::{DHCP_V4, DHCP_V6};
use crate::{
    abi::port::PortConfig,
    stage::headers::{Headers, Network, first4},
    wire::{ipv4, ipv6, tcp, udp},
};

/// Whether a frame is a TCP segment or a datagram other than DHCP's, from the port's own MAC and first address, without options. All
/// that [`super::check_identity`] refuses is something else.
#[inline(always)]
pub(super) fn is_plain(headers: &Headers, port: &PortConfig) -> bool {
    if headers.is_ambiguous || headers.src != port.mac() {
        return false;
    }
    let (is_own, dhcp) = match headers.network {
        Network::Ipv4 => {
            let ip = first4(headers.src_ip);
            let has_options = headers.l4_offset != headers.l3_offset + ipv4::MIN_LEN;
            (ip == port.ipv4() && ip != ipv4::UNSPECIFIED && !has_options, DHCP_V4)
        }
        Network::Ipv6 => (headers.src_ip == port.ipv6() && headers.src_ip != ipv6::UNSPECIFIED, DHCP_V6),
        Network::Arp | Network::Other => return false,
    };
    let is_harmless = match headers.protocol {
        tcp::PROTO => true,
        udp::PROTO => !dhcp.are_of_server(headers),
        _ => false,
    };
    is_own && is_harmless
}
