//! Packet sockets: raw Ethernet frames with a `struct virtio_net_hdr` before each.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::check;

/// Bytes of a `struct virtio_net_hdr`: what the kernel knows of a frame's checksum and segmentation.
pub const VNET_HEADER_BYTES: usize = 10;

/// All protocols, as a packet socket names them.
#[expect(clippy::cast_possible_truncation, reason = "a protocol number has 16 bits")]
const EVERY_PROTOCOL: u16 = (libc::ETH_P_ALL as u16).to_be();
#[expect(clippy::cast_possible_truncation, reason = "an address family has 16 bits")]
const FAMILY: libc::c_ushort = libc::AF_PACKET as libc::c_ushort;
#[expect(clippy::cast_possible_truncation, reason = "a kind of membership has 16 bits")]
const EVERY_ADDRESS: libc::c_ushort = libc::PACKET_MR_PROMISC as libc::c_ushort;

/// A frame to send.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The interface to send it through.
    pub interface: u32,
    /// Its `struct virtio_net_hdr`.
    pub vnet_header: [u8; VNET_HEADER_BYTES],
    /// Its beginning.
    pub head: &'a [u8],
    /// Four bytes that go between beginning and rest.
    pub inserted: Option<[u8; 4]>,
    /// The rest of it.
    pub tail: &'a [u8],
}

/// Opens a packet socket of the calling thread's namespace whose frames carry a [`VNET_HEADER_BYTES`] header. It receives
/// nothing until it is bound, and never waits.
///
/// # Errors
/// EPERM without CAP_NET_RAW; no more descriptors.
pub fn open() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes no pointers.
    let socket = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: a descriptor that the kernel just made and nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    set_option(socket.as_fd(), libc::PACKET_VNET_HDR, &1)?;
    Ok(socket)
}

/// Lets frames that the socket sends skip the interfaces' queueing disciplines: they are handed to the driver at once, and a
/// refusal by it is an error of the call.
///
/// # Errors
/// Not a packet socket.
pub fn bypass_queues(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::PACKET_QDISC_BYPASS, &1)
}

/// Begins to receive the frames that come in through `interface`, or through every interface of the namespace where that
/// is 0.
///
/// # Errors
/// ENODEV without such an interface; ENETDOWN where it is down.
pub fn bind(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let address = address(interface, EVERY_PROTOCOL);
    // SAFETY: the address is a sockaddr_ll that lives until the call returns, and its length is right.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length_of(&address)) })?;
    Ok(())
}

/// Makes `interface` take frames to every address for as long as the socket is open.
///
/// # Errors
/// ENODEV without such an interface.
pub fn receive_all_addresses(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let wanted = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: EVERY_ADDRESS,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::PACKET_ADD_MEMBERSHIP, &wanted)
}

/// Shares the frames of a bound socket with the other sockets of a group, all frames of one conversation to the same one.
/// `None` makes a group of the socket's namespace. Returns the group.
///
/// # Errors
/// EINVAL where the group's sockets are bound to something else; ENOSPC where it is full.
pub fn join_group(socket: BorrowedFd<'_>, group: Option<u16>) -> io::Result<u16> {
    let flags = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    let flags = if group.is_none() { flags | libc::PACKET_FANOUT_FLAG_UNIQUEID } else { flags };
    set_option(socket, libc::PACKET_FANOUT, &(u32::from(group.unwrap_or(0)) | flags << 16))?;
    let joined: u32 = get_option(socket, libc::PACKET_FANOUT)?;
    Ok((joined & 0xffff) as u16)
}

/// Frames that the socket lost for want of room since the last call.
///
/// # Errors
/// Not a packet socket.
pub fn take_losses(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let statistics: [u32; 2] = get_option(socket, libc::PACKET_STATISTICS)?;
    Ok(statistics[1])
}

/// Hands frames to the drivers in one call. Returns how many were taken: the one after those was not.
///
/// # Errors
/// The first frame was not taken: ENXIO without such an interface, ENETDOWN where it is down, EMSGSIZE for a frame beyond its
/// MTU, EINVAL for an impossible header, ENOBUFS where the driver refused, EAGAIN where the socket's buffer is full.
pub fn send(socket: BorrowedFd<'_>, datagrams: &[Datagram<'_>]) -> io::Result<usize> {
    let mut parts: Vec<Parts> = datagrams.iter().map(Parts::of).collect();
    let mut messages: Vec<libc::mmsghdr> = parts.iter_mut().map(Parts::message).collect();
    let count = libc::c_uint::try_from(messages.len()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: each of the `count` messages points at an address and at I/O vectors in `parts`, which is neither moved nor
    // used until the call returns; each vector is one of the slices of a datagram, which outlive the call, and is only read.
    let sent = check(unsafe {
        libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, libc::MSG_DONTWAIT)
    })?;
    Ok(usize::try_from(sent).unwrap_or(0))
}

/// What a message header points at.
struct Parts {
    address: libc::sockaddr_ll,
    vectors: [libc::iovec; 4],
}

impl Parts {
    fn of(datagram: &Datagram<'_>) -> Self {
        let inserted = datagram.inserted.as_ref().map_or(&[][..], <[u8; 4]>::as_slice);
        let slices = [&datagram.vnet_header, datagram.head, inserted, datagram.tail];
        Self {
            address: address(datagram.interface, 0),
            vectors: slices.map(|slice| libc::iovec {
                iov_base: slice.as_ptr().cast_mut().cast(),
                iov_len: slice.len(),
            }),
        }
    }

    fn message(&mut self) -> libc::mmsghdr {
        // SAFETY: integers and pointers: all-zero bytes are a valid value.
        let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
        message.msg_hdr.msg_namelen = length_of(&self.address);
        message.msg_hdr.msg_name = (&raw mut self.address).cast();
        message.msg_hdr.msg_iovlen = self.vectors.len();
        message.msg_hdr.msg_iov = self.vectors.as_mut_ptr();
        message
    }
}

fn address(interface: u32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: protocol,
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

/// Sets an option of `SOL_PACKET`.
pub(super) fn set_option<T: Copy>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads the bytes of `value`, which live until the call returns, and no more than their length.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            std::ptr::from_ref(value).cast(),
            length_of(value),
        )
    })?;
    Ok(())
}

/// Reads an option of `SOL_PACKET` that is one or several integers.
fn get_option<T: Copy + Default>(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut length = length_of(&value);
    // SAFETY: the kernel writes at most `length` bytes into `value`; the callers' types are integers, for which every bit
    // pattern is valid.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

#[expect(clippy::cast_possible_truncation, reason = "options and addresses are a few bytes long")]
fn length_of<T>(_: &T) -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}
