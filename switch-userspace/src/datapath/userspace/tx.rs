//! Sending: packet sockets in the two namespaces that ports can be in.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use switch_common::DropReason;

use super::engine::{Egress, Outgoing};
use crate::{
    netns::{Netns, NetnsError},
    sys::{
        packet::{self, Datagram},
        socket,
    },
};

/// Bytes of frames that may be on their way through drivers and queueing disciplines.
const SEND_BUFFER_BYTES: libc::c_int = 16 << 20;
/// Destination and source MAC: what comes before a tag.
const ADDRESS_BYTES: usize = 12;
const TAG_BYTES: usize = 4;
const TAG_SHIFT: i16 = 4;

/// One socket for ports, one for uplinks.
#[derive(Debug)]
pub struct TxSockets {
    ports: OwnedFd,
    uplinks: OwnedFd,
}

impl TxSockets {
    /// Opens the sockets: ports are interfaces of `ports`, uplinks those of `host`.
    ///
    /// # Errors
    /// A missing privilege; no more descriptors.
    pub fn open(ports: &Netns, host: &Netns) -> Result<Self, NetnsError> {
        Ok(Self {
            // Without the queueing disciplines a refusal is an error that can be counted; a veth has none to be respected.
            ports: open_in(ports, packet::bypass_queues)?,
            uplinks: open_in(host, |_| Ok(()))?,
        })
    }
}

fn open_in(
    netns: &Netns,
    prepare: impl FnOnce(BorrowedFd<'_>) -> io::Result<()> + Send,
) -> Result<OwnedFd, NetnsError> {
    netns.run(|| {
        let open = || -> io::Result<OwnedFd> {
            let socket = packet::open()?;
            socket::force_send_buffer(socket.as_fd(), SEND_BUFFER_BYTES)?;
            prepare(socket.as_fd())?;
            Ok(socket)
        };
        open().map_err(|source| NetnsError::system("open packet socket in", netns.label(), source))
    })
}

impl Egress for TxSockets {
    fn send(&self, frames: &[Outgoing<'_>], refused: &mut dyn FnMut(&Outgoing<'_>, DropReason)) {
        for run in frames.chunk_by(|a, b| a.is_uplink == b.is_uplink) {
            let uplink = run.first().is_some_and(|frame| frame.is_uplink);
            let socket = if uplink { self.uplinks.as_fd() } else { self.ports.as_fd() };
            send_run(socket, run, refused);
        }
    }
}

fn send_run(
    socket: BorrowedFd<'_>,
    mut frames: &[Outgoing<'_>],
    refused: &mut dyn FnMut(&Outgoing<'_>, DropReason),
) {
    let datagrams: Vec<Datagram<'_>> = frames.iter().map(datagram).collect();
    let mut datagrams = datagrams.as_slice();
    while let Some(first) = frames.first() {
        let done = match packet::send(socket, datagrams) {
            Ok(sent) => sent.max(1),
            Err(error) => {
                refused(first, reason(&error));
                1
            }
        };
        frames = frames.get(done..).unwrap_or_default();
        datagrams = datagrams.get(done..).unwrap_or_default();
    }
}

/// A frame as it leaves: packet sockets send bytes only, so that a tag stands behind the addresses.
fn datagram<'f>(frame: &Outgoing<'f>) -> Datagram<'f> {
    let packet = frame.packet;
    let is_tag_inside = packet.tag.is_none() && frame.tags.strip;
    let kept = packet.tag.filter(|_| !frame.tags.strip);
    let tag = frame.tags.push.or(kept);
    let whole = Datagram {
        interface: frame.to.0,
        vnet_header: packet.vnet.bytes(),
        head: packet.bytes,
        inserted: None,
        tail: &[],
    };
    let Some((head, tail)) = packet.bytes.split_at_checked(ADDRESS_BYTES) else { return whole };
    let tail = if is_tag_inside { tail.get(TAG_BYTES..).unwrap_or_default() } else { tail };
    let inserted = tag.map(|tag| {
        let ([p0, p1], [t0, t1]) = (tag.tpid.to_be_bytes(), tag.tci.to_be_bytes());
        [p0, p1, t0, t1]
    });
    let moved = match (is_tag_inside, inserted.is_some()) {
        (true, false) => -TAG_SHIFT,
        (false, true) => TAG_SHIFT,
        (true, true) | (false, false) => 0,
    };
    Datagram { vnet_header: packet.vnet.moved(moved).bytes(), head, inserted, tail, ..whole }
}

fn reason(error: &io::Error) -> DropReason {
    match error.raw_os_error() {
        Some(libc::EINVAL) => DropReason::ChecksumOffload,
        Some(libc::EMSGSIZE) => DropReason::TooBig,
        Some(libc::ENXIO | libc::ENODEV | libc::ENETDOWN) => DropReason::EgressGone,
        _ => DropReason::TxQueue,
    }
}

#[cfg(test)]
mod tests {
    use switch_common::{
        abi::addr::{PortId, Slot},
        stage::vlan::TagChange,
        wire::vlan::{TPID_8021AD, TPID_8021Q, Tag},
    };

    use super::*;
    use crate::datapath::userspace::packet::{Packet, VnetHeader};

    fn outgoing(bytes: &[u8], tag: Option<Tag>) -> Outgoing<'_> {
        let packet = Packet { port: PortId(1), bytes, tag, vnet: VnetHeader::NONE };
        Outgoing { packet, to: PortId(9), tags: TagChange::NONE, slot: Slot(1), is_uplink: false }
    }

    fn bytes(datagram: &Datagram<'_>) -> Vec<u8> {
        [datagram.head, datagram.inserted.as_ref().map_or(&[], |tag| tag.as_slice()), datagram.tail].concat()
    }

    #[test]
    fn a_tag_from_the_metadata_stands_behind_the_addresses() {
        let frame: Vec<u8> = (0..20).collect();
        let tagged = outgoing(&frame, Some(Tag { tpid: TPID_8021AD, tci: 0x6123 }));
        let expected = [&frame[..12], &[0x88, 0xa8, 0x61, 0x23], &frame[12..]].concat();
        assert_eq!(bytes(&datagram(&tagged)), expected);
        assert_eq!(datagram(&tagged).interface, 9);
    }

    #[test]
    fn a_tag_is_taken_off_and_another_put_on_wherever_the_first_one_lay() {
        let tag = Tag { tpid: TPID_8021Q, tci: 0x0005 };
        let body: Vec<u8> = (0..20).collect();
        let inside = [&body[..12], &[0x81, 0x00, 0x00, 0x05], &body[12..]].concat();
        let new = Tag { tpid: TPID_8021AD, tci: 0x6123 };
        for frame in [outgoing(&inside, None), outgoing(&body, Some(tag))] {
            let stripped = Outgoing { tags: TagChange { strip: true, push: None }, ..frame };
            assert_eq!(bytes(&datagram(&stripped)), body);
            let changed = Outgoing { tags: TagChange { strip: true, push: Some(new) }, ..frame };
            let expected = [&body[..12], &[0x88, 0xa8, 0x61, 0x23], &body[12..]].concat();
            assert_eq!(bytes(&datagram(&changed)), expected);
        }
    }

    #[test]
    fn an_untagged_frame_is_sent_as_it_is() {
        let frame: Vec<u8> = (0..20).collect();
        assert_eq!(bytes(&datagram(&outgoing(&frame, None))), frame);
    }
}
