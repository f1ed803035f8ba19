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

/// What the namespace of an instance is called.
pub(super) fn name(instance: &str) -> String {
    format!("wye-{instance}")
}

/// Makes the namespace called `name`, or takes the one that an earlier run left, with the ports in it.
///
/// # Errors
/// A missing privilege. A namespace that was made for nothing is removed again.
pub(super) fn ensure(name: &str) -> Result<Netns, NetnsError> {
    let netns = match Netns::create_named(name) {
        Err(error) if error.kind() == ErrorKind::Exists => return Netns::open_name(name),
        created => created?,
    };
    if let Err(error) = netns.run(quieten) {
        // The first failure is the one to tell.
        let _second = Netns::delete_named(name);
        return Err(error);
    }
    Ok(netns)
}

fn quieten() -> Result<(), NetnsError> {
    for (family, key, value) in QUIET {
        match Sysctl::family(family, key).set(value) {
            // A kernel without IPv6 is as quiet as it can be.
            Err(error) if family == Family::Ipv6 && error.kind() == ErrorKind::NotFound => {}
            set => drop(set?),
        }
    }
    Ok(())
}

/// Removes the namespace called `name` and the interfaces in it; that there is none is no error.
///
/// # Errors
/// All that could not be removed; the rest was.
pub(super) fn remove(name: &str) -> Result<(), Vec<NetnsError>> {
    let netns = match Netns::open_name(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|error| vec![error])?,
    };
    let mut errors = remove_ports(&netns);
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
