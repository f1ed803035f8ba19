//! The receive ring of a packet socket: frames in memory that the kernel and this process share.
//!
//! A ring of fixed slots (`TPACKET_V2`), so that a frame can be read as soon as it is there. A frame that is longer than its
//! slot lies whole in the socket's receive queue, at the same place of the order.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

use switch_common::wire::vlan::TPID_8021Q;

use super::{
    packet::{self, VNET_HEADER_BYTES},
    socket,
};

/// Room of a slot: the kernel's record, and a frame of an MTU of 1,900 bytes.
pub const SLOT_BYTES: usize = SLOT as usize;
const SLOT: libc::c_uint = 2048;
/// What the kernel allocates at a time.
const BLOCK: libc::c_uint = 64 * 1024;
/// Where the record names the interface: behind `struct tpacket2_hdr` and the first members of `struct sockaddr_ll`.
const INTERFACE_OFFSET: usize = size_of::<libc::tpacket2_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT) + 4;

/// A packet socket with its ring.
#[derive(Debug)]
pub struct PacketRing {
    socket: File,
    start: NonNull<u8>,
    slots: usize,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone, and the addresses in it are not bound to a thread.
unsafe impl Send for PacketRing {}

impl PacketRing {
    /// Opens a packet socket of the calling thread's namespace with room for `slots` frames (rounded up) and for
    /// `queue_bytes` of frames that are longer than a slot. It receives nothing until it is bound ([`packet::bind`]), and never
    /// what this host sends.
    ///
    /// # Errors
    /// EPERM without CAP_NET_RAW and CAP_NET_ADMIN; ENOMEM.
    pub fn open(slots: u32, queue_bytes: libc::c_int) -> io::Result<Self> {
        let socket = File::from(packet::open()?);
        packet::set_option(socket.as_fd(), libc::PACKET_VERSION, &libc::tpacket_versions::TPACKET_V2)?;
        packet::set_option(socket.as_fd(), libc::PACKET_IGNORE_OUTGOING, &1)?;
        packet::set_option(socket.as_fd(), libc::PACKET_COPY_THRESH, &1)?;
        socket::force_receive_buffer(socket.as_fd(), queue_bytes)?;
        let blocks = slots.div_ceil(BLOCK / SLOT);
        let slots = blocks * (BLOCK / SLOT);
        let request = libc::tpacket_req {
            tp_block_size: BLOCK,
            tp_block_nr: blocks,
            tp_frame_size: SLOT,
            tp_frame_nr: slots,
        };
        packet::set_option(socket.as_fd(), libc::PACKET_RX_RING, &request)?;
        let slots = slots as usize;
        let start = map(socket.as_fd(), slots * SLOT_BYTES)?;
        Ok(Self { socket, start, slots, next: 0 })
    }

    /// Another handle on the socket, to read its losses while the ring is in use elsewhere.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn try_clone_socket(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
    }

    /// The frames that are there, oldest first, at most `limit`. They are the kernel's again when the batch is dropped.
    pub fn ready(&mut self, limit: usize) -> Batch<'_> {
        let first = self.next;
        let count = (0..limit.min(self.slots)).take_while(|step| self.is_ready(first + step)).count();
        Batch { ring: self, first, count }
    }

    fn is_ready(&self, position: usize) -> bool {
        self.status(position).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// The word by which the kernel and this process hand a slot to each other.
    fn status(&self, position: usize) -> &AtomicU32 {
        // SAFETY: the slot lies in the mapping, which lives as long as `self`, and begins with an aligned u32 that is never
        // accessed in another way while it is shared.
        unsafe { self.slot(position).cast().as_ref() }
    }

    /// The beginning of a slot; positions go round.
    fn slot(&self, position: usize) -> NonNull<u8> {
        // SAFETY: the remainder is below `slots`, and the mapping has `slots` slots.
        unsafe { self.start.add(position % self.slots * SLOT_BYTES) }
    }
}

impl AsFd for PacketRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made; slices of it borrow `self`, so there are none any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.slots * SLOT_BYTES) };
    }
}

/// Slots that belong to this process.
#[derive(Debug)]
pub struct Batch<'a> {
    ring: &'a mut PacketRing,
    first: usize,
    count: usize,
}

/// A frame in its slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// The interface that it came in through.
    pub interface: u32,
    /// Its `struct virtio_net_hdr`; `None` where the slot has no room for one.
    pub vnet_header: Option<[u8; VNET_HEADER_BYTES]>,
    /// Its bytes, as many as the slot has room for.
    pub bytes: &'a [u8],
    /// Its length.
    pub length: usize,
    /// TPID and TCI of the VLAN tag that the kernel took out of the bytes.
    pub tag: Option<(u16, u16)>,
    /// Whether the frame lies whole in the receive queue, header first.
    pub is_queued: bool,
    /// Whether frames were lost since the last [`packet::take_losses`].
    pub is_losing: bool,
}

impl Batch<'_> {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes the next queued frame, header first. Returns its length with the header; what `buffer` has no room for is lost.
    ///
    /// # Errors
    /// EAGAIN where there is none.
    pub fn receive_queued(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.ring.socket).read(buffer)
    }

    /// The frames, oldest first.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        (self.first..self.first + self.count).map(|position| self.read(position))
    }

    fn read(&self, position: usize) -> Slot<'_> {
        let slot = self.ring.slot(position);
        // SAFETY: the kernel gave the slot away (its status was read with acquire ordering) and writes to it again only after
        // `drop` gave it back, which needs `self` back from the slices' borrow. A slot has SLOT_BYTES bytes in the mapping.
        let bytes = unsafe { slice::from_raw_parts(slot.as_ptr(), SLOT_BYTES) };
        // SAFETY: as above; the slot begins with the kernel's record, which is aligned to 16 bytes and plain integers.
        let record = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let has = |flag: u32| record.tp_status & flag != 0;
        let begin = usize::from(record.tp_mac);
        let rest = bytes.get(begin..).unwrap_or_default();
        Slot {
            interface: word(bytes, INTERFACE_OFFSET),
            vnet_header: begin
                .checked_sub(VNET_HEADER_BYTES)
                .and_then(|at| bytes.get(at..)?.first_chunk().copied()),
            bytes: rest.get(..record.tp_snaplen as usize).unwrap_or(rest),
            length: record.tp_len as usize,
            tag: has(libc::TP_STATUS_VLAN_VALID).then(|| (tpid(&record), record.tp_vlan_tci)),
            is_queued: has(libc::TP_STATUS_COPY),
            is_losing: has(libc::TP_STATUS_LOSING),
        }
    }
}

impl AsFd for Batch<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for position in self.first..self.first + self.count {
            self.ring.status(position).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        self.ring.next = (self.first + self.count) % self.ring.slots;
    }
}

fn tpid(record: &libc::tpacket2_hdr) -> u16 {
    if record.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { record.tp_vlan_tpid } else { TPID_8021Q }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

fn map(socket: BorrowedFd<'_>, length: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice; nothing else is touched.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            socket.as_raw_fd(),
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::EFAULT))
}
