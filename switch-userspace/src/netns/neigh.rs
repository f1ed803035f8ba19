//! Neighbours: which MAC an IP address of a link has.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
};
use switch_common::abi::addr::MacAddr;

use super::{addr::family, client::Netlink, error::NetnsError, names::IfIndex};

/// A neighbour as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface it is behind.
    pub index: IfIndex,
    /// Its address.
    pub ip: IpAddr,
    /// Its MAC, once that is known.
    pub mac: Option<MacAddr>,
    /// How far its MAC can be relied on.
    pub state: NeighState,
}

/// How far a neighbour's MAC can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighState {
    /// Set by hand; never asked for.
    Permanent,
    /// Confirmed a short while ago.
    Reachable,
    /// Known, and to be confirmed at the next use.
    Unconfirmed,
    /// Asked for; nobody answered yet.
    Incomplete,
    /// Nobody answered.
    Failed,
    /// The link does not resolve neighbours.
    NoArp,
}

impl Netlink {
    /// Says for good that `ip` on the interface `index` has the MAC `mac`, whatever was known before.
    ///
    /// # Errors
    /// No such interface.
    pub fn set_neighbour(&self, index: IfIndex, ip: IpAddr, mac: MacAddr) -> Result<(), NetnsError> {
        let mut message = neighbour_message(index, ip);
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.bytes().to_vec()));
        self.request(
            "set",
            &format_args!("neighbour {ip} of interface {index}"),
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Forgets the neighbour `ip` of the interface `index`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) where it is not known.
    pub fn delete_neighbour(&self, index: IfIndex, ip: IpAddr) -> Result<(), NetnsError> {
        let message = RouteNetlinkMessage::DelNeighbour(neighbour_message(index, ip));
        self.request("delete", &format_args!("neighbour {ip} of interface {index}"), message, 0)
    }

    /// The unicast neighbours behind the interface `index`.
    ///
    /// # Errors
    /// No such interface.
    pub fn neighbours(&self, index: IfIndex) -> Result<Vec<Neighbour>, NetnsError> {
        let mut message = NeighbourMessage::default();
        message.attributes.push(NeighbourAttribute::IfIndex(index.into()));
        let request = RouteNetlinkMessage::GetNeighbour(message);
        let answer = self.dump("list", &format_args!("neighbours of interface {index}"), &request)?;
        Ok(answer.iter().filter_map(neighbour).filter(|neighbour| !neighbour.ip.is_multicast()).collect())
    }
}

fn neighbour_message(index: IfIndex, ip: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(ip);
    message.header.ifindex = index.into();
    message.attributes.push(NeighbourAttribute::Destination(ip.into()));
    message
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a neighbour has many attributes; these make a Neighbour")]
fn neighbour(message: &RouteNetlinkMessage) -> Option<Neighbour> {
    let RouteNetlinkMessage::NewNeighbour(message) = message else { return None };
    let (mut ip, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip = Some(IpAddr::from(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => ip = Some(IpAddr::from(*v6)),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.as_slice().try_into().ok().map(MacAddr::new)
            }
            _ => {}
        }
    }
    let state = match message.header.state {
        NeighbourState::Permanent => NeighState::Permanent,
        NeighbourState::Reachable => NeighState::Reachable,
        NeighbourState::Incomplete | NeighbourState::None => NeighState::Incomplete,
        NeighbourState::Failed => NeighState::Failed,
        NeighbourState::Noarp => NeighState::NoArp,
        _ => NeighState::Unconfirmed,
    };
    Some(Neighbour { index: message.header.ifindex.into(), ip: ip?, mac, state })
}
