//! Interfaces: what they are, and changing them.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage},
};
use switch_common::abi::addr::MacAddr;

use super::{
    client::Netlink,
    error::NetnsError,
    names::{IfIndex, IfName},
    ns::Netns,
};

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: IfIndex,
    /// Its name; not an [`IfName`], since interfaces that are no ports (`lo`) are listed too.
    pub name: String,
    /// Its Ethernet address, where it has one.
    pub mac: Option<MacAddr>,
    /// The longest network-layer packet it carries, in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it could carry frames: a veth whose two ends are both up has a carrier.
    pub carrier: bool,
    /// Whether it was told to be promiscuous.
    pub promiscuous: bool,
    /// Whether it resolves neighbours (ARP, and neighbour discovery for IPv6).
    pub arp: bool,
    /// The driver's kind (`veth`, `bridge`, `tun`…); nothing for a physical interface.
    pub kind: Option<String>,
    /// The index of the other end of a veth pair, or of the interface that this one is stacked on.
    pub peer: Option<IfIndex>,
    /// The kernel's number, in this namespace, of the namespace that `peer` is in; nothing where it is this one.
    pub peer_netns: Option<i32>,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<IfIndex>,
    /// Its group, a number by which interfaces are changed together.
    pub group: u32,
}

/// What an interface is to be; a field that is `None` is left as it is, or to the kernel.
#[derive(Clone, Debug, Default)]
pub struct LinkSettings<'a> {
    /// The index in its namespace. Can be chosen when the interface is made and when it is moved.
    pub index: Option<IfIndex>,
    /// Its name.
    pub name: Option<IfName>,
    /// Its Ethernet address.
    pub mac: Option<MacAddr>,
    /// The longest network-layer packet, in bytes.
    pub mtu: Option<u32>,
    /// Whether it is administratively up.
    pub up: Option<bool>,
    /// Whether it takes every frame.
    pub promiscuous: Option<bool>,
    /// Whether it resolves neighbours.
    pub arp: Option<bool>,
    /// Length of its transmit queue, in packets.
    pub tx_queue_len: Option<u32>,
    /// Number of its receive queues and of its transmit queues. Can be chosen when the interface is made.
    pub queues: Option<u32>,
    /// The longest segmentation-offload packet it is given, in bytes.
    pub gso_max_size: Option<u32>,
    /// Its group, a number by which interfaces are changed together.
    pub group: Option<u32>,
    /// The namespace that it is in.
    pub netns: Option<&'a Netns>,
}

impl Netlink {
    /// All interfaces of the namespace.
    ///
    /// # Errors
    /// When the kernel's answer cannot be had or read.
    pub fn links(&self) -> Result<Vec<Link>, NetnsError> {
        let request = RouteNetlinkMessage::GetLink(query(Vec::new()));
        Ok(self
            .dump("list", &"interfaces", &request)?
            .iter()
            .filter_map(new_link)
            .map(Link::from_message)
            .collect())
    }

    /// The interface with the index `index`.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`](super::ErrorKind::NoDevice) where there is none.
    pub fn link_by_index(&self, index: IfIndex) -> Result<Link, NetnsError> {
        let mut message = query(Vec::new());
        message.header.index = index.into();
        self.one_link(&format!("interface {index}"), message)
    }

    /// The interface called `name`, which may be any name, `lo` too.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`](super::ErrorKind::NoDevice) where there is none.
    pub fn link_by_name(&self, name: &str) -> Result<Link, NetnsError> {
        self.one_link(name, query(vec![LinkAttribute::IfName(name.to_owned())]))
    }

