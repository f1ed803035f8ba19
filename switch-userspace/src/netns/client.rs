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
        self.exchange(message, flags | NLM_F_ACK).map_err(|fault| fault.of(op, object))?;
        Ok(())
    }

    /// Asks for one object.
    pub(super) fn get(
        &self,
        op: &'static str,
        object: &dyn Display,
        message: RouteNetlinkMessage,
    ) -> Result<RouteNetlinkMessage, NetnsError> {
        let answer = self.exchange(message, NLM_F_ACK).map_err(|fault| fault.of(op, object))?;
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
            let answer = self.exchange(message.clone(), NLM_F_DUMP).map_err(|fault| fault.of(op, object))?;
            if !answer.interrupted {
                return Ok(answer.messages);
            }
        }
        let changing = SystemError::explained(libc::EAGAIN, Some("the list keeps changing".to_owned()));
        Err(NetnsError::system(op, object, changing))
    }

    fn exchange(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Answer, Fault> {
        let sequence = self.send(message, flags)?;
        let mut answer = Answer::default();
        let mut unreadable = None;
        let mut buffer = Vec::with_capacity(RECEIVE_BYTES);
        // The answer is read to its end even where a part of it cannot be: the socket is then good for the next request.
        loop {
            buffer.clear();
            receive(&self.socket, &mut buffer)?;
            for message in messages(&buffer) {
                match message {
                    Ok(message) if message.header.sequence_number != sequence => {}
                    Ok(message) => {
                        if answer.take(message)? {
                            return unreadable.map_or(Ok(answer), |source| Err(Fault::Decode(source)));
                        }
                    }
                    Err(source) => unreadable = Some(source),
                }
            }
        }
    }

    /// Sends a request and returns the number that its answer will bear.
    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> Result<u32, Fault> {
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence.get().wrapping_add(1);
        self.sequence.set(header.sequence_number);
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut buffer = vec![0; request.buffer_len()];
        request.serialize(&mut buffer);
        self.socket.send(&buffer, 0)?;
        Ok(header.sequence_number)
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

impl Answer {
    /// Takes a message in, and says whether it was the last one.
    fn take(&mut self, message: NetlinkMessage<RouteNetlinkMessage>) -> Result<bool, Fault> {
        self.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => {
                self.messages.push(inner);
                Ok(false)
            }
            NetlinkPayload::Error(end) => outcome_of_ack(&end).map(|()| true),
            NetlinkPayload::Done(end) => outcome_of_dump(&end).map(|()| true),
            NetlinkPayload::Noop => Ok(false),
            NetlinkPayload::Overrun(_) | _ => Err(Fault::Unexpected),
        }
    }
}

/// Why an exchange failed, before it is known what it was about.
enum Fault {
    System(SystemError),
    Decode(DecodeError),
    Unexpected,
}

impl Fault {
    fn of(self, op: &'static str, object: &dyn Display) -> NetnsError {
        match self {
            Self::System(source) => NetnsError::system(op, object, source),
            Self::Decode(source) => NetnsError::decode(op, object, source),
            Self::Unexpected => NetnsError::unexpected(op, object),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self::System(source.into())
    }
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

fn outcome_of_ack(end: &ErrorMessage) -> Result<(), Fault> {
    let attributes = end.header.get(HEADER_BYTES..).unwrap_or_default();
    outcome(end.raw_code(), attributes)
}

fn outcome_of_dump(end: &DoneMessage) -> Result<(), Fault> {
    outcome(end.code, &end.extended_ack)
}

fn outcome(code: i32, attributes: &[u8]) -> Result<(), Fault> {
    if code == 0 {
        return Ok(());
    }
    let text = NlasIterator::new(attributes).flatten().find(|attribute| attribute.kind() == ERROR_TEXT);
    let explanation =
        text.map(|text| String::from_utf8_lossy(text.value()).trim_end_matches('\0').to_owned());
    Err(Fault::System(SystemError::explained(code.abs(), explanation)))
}
