//! The frames that ask: who has an address?

use switch_common::{
    abi::addr::MacAddr,
    wire::{arp, eth, icmp, neighbour as wire},
};

use crate::{
    frame::{self, internet_checksum},
    probe::ORIGINAL_BYTES,
    topology::Container,
};

/// An ARP message's beginning: Ethernet, IPv4 and the lengths of their addresses.
const ARP_HEAD: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Length of a solicitation with the asker's MAC: the same as that of an advertisement with the target's.
const SOLICITATION_LEN: u8 = wire::ADVERTISEMENT_LEN;

/// An ARP request for a container's address.
#[must_use]
pub(super) fn arp_request(asker: &Container, target: &Container) -> Vec<u8> {
    padded(&[
        &frame::BROADCAST.bytes()[..],
        &asker.mac().bytes(),
        &eth::TYPE_ARP.to_be_bytes(),
        &ARP_HEAD,
        &arp::REQUEST.to_be_bytes(),
        &asker.mac().bytes(),
        &asker.ip(),
        &[0; 6],
        &target.ip(),
    ])
}

/// A neighbour solicitation for a container's address (RFC 4861, 4.3), to the group that the address is in.
#[must_use]
pub(super) fn solicitation(asker: &Container, target: &Container) -> Vec<u8> {
    let group = solicited_node(target.ipv6());
    let [.., a, b, c, d] = group;
    let group_mac = MacAddr::new([0x33, 0x33, a, b, c, d]);
    let addresses = [asker.ipv6(), group].concat();
    let mut message = [
        &[icmp::NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0][..],
        &target.ipv6(),
        &[wire::SOURCE_LINK_LAYER, 1],
        &asker.mac().bytes(),
    ]
    .concat();
    let pseudo_header = [&addresses[..], &[0, 0, 0, SOLICITATION_LEN, 0, 0, 0, icmp::PROTO_V6]].concat();
    let checksum = internet_checksum(&[&pseudo_header[..], &message].concat());
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let ipv6_head = [0x60, 0, 0, 0, 0, SOLICITATION_LEN, icmp::PROTO_V6, wire::HOP_LIMIT];
    padded(&[
        &group_mac.bytes()[..],
        &asker.mac().bytes(),
        &eth::TYPE_IPV6.to_be_bytes(),
        &ipv6_head,
        &addresses,
        &message,
    ])
}

/// The parts of a frame, with padding behind them.
fn padded(parts: &[&[u8]]) -> Vec<u8> {
    let mut frame = parts.concat();
    frame.resize(ORIGINAL_BYTES, 0);
    frame
}

/// The group that the stations with an address's last three bytes listen to (RFC 4291, 2.7.1).
fn solicited_node(ip: [u8; 16]) -> [u8; 16] {
    let [.., a, b, c] = ip;
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]
}