    /// Makes the interface `index` what `settings` say, in one request. Moving it to another namespace takes it down there
    /// unless `settings` say `up`.
    ///
    /// # Errors
    /// No such interface; a value the device cannot take; a name that is taken; no permission. The kernel checks before it
    /// changes, but a refusal by the device's driver can leave earlier fields changed.
    pub fn set_link(&self, index: IfIndex, settings: &LinkSettings<'_>) -> Result<(), NetnsError> {
        let mut message = settings.message();
        message.header.index = index.into();
        if let (Some(wanted), Some(_)) = (settings.index, settings.netns) {
            message.attributes.push(LinkAttribute::NewIfIndex(u32::from(wanted).cast_signed()));
        }
        self.request("change", &format_args!("interface {index}"), RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Removes the interface `index`; of a veth pair both ends.
    ///
    /// # Errors
    /// No such interface; one that cannot be removed (`lo`, a physical one).
    pub fn delete_link(&self, index: IfIndex) -> Result<(), NetnsError> {
        let mut message = LinkMessage::default();
        message.header.index = index.into();
        self.request("delete", &format_args!("interface {index}"), RouteNetlinkMessage::DelLink(message), 0)
    }

    /// Frames that the interface called `name` was given to send and dropped, since it was made.
    ///
    /// # Errors
    /// [`ErrorKind::NoDevice`](super::ErrorKind::NoDevice) where there is none.
    pub fn tx_dropped(&self, name: &str) -> Result<u64, NetnsError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        let answer = self.get("count drops of", &name, RouteNetlinkMessage::GetLink(message))?;
        let counted = new_link(&answer).and_then(|link| link.attributes.iter().find_map(dropped));
        counted.ok_or_else(|| NetnsError::unexpected("count drops of", name))
    }

    fn one_link(&self, object: &str, message: LinkMessage) -> Result<Link, NetnsError> {
        let answer = self.get("look up", &object, RouteNetlinkMessage::GetLink(message))?;
        new_link(&answer).map(Link::from_message).ok_or_else(|| NetnsError::unexpected("look up", object))
    }
}

impl LinkSettings<'_> {
    /// The message that asks for these settings; the caller puts the index in.
    pub(super) fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        let mut set_flag = |flag, wanted: Option<bool>| {
            if let Some(on) = wanted {
                message.header.change_mask |= flag;
                message.header.flags.set(flag, on);
            }
        };
        set_flag(LinkFlags::Up, self.up);
        set_flag(LinkFlags::Promisc, self.promiscuous);
        set_flag(LinkFlags::Noarp, self.arp.map(|arp| !arp));

        let queues = self
            .queues
            .into_iter()
            .flat_map(|n| [LinkAttribute::NumTxQueues(n), LinkAttribute::NumRxQueues(n)]);
        let netns = self.netns.map(|netns| LinkAttribute::NetNsFd(netns.as_fd().as_raw_fd()));
        message.attributes.extend(self.name.as_ref().map(|name| LinkAttribute::IfName(name.to_string())));
        message.attributes.extend(self.mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
        message.attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        message.attributes.extend(self.tx_queue_len.map(LinkAttribute::TxQueueLen));
        message.attributes.extend(queues);
        message.attributes.extend(self.gso_max_size.map(LinkAttribute::GsoMaxSize));
        message.attributes.extend(self.group.map(LinkAttribute::Group));
        message.attributes.extend(netns);
        message
    }
}

impl Link {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an interface has dozens of attributes; these make a Link"
    )]
    pub(super) fn from_message(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index.into(),
            name: String::new(),
            mac: None,
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            promiscuous: flags.contains(LinkFlags::Promisc),
            arp: !flags.contains(LinkFlags::Noarp),
            kind: None,
            peer: None,
            peer_netns: None,
            master: None,
            group: 0,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Address(bytes) => {
                    link.mac = bytes.as_slice().try_into().ok().map(MacAddr::new)
                }
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Link(index) if *index != 0 => link.peer = Some((*index).into()),
                LinkAttribute::LinkNetNsId(id) => link.peer_netns = Some(*id),
                LinkAttribute::Group(group) => link.group = *group,
                LinkAttribute::Controller(index) => link.master = Some((*index).into()),
                LinkAttribute::LinkInfo(infos) => {
                    link.kind = infos.iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind.to_string()),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        link
    }
}

/// A query without the statistics, which are most of an answer.
fn query(mut attributes: Vec<LinkAttribute>) -> LinkMessage {
    attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}

fn dropped(attribute: &LinkAttribute) -> Option<u64> {
    if let LinkAttribute::Stats64(counts) = attribute { Some(counts.tx_dropped) } else { None }
}

fn new_link(message: &RouteNetlinkMessage) -> Option<&LinkMessage> {
    if let RouteNetlinkMessage::NewLink(link) = message { Some(link) } else { None }
}
