//! Making veth pairs: both ends, in their namespaces, in one request.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};

use super::{
    client::Netlink,
    error::{ErrorKind, NetnsError},
    link::LinkSettings,
    names::IfIndex,
};

impl Netlink {
    /// Makes a veth pair: `host` in this namespace, `peer` in the one that its settings name, or here as well.
    ///
    /// The kernel cannot bring the peer up in this request: set it up afterwards, with a client of its namespace.
    ///
    /// # Errors
    /// [`ErrorKind::IndexTaken`] where an index chosen for `host` is in use (another one may do), [`ErrorKind::Exists`] where
    /// a name is; a missing privilege, also in the peer's namespace. Nothing is left behind then.
    pub fn create_veth(&self, host: &LinkSettings<'_>, peer: &LinkSettings<'_>) -> Result<(), NetnsError> {
        let object = format!("veth pair {} and {}", name_of(host), name_of(peer));
        let mut message = creation(host);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(creation(peer)))),
        ]));
        let created =
            self.request("create", &object, RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL);
        created.map_err(|error| match host.index {
            Some(index) if self.is_taken(index, error.kind()) => NetnsError::IndexTaken { object, index },
            _ => error,
        })
    }

    /// Whether a refusal was for the sake of `index`: the kernel says the same of a name that is taken.
    fn is_taken(&self, index: IfIndex, kind: ErrorKind) -> bool {
        matches!(kind, ErrorKind::Exists | ErrorKind::Busy) && self.link_by_index(index).is_ok()
    }
}

fn creation(settings: &LinkSettings<'_>) -> LinkMessage {
    let mut message = settings.message();
    message.header.index = settings.index.map_or(0, u32::from);
    message
}

fn name_of<'a>(settings: &'a LinkSettings<'_>) -> &'a str {
    settings.name.as_ref().map_or("(any name)", |name| name.as_str())
}
