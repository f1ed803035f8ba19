//! Routes: to a subnet on a link or through a gateway, in any table.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::{
    addr::family,
    client::Netlink,
    error::{ErrorKind, NetnsError},
    names::IfIndex,
};

/// The table that routes are in unless something else is said.
pub const TABLE_MAIN: u32 = 254;

/// A unicast route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads: 0.0.0.0/0 or ::/0 is the default route.
    pub destination: IpNet,
    /// The next hop; nothing where the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The interface it leads out of; the kernel finds it from the gateway where it is not said.
    pub device: Option<IfIndex>,
    /// The source address that the kernel prefers on this route.
    pub source: Option<IpAddr>,
    /// Its priority, lower first; nothing leaves it to the kernel (0 for IPv4, 1024 for IPv6).
    pub metric: Option<u32>,
    /// The table it is in.
    pub table: u32,
}

impl Route {
    /// A route of the main table to `destination`, which says nothing else yet.
    #[must_use]
    pub fn to(destination: IpNet) -> Self {
        Self { destination, gateway: None, device: None, source: None, metric: None, table: TABLE_MAIN }
    }

    /// A default route of the main table through `gateway`.
    #[must_use]
    pub fn default_via(gateway: IpAddr) -> Self {
        Self { gateway: Some(gateway), ..Self::to(everything(gateway.is_ipv4())) }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route to {}", self.destination)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(device) = self.device {
            write!(f, " out of interface {device}")?;
        }
        if self.table != TABLE_MAIN {
            write!(f, " in table {}", self.table)?;
        }
        Ok(())
    }
}

impl Netlink {
    /// Adds `route`.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] where there is one with the same destination, metric and table; the gateway is not on any link.
    pub fn add_route(&self, route: &Route) -> Result<(), NetnsError> {
        let mut message = route_message(route);
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        self.request("add", route, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Deletes the route that has all that `route` says.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none.
    pub fn delete_route(&self, route: &Route) -> Result<(), NetnsError> {
        let mut message = route_message(route);
        if route.gateway.is_none() {
            message.header.scope = RouteScope::NoWhere;
        }
        self.request("delete", route, RouteNetlinkMessage::DelRoute(message), 0)
    }

    /// The unicast routes of both families in the table `table`. One with several next hops is listed without any.
    ///
    /// # Errors
    /// When the kernel's answer cannot be had or read.
    pub fn routes(&self, table: u32) -> Result<Vec<Route>, NetnsError> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            message.attributes.push(RouteAttribute::Table(table));
            match self.dump(
                "list",
                &format_args!("routes of table {table}"),
                &RouteNetlinkMessage::GetRoute(message),
            ) {
                Ok(answer) => routes.extend(answer.iter().filter_map(unicast)),
                // The kernel makes a table with its first route.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(routes)
    }

    /// The way that the kernel would send a packet to `destination`: next hop, interface and source address.
    ///
    /// # Errors
    /// No route leads there, or one that refuses.
    pub fn lookup_route(&self, destination: IpAddr) -> Result<Route, NetnsError> {
        let object = format!("route to {destination}");
        let mut message = RouteMessage::default();
        message.header.address_family = family(destination);
        message.header.destination_prefix_length = IpNet::from(destination).prefix_len();
        message.attributes.push(RouteAttribute::Destination(destination.into()));
        let answer = self.get("look up", &object, RouteNetlinkMessage::GetRoute(message))?;
        route_of(&answer).ok_or_else(|| NetnsError::unexpected("look up", object))
    }
}

fn route_message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.destination.addr());
    message.header.destination_prefix_length = route.destination.prefix_len();
    if route.gateway.is_none() {
        message.header.scope = RouteScope::Link;
    }
    // The header has eight bits for the table; a larger number goes into the attribute alone.
    match u8::try_from(route.table) {
        Ok(table) => message.header.table = table,
        Err(_) => message.attributes.push(RouteAttribute::Table(route.table)),
    }
    if route.destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route.destination.network().into()));
    }
    message.attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    message.attributes.extend(route.device.map(|device| RouteAttribute::Oif(device.into())));
    message.attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    message.attributes.extend(route.metric.map(RouteAttribute::Priority));
    message
}

fn unicast(message: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(inner) = message else { return None };
    if inner.header.kind == RouteType::Unicast { route_of(message) } else { None }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a route has many attributes; these make a Route")]
fn route_of(message: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(RouteMessage { header, attributes, .. }) = message else { return None };
    let mut route = Route::to(everything(header.address_family == AddressFamily::Inet));
    route.table = header.table.into();
    for attribute in attributes {
        match attribute {
            RouteAttribute::Destination(ip) => {
                route.destination = IpNet::new(ip_of(ip)?, header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Gateway(ip) => route.gateway = ip_of(ip),
            RouteAttribute::Oif(index) => route.device = Some((*index).into()),
            RouteAttribute::PrefSource(ip) => route.source = ip_of(ip),
            RouteAttribute::Priority(metric) => route.metric = Some(*metric),
            RouteAttribute::Table(table) => route.table = *table,
            _ => {}
        }
    }
    Some(route)
}

fn everything(ipv4: bool) -> IpNet {
    if ipv4 { IpNet::V4(ipnet::Ipv4Net::default()) } else { IpNet::V6(ipnet::Ipv6Net::default()) }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "MPLS labels and unknown families are no IP address")]
fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
