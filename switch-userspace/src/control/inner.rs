//! An attachment's interface inside its endpoint: whether it is as wye made it. The endpoint may do with it as it likes; what it
//! did is told, not undone.

use ipnet::IpNet;

use super::{Control, error::ControlError};
use crate::{
    model::{Attachment, EndpointName},
    netns::{Link, Netlink},
};

/// What was found inside.
pub(super) struct Inner {
    /// The interface's MTU; nothing where it is gone.
    pub(super) mtu: Option<u32>,
    /// What is wrong, and what helps; nothing where all is as it was made.
    pub(super) fault: Option<String>,
}

impl Control {
    /// Looks at an attachment's interface.
    pub(super) fn look_inside(
        &self,
        name: &EndpointName,
        attachment: &Attachment,
    ) -> Result<Inner, ControlError> {
        let netlink = Netlink::open_in(&self.netns_of(name)?)?;
        let is_other_end = |link: &Link| link.peer == Some(attachment.port.into());
        let by_name = netlink.link_by_name(attachment.ifname.as_str()).ok().filter(is_other_end);
        let Some(link) = by_name else {
            let renamed = netlink.links()?.into_iter().find(is_other_end);
            let fault = renamed.as_ref().map_or_else(|| gone(attachment), |link| called(attachment, link));
            return Ok(Inner { mtu: renamed.map(|link| link.mtu), fault: Some(fault) });
        };
        let there = netlink.addresses(Some(link.index))?;
        let lost = attachment.addresses.iter().find(|net| !there.iter().any(|other| other.net == **net));
        Ok(Inner { mtu: Some(link.mtu), fault: lost.map(|net| no_address(name, attachment, net)) })
    }
}

fn gone(attachment: &Attachment) -> String {
    format!(
        "its interface {} is not in its network namespace any more: move it back there",
        attachment.ifname
    )
}

fn called(attachment: &Attachment, link: &Link) -> String {
    let ifname = &attachment.ifname;
    format!("its interface {ifname} is called {} now: give it its name back", link.name)
}

fn no_address(name: &EndpointName, attachment: &Attachment, net: &IpNet) -> String {
    let ifname = &attachment.ifname;
    format!(
        "its interface {ifname} has lost its address {net}: `wye exec {name} -- ip addr add {net} dev {ifname}` gives it back"
    )
}
