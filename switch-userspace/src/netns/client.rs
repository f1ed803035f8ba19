//! A synchronous netlink client: one request, its answer, then the next.
//!
//! The kernel works a route netlink request off inside the `send` call, so the receive that follows does not wait. A client
//! belongs to the network namespace that it was opened in for as long as it lives, whatever thread uses it.

use std::{
    cell::Cell,
    fmt::Display,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_packet_core::{
    DecodeError, DoneMessage, ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
    NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{
    error::{NetnsError, SystemError},
    ns::Netns,
};

/// The kernel fills at most 32 KiB of an answer at a time; a reader that offers less gets less.
const RECEIVE_BYTES: usize = 32 * 1024;
/// `NLMSGERR_ATTR_MSG`: the kernel's sentence about an error.
const ERROR_TEXT: u16 = 1;
/// Length of a netlink header, which a capped error message carries before its attributes.
const HEADER_BYTES: usize = 16;
/// How often a dump is begun again because what it lists changed meanwhile.
const DUMP_ATTEMPTS: usize = 10;

/// A route netlink socket of one network namespace.
pub struct Netlink {
    socket: Socket,
    sequence: Cell<u32>,
}

impl Netlink {
    /// Opens a client of the calling thread's namespace.
    ///
    /// # Errors
    /// When the process may open no more descriptors.
    pub fn open() -> Result<Self, NetnsError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            socket.set_netlink_get_strict_chk(true)?;
            Ok(socket)
        };
        let socket = open().map_err(|source| NetnsError::system("open", "route netlink socket", source))?;
        Ok(Self { socket, sequence: Cell::new(0) })
    }

    /// Opens a client of the namespace `netns`.
    ///
    /// # Errors
    /// As [`Netlink::open`], and where `netns` may not be entered.
    pub fn open_in(netns: &Netns) -> Result<Self, NetnsError> {
        netns.run(Self::open)
    }

    /// Sends a change and waits until it is in force. `flags` are the `NLM_F_*` of the verb (create, replace…).
    pub(super) fn request(
        &self,
        op: &'static str,
        object: &dyn Display,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetnsError> {
        self.exchange(op, object, message, flags | NLM_F_ACK)?;
        Ok(())
    }

    /// Asks for one object.
    pub(super) fn get(
        &self,
        op: &'static str,
        object: &dyn Display,
        message: RouteNetlinkMessage,
    ) -> Result<RouteNetlinkMessage, NetnsError> {
        let answer = self.exchange(op, object, message, NLM_F_ACK)?;
        answer.messages.into_iter().next().ok_or_else(|| NetnsError::unexpected(op, object))
    }

    /// Asks for all objects that the request's filter lets through, as they were at one moment.
    pub(super) fn dump(
        &self,
        op: &'static str,
        object: &dyn Display,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetnsError> {
        for _ in 0..DUMP_ATTEMPTS {
            let answer = self.exchange(op, object, message.clone(), NLM_F_DUMP)?;
            if !answer.interrupted {
                return Ok(answer.messages);
            }
        }
        Err(NetnsError::system(
            op,
            object,
            SystemError::explained(libc::EAGAIN, Some("the list keeps changing".into())),
        ))
    }

    fn exchange(
        &self,
        op: &'static str,
        object: &dyn Display,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Answer, NetnsError> {
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);

        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut buffer = vec![0; request.buffer_len()];
        request.serialize(&mut buffer);
        self.socket.send(&buffer, 0).map_err(|source| NetnsError::system(op, object, source))?;

        let mut answer = Answer::default();
        let mut buffer = Vec::with_capacity(RECEIVE_BYTES);
        loop {
            buffer.clear();
            receive(&self.socket, &mut buffer).map_err(|source| NetnsError::system(op, object, source))?;
            for message in messages(&buffer) {
                let message = message.map_err(|source| NetnsError::decode(op, object, source))?;
                if message.header.sequence_number != sequence {
                    continue;
                }
                answer.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => answer.messages.push(inner),
                    NetlinkPayload::Error(end) => {
                        return outcome_of_ack(&end)
                            .map(|()| answer)
                            .map_err(|source| NetnsError::system(op, object, source));
                    }
                    NetlinkPayload::Done(end) => {
                        return outcome_of_dump(&end)
                            .map(|()| answer)
                            .map_err(|source| NetnsError::system(op, object, source));
                    }
                    NetlinkPayload::Noop | NetlinkPayload::Overrun(_) | _ => {
                        return Err(NetnsError::unexpected(op, object));
                    }
                }
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What the kernel sent back for one request.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    /// The objects changed while they were listed: some may be missing or doubled.
    interrupted: bool,
}

/// Receives one datagram whole into the free room of `buffer`.
pub(super) fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<()> {
    let room = buffer.capacity();
    let length = socket.recv(buffer, libc::MSG_TRUNC)?;
    if length > room { Err(io::Error::from_raw_os_error(libc::EMSGSIZE)) } else { Ok(()) }
}

type Decoded = Result<NetlinkMessage<RouteNetlinkMessage>, DecodeError>;

/// The messages of one datagram.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Decoded> + '_ {
    std::iter::from_fn(move || {
        if datagram.len() < HEADER_BYTES {
            return None;
        }
        let message = NetlinkMessage::deserialize(datagram);
        let length = NetlinkBuffer::new(datagram).length() as usize;
        let aligned = length.max(HEADER_BYTES).next_multiple_of(4);
        datagram = datagram.get(aligned..).unwrap_or_default();
        Some(message)
    })
}

fn outcome_of_ack(end: &ErrorMessage) -> Result<(), SystemError> {
    let attributes = end.header.get(HEADER_BYTES..).unwrap_or_default();
    outcome(end.raw_code(), attributes)
}

fn outcome_of_dump(end: &DoneMessage) -> Result<(), SystemError> {
    outcome(end.code, &end.extended_ack)
}

fn outcome(code: i32, attributes: &[u8]) -> Result<(), SystemError> {
    if code == 0 {
        return Ok(());
    }
    let text = NlasIterator::new(attributes).flatten().find(|attribute| attribute.kind() == ERROR_TEXT);
    let explanation =
        text.map(|text| String::from_utf8_lossy(text.value()).trim_end_matches('\0').to_owned());
    Err(SystemError::explained(code.abs(), explanation))
}
