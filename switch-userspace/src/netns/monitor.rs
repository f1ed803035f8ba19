//! Hearing of interfaces that come, change and go, and of addresses.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

use super::{
    client::{messages, receive},
    error::NetnsError,
    link::Link,
    ns::Netns,
};
use crate::sys;

/// Room for the events of about a thousand interfaces that change at once.
const BUFFER_BYTES: libc::c_int = 4 * 1024 * 1024;
/// The kernel sends an event in less than this.
const EVENT_BYTES: usize = 32 * 1024;

/// Something happened to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is new, or something about it changed: this is what it is at present.
    Changed(Link),
    /// It was deleted or moved to another namespace: this is what it was.
    Deleted(Link),
    /// Addresses of the namespace came or went: list them anew.
    Readdressed,
    /// More happened than the kernel could queue: some events are lost, so list the interfaces anew.
    Resync,
}

/// The events of one namespace, from the moment the monitor was opened.
pub struct Monitor {
    socket: Socket,
    pending: VecDeque<LinkEvent>,
}

impl Monitor {
    /// Opens a monitor of the calling thread's namespace. List the interfaces after this, not before, to miss none.
    ///
    /// # Errors
    /// Without CAP_NET_ADMIN.
    pub fn open() -> Result<Self, NetnsError> {
        Self::open_groups(&[libc::RTNLGRP_LINK])
    }

    /// Opens a monitor that hears of the addresses of the calling thread's namespace instead. List them after this, not before.
    ///
    /// # Errors
    /// As [`Monitor::open`].
    pub fn of_addresses() -> Result<Self, NetnsError> {
        Self::open_groups(&[libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR])
    }

    fn open_groups(groups: &[libc::c_uint]) -> Result<Self, NetnsError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.set_non_blocking(true)?;
            sys::socket::force_receive_buffer(socket.as_fd(), BUFFER_BYTES)?;
            groups.iter().try_for_each(|group| socket.add_membership(*group))?;
            Ok(socket)
        };
        let socket = open().map_err(|source| NetnsError::system("open", "interface monitor", source))?;
        Ok(Self { socket, pending: VecDeque::new() })
    }

    /// Opens a monitor of the namespace `netns`.
    ///
    /// # Errors
    /// As [`Monitor::open`], and where `netns` may not be entered.
    pub fn open_in(netns: &Netns) -> Result<Self, NetnsError> {
        netns.run(Self::open)
    }

    /// Hears from here on of interfaces in other namespaces too: those that hold the other end of a veth pair of this one.
    /// Nothing in such an event says where it comes from, so it is a hint to look.
    ///
    /// # Errors
    /// Without CAP_NET_ADMIN.
    pub fn hear_peers(&self) -> Result<(), NetnsError> {
        self.socket
            .set_listen_all_namespaces(true)
            .map_err(|source| NetnsError::system("widen", "interface monitor", source))
    }

    /// The next event; nothing where none is waiting.
    ///
    /// # Errors
    /// An event that cannot be read. The monitor stays usable.
    pub fn next_event(&mut self) -> Result<Option<LinkEvent>, NetnsError> {
        while self.pending.is_empty() {
            let mut buffer = Vec::with_capacity(EVENT_BYTES);
            match receive(&self.socket, &mut buffer) {
                Ok(()) => self.take_in(&buffer)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Ok(Some(LinkEvent::Resync));
                }
                Err(source) => return Err(NetnsError::system("receive from", "interface monitor", source)),
            }
        }
        Ok(self.pending.pop_front())
    }

    /// Waits for an event, at most `timeout` where one is given. Nothing when the time is over or a
    /// signal came.
    ///
    /// # Errors
    /// As [`Monitor::next_event`].
    pub fn wait_event(&mut self, timeout: Option<Duration>) -> Result<Option<LinkEvent>, NetnsError> {
        if let Some(event) = self.next_event()? {
            return Ok(Some(event));
        }
        sys::socket::wait_readable(self.socket.as_fd(), timeout)
            .map_err(|source| NetnsError::system("wait for", "interface monitor", source))?;
        self.next_event()
    }

    fn take_in(&mut self, datagram: &[u8]) -> Result<(), NetnsError> {
        for message in messages(datagram) {
            let message =
                message.map_err(|source| NetnsError::decode("receive from", "interface monitor", source))?;
            if let NetlinkPayload::InnerMessage(inner) = message.payload {
                self.pending.extend(event(&inner));
            }
        }
        Ok(())
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the groups carry other messages too; four are about interfaces and addresses"
)]
fn event(message: &RouteNetlinkMessage) -> Option<LinkEvent> {
    let (link, event): (_, fn(Link) -> LinkEvent) = match message {
        RouteNetlinkMessage::NewLink(link) => (link, LinkEvent::Changed),
        RouteNetlinkMessage::DelLink(link) => (link, LinkEvent::Deleted),
        RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => {
            return Some(LinkEvent::Readdressed);
        }
        _ => return None,
    };
    // A bridge sends the same messages in its own family when a member leaves it or changes there.
    (link.header.interface_family == AddressFamily::Unspec).then(|| event(Link::from_message(link)))
}
