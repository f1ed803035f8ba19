//! Opening receive rings: for all ports together, and for one uplink.

use std::os::fd::AsFd;

use switch_common::abi::addr::PortId;

use crate::{
    netns::{Netns, NetnsError},
    sys::{
        packet,
        packet_ring::{PacketRing, SLOT_BYTES},
    },
};

/// Frames that a ring has room for.
pub(super) const RING_SLOTS: u32 = 4096;
/// Memory of a ring, in bytes.
pub(super) const RING_BYTES: u64 = RING_SLOTS as u64 * SLOT_BYTES as u64;
/// Bytes of frames longer than a slot that may wait beside a ring.
const QUEUE_BYTES: libc::c_int = 32 << 20;

/// Opens `count` rings that share the frames of all ports in `netns`, all frames of one conversation in the same ring.
///
/// # Errors
/// A missing privilege; not enough memory.
pub(super) fn open_for_ports(netns: &Netns, count: usize) -> Result<Vec<PacketRing>, NetnsError> {
    netns.run(|| {
        let failed = |source| NetnsError::system("open packet ring in", netns.label(), source);
        let mut group = None;
        let mut rings = Vec::with_capacity(count);
        for _ in 0..count {
            let ring = PacketRing::open(RING_SLOTS, QUEUE_BYTES).map_err(failed)?;
            packet::bind(ring.as_fd(), 0).map_err(failed)?;
            if count > 1 {
                group = Some(packet::join_group(ring.as_fd(), group).map_err(failed)?);
            }
            rings.push(ring);
        }
        Ok(rings)
    })
}

/// Opens a ring for the frames that come in through the interface `uplink` of `host`, to whatever address they are.
///
/// # Errors
/// No such interface; a missing privilege; not enough memory.
pub(super) fn open_for_uplink(host: &Netns, uplink: PortId) -> Result<PacketRing, NetnsError> {
    host.run(|| {
        let failed = |source| {
            NetnsError::system("open packet ring on", format_args!("interface {}", uplink.0), source)
        };
        let ring = PacketRing::open(RING_SLOTS, QUEUE_BYTES).map_err(failed)?;
        packet::receive_all_addresses(ring.as_fd(), uplink.0).map_err(failed)?;
        packet::bind(ring.as_fd(), uplink.0).map_err(failed)?;
        Ok(ring)
    })
}
