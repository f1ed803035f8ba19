//! Which ports a multicast frame is for, as far as membership messages told (RFC 4541).
//!
//! Enforces: groups of link-local scope and all that is no IP multicast go to every port; a registered group goes to its members and
//! to router ports, any other to router ports; reports go to router ports only, so that no host keeps silent because of
//! another's. While nobody asks for members, who does not answer may be one: then everything goes to every port.

use crate::{
    abi::{
        domain::DomainFlags,
        group::{GroupKey, ListId},
        port::PortConfig,
    },
    stage::{
        env::{Frame, Tables},
        headers::{Fragment, Headers, Network, first4},
        vlan::Membership,
    },
    wire::{icmp, igmp},
};

/// The last scope that no router forwards (RFC 4291, 2.7): link-local.
const LINK_LOCAL_SCOPE: u8 = 2;

/// Where a multicast frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The list of ports; [`ListId::NONE`] for every port of the domain.
    pub list: ListId,
    /// Whether the control plane gets a copy.
    pub is_snooped: bool,
    /// Whether that copy is longer than this datapath can make it.
    pub is_long: bool,
}

impl Aim {
    /// To every port.
    pub const ALL: Self = Self { list: ListId::NONE, is_snooped: false, is_long: false };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Query,
    Report,
}

/// Says which ports a frame to a group MAC is for.
#[inline(always)]
pub fn aim<F: Frame, T: Tables>(headers: &Headers, member: Membership, port: &PortConfig, tables: &T) -> Aim {
    let Some(group) = group(headers, member, port) else { return Aim::ALL };
    let flags = tables.domain(port.domain()).map_or(DomainFlags::NONE, |domain| domain.flags());
    if !flags.has(DomainFlags::SNOOPING) {
        return Aim::ALL;
    }
    let message = message(headers);
    let is_long = message.is_some() && headers.l3_end - headers.l3_offset > F::DEPTH.snooped_bytes;
    let aim = Aim { list: ListId::NONE, is_snooped: message.is_some(), is_long };
    if message == Some(Message::Query) || message.is_none() && is_link_local(headers) {
        return aim;
    }
    let routers = tables.group(group.unregistered());
    if routers == ListId::NONE || message == Some(Message::Report) {
        return Aim { list: routers, ..aim };
    }
    match tables.group(group) {
        ListId::NONE => Aim { list: routers, ..aim },
        list => Aim { list, ..aim },
    }
}

#[inline(always)]
fn group(headers: &Headers, member: Membership, port: &PortConfig) -> Option<GroupKey> {
    let (domain, vlan, ip) = (port.domain(), member.vlan(), headers.dst_ip);
    match headers.network {
        Network::Ipv4 if ip[0] & 0xf0 == 0xe0 => Some(GroupKey::ipv4(domain, vlan, first4(ip))),
        Network::Ipv6 if ip[0] == 0xff => Some(GroupKey::ipv6(domain, vlan, ip)),
        Network::Ipv4 | Network::Ipv6 | Network::Arp | Network::Other => None,
    }
}

#[inline(always)]
fn message(headers: &Headers) -> Option<Message> {
    if headers.fragment != Fragment::Whole {
        return None;
    }
    match (headers.network, headers.protocol, headers.icmp_type()) {
        (Network::Ipv4, igmp::PROTO, igmp::QUERY) | (Network::Ipv6, icmp::PROTO_V6, icmp::MLD_QUERY) => {
            Some(Message::Query)
        }
        (Network::Ipv4, igmp::PROTO, igmp::REPORT_V1 | igmp::REPORT_V2 | igmp::LEAVE | igmp::REPORT_V3)
        | (Network::Ipv6, icmp::PROTO_V6, icmp::MLD_REPORT | icmp::MLD_DONE | icmp::MLD_REPORT_V2) => {
            Some(Message::Report)
        }
        _ => None,
    }
}

/// 224.0.0.0/24, and groups of link-local scope or below.
#[inline(always)]
const fn is_link_local(headers: &Headers) -> bool {
    let ip = &headers.dst_ip;
    match headers.network {
        Network::Ipv4 => ip[1] | ip[2] == 0 && ip[0] == 224,
        Network::Ipv6 | Network::Arp | Network::Other => ip[1] & 0x0f <= LINK_LOCAL_SCOPE,
    }
}
