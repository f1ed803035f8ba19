//! Many interfaces removed at once.
//!
//! The kernel waits for a grace period each time it removes interfaces, some tens of milliseconds, but one for all that go
//! together. Interfaces go together by their group number.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};

use super::{
    client::Netlink,
    error::{ErrorKind, NetnsError},
    link::LinkSettings,
    names::IfIndex,
};

impl Netlink {
    /// Removes all of these interfaces, of veth pairs both ends. Those that are gone already are no failure.
    ///
    /// # Errors
    /// One cannot be removed (`lo`, a physical one). Then none was removed.
    pub fn delete_links(&self, indexes: &[IfIndex]) -> Result<(), NetnsError> {
        if indexes.is_empty() {
            return Ok(());
        }
        let group = self.free_group()?;
        for index in indexes {
            let settings = LinkSettings { group: Some(group), ..LinkSettings::default() };
            ignore_gone(self.set_link(*index, &settings))?;
        }
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        let object = format!("{} interfaces", indexes.len());
        ignore_gone(self.request("delete", &object, RouteNetlinkMessage::DelLink(message), 0))
    }

    /// A group that no interface is in. Whoever chooses the same at the same moment does so for interfaces that are to be
    /// removed as well.
    fn free_group(&self) -> Result<u32, NetnsError> {
        let links = self.links()?;
        let lowest = links.iter().map(|link| link.group).filter(|group| *group > u32::MAX / 2).min();
        Ok(lowest.unwrap_or(u32::MAX) - 1)
    }
}

fn ignore_gone(result: Result<(), NetnsError>) -> Result<(), NetnsError> {
    match result {
        Err(error) if error.kind() == ErrorKind::NoDevice => Ok(()),
        other => other,
    }
}
