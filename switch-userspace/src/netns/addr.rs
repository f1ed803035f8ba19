//! Addresses of interfaces, IPv4 and IPv6.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags as KernelFlags, AddressMessage, AddressScope},
};

use super::{client::Netlink, error::NetnsError, names::IfIndex};

/// An address as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface that has it.
    pub index: IfIndex,
    /// The address with the prefix of its subnet, such as 10.0.0.2/24.
    pub net: IpNet,
    /// Whether it means something outside the link: neither link-local nor host-local.
    pub global: bool,
    /// Duplicate address detection is not over yet: it cannot be used.
    pub tentative: bool,
    /// Duplicate address detection found another holder.
    pub dad_failed: bool,
    /// Not to be used for new connections.
    pub deprecated: bool,
}

/// How an address is to be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFlags {
    /// Usable at once, without duplicate address detection (IPv6; IPv4 has none).
    pub nodad: bool,
    /// Without the route to its subnet.
    pub no_prefix_route: bool,
}

impl Netlink {
    /// Gives the interface `index` the address `net`.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`](super::ErrorKind::Exists) where it has it; [`NetnsError::Ipv6Off`]; no such interface.
    pub fn add_address(&self, index: IfIndex, net: IpNet, flags: AddressFlags) -> Result<(), NetnsError> {
        let mut kernel_flags = KernelFlags::empty();
        kernel_flags.set(KernelFlags::Nodad, flags.nodad);
        kernel_flags.set(KernelFlags::Noprefixroute, flags.no_prefix_route);
        let mut message = address_message(index, net);
        message.attributes.push(AddressAttribute::Flags(kernel_flags));
        let object = format!("address {net} to interface {index}");
        let message = RouteNetlinkMessage::NewAddress(message);
        match self.request("add", &object, message, NLM_F_CREATE | NLM_F_EXCL) {
            // A missing privilege is EPERM.
            Err(NetnsError::System { source, .. }) if source.errno() == libc::EACCES => {
                Err(NetnsError::Ipv6Off { object })
            }
            added => added,
        }
    }

    /// Takes the address `net` from the interface `index`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) where it does not have it.
    pub fn delete_address(&self, index: IfIndex, net: IpNet) -> Result<(), NetnsError> {
        let message = RouteNetlinkMessage::DelAddress(address_message(index, net));
        self.request("delete", &format_args!("address {net} from interface {index}"), message, 0)
    }

    /// The addresses of one interface, or of all of the namespace.
    ///
    /// # Errors
    /// No such interface.
    pub fn addresses(&self, index: Option<IfIndex>) -> Result<Vec<Address>, NetnsError> {
        let mut message = AddressMessage::default();
        message.header.index = index.map_or(0, u32::from);
        let answer = self.dump("list", &"addresses", &RouteNetlinkMessage::GetAddress(message))?;
        Ok(answer.iter().filter_map(address).collect())
    }
}

pub(super) fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn address_message(index: IfIndex, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(net.addr());
    message.header.prefix_len = net.prefix_len();
    message.header.index = index.into();
    if net.addr().is_loopback() {
        message.header.scope = AddressScope::Host;
    }
    message.attributes = vec![AddressAttribute::Local(net.addr()), AddressAttribute::Address(net.addr())];
    message
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an address has many attributes; these make an Address")]
fn address(message: &RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let mut flags = KernelFlags::from_bits_retain(message.header.flags.bits().into());
    let (mut local, mut remote) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => remote = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // On a point-to-point interface the address attribute is the other side's.
    let ip = local.or(remote)?;
    Some(Address {
        index: message.header.index.into(),
        net: IpNet::new(ip, message.header.prefix_len).ok()?,
        global: matches!(message.header.scope, AddressScope::Universe | AddressScope::Site),
        tentative: flags.contains(KernelFlags::Tentative),
        dad_failed: flags.contains(KernelFlags::Dadfailed),
        deprecated: flags.contains(KernelFlags::Deprecated),
    })
}
