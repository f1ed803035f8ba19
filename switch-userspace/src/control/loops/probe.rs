//! The frame that the loop guard sends out of a port to see where it comes in again.
//!
//! Behind the Ethernet header: the port's index (4 bytes), its slot (2), two zero bytes, the round (4), and a digest of those under a
//! key that nobody but this process knows (8). So nobody makes a probe of a port that he is not behind, and one that was
//! kept is soon too old.

use std::hash::{BuildHasher, RandomState};

use switch_common::{
    abi::addr::{MacAddr, PortId, Slot},
    stage::probe::{PROBE_MAC, PROBE_TYPE},
};

use crate::datapath::PROBE_BYTES;

/// The shortest Ethernet frame, without its checksum.
const FRAME_BYTES: usize = 60;

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Probe {
    /// The port that it went out of.
    pub(super) port: PortId,
    /// That port's slot.
    pub(super) slot: Slot,
    /// Which round it is of.
    pub(super) round: u32,
}

/// What tells own probes from others.
#[derive(Debug, Default)]
pub(super) struct ProbeKey(RandomState);

impl ProbeKey {
    /// The frame, from `src`.
    pub(super) fn frame(&self, probe: Probe, src: MacAddr) -> Vec<u8> {
        let mut frame = [&PROBE_MAC.bytes()[..], &src.bytes(), &PROBE_TYPE.to_be_bytes()].concat();
        frame.extend(self.body(probe));
        frame.resize(FRAME_BYTES, 0);
        frame
    }

    /// Reads a probe; `None` where it is none of this process.
    pub(super) fn read(&self, body: &[u8; PROBE_BYTES]) -> Option<Probe> {
        let [p0, p1, p2, p3, s0, s1, _, _, r0, r1, r2, r3, ..] = *body;
        let probe = Probe {
            port: PortId(u32::from_be_bytes([p0, p1, p2, p3])),
            slot: Slot(u16::from_be_bytes([s0, s1])),
            round: u32::from_be_bytes([r0, r1, r2, r3]),
        };
        (self.body(probe) == *body).then_some(probe)
    }

    fn body(&self, probe: Probe) -> [u8; PROBE_BYTES] {
        let [p0, p1, p2, p3] = probe.port.0.to_be_bytes();
        let [s0, s1] = probe.slot.0.to_be_bytes();
        let [r0, r1, r2, r3] = probe.round.to_be_bytes();
        let [d0, d1, d2, d3, d4, d5, d6, d7] = self.0.hash_one(probe).to_be_bytes();
        [p0, p1, p2, p3, s0, s1, 0, 0, r0, r1, r2, r3, d0, d1, d2, d3, d4, d5, d6, d7]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Probe = Probe { port: PortId(0x1234), slot: Slot(7), round: 9 };

    fn body(frame: &[u8]) -> [u8; PROBE_BYTES] {
        *frame[14..].first_chunk().expect("a body")
    }

    #[test]
    fn a_probe_is_read_by_the_process_that_made_it_and_by_no_other() {
        let (ours, theirs) = (ProbeKey::default(), ProbeKey::default());
        let frame = ours.frame(PROBE, MacAddr::new([2, 0, 0, 0, 0, 1]));
        assert_eq!(frame.len(), FRAME_BYTES);
        assert_eq!(ours.read(&body(&frame)), Some(PROBE));
        assert_eq!(theirs.read(&body(&frame)), None);
    }

    #[test]
    fn a_probe_with_any_byte_changed_is_none() {
        let key = ProbeKey::default();
        let body = body(&key.frame(PROBE, MacAddr::ZERO));
        for at in 0..PROBE_BYTES {
            let mut forged = body;
            forged[at] ^= 1;
            assert_eq!(key.read(&forged), None, "byte {at}");
        }
    }
}
