//! The namespace that the ports of a userspace switch are in: nothing in it has an address, so the host's stack cannot
//! answer, forward or keep a frame that a worker reads.

use crate::netns::{ErrorKind, Family, Netlink, Netns, NetnsError, Sysctl};

/// What the namespace's stack must not do: settings and their values.
const QUIET: [(Family, &str, &str); 5] = [
    (Family::Ipv6, "conf/all/disable_ipv6", "1"),
    (Family::Ipv6, "conf/default/disable_ipv6", "1"),
    (Family::Ipv4, "ip_forward", "0"),
    // 8: no ARP reply for any local address.
    (Family::Ipv4, "conf/all/arp_ignore", "8"),
    (Family::Ipv4, "conf/default/arp_ignore", "8"),
];

/// What the namespace of an instance is called whose uplinks are in `host`. Names of namespaces belong to the machine, and
/// namespaces that play hosts may each have an instance of the same name.
pub(super) fn name(instance: &str, host: &Netns) -> String {
    format!("wye-{instance}-{}", host.id().ino)
}

/// Makes the namespace called `name`, or takes the one that an earlier run left, with the ports in it. That run may have
/// ended before the namespace was quiet, or before there was one behind the name.
///
/// # Errors
/// A missing privilege. A namespace that was made stays.
pub(super) fn ensure(name: &str) -> Result<Netns, NetnsError> {
    let netns = match Netns::open_name(name) {
        Err(NetnsError::NotANamespace { .. }) => {
            Netns::delete_named(name)?;
            Netns::create_named(name)?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Netns::create_named(name)?,
        opened => opened?,
    };
    netns.run(quieten)?;
    Ok(netns)
}

fn quieten() -> Result<(), NetnsError> {
    QUIET.into_iter().try_for_each(|(family, key, value)| Sysctl::family(family, key).set_if_there(value))
}

/// Removes the namespace called `name` and the interfaces in it; that there is none is no error.
///
/// # Errors
/// All that could not be removed; the rest was.
pub(super) fn remove(name: &str) -> Result<(), Vec<NetnsError>> {
    let mut errors = match Netns::open_name(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(NetnsError::NotANamespace { .. }) => Vec::new(),
        opened => remove_ports(&opened.map_err(|error| vec![error])?),
    };
    errors.extend(Netns::delete_named(name).err());
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The kernel takes a namespace's interfaces down some time after its last user: here they are gone at once.
fn remove_ports(netns: &Netns) -> Vec<NetnsError> {
    let links = Netlink::open_in(netns).and_then(|netlink| Ok((netlink.links()?, netlink)));
    let (links, netlink) = match links {
        Ok(found) => found,
        Err(error) => return vec![error],
    };
    let ports = links.iter().filter(|link| link.kind.as_deref() == Some("veth"));
    ports.filter_map(|port| netlink.delete_link(port.index).err()).collect()
}
