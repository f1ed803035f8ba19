//! Copies of membership messages for the control plane.

use std::{collections::HashMap, io, time::Duration};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use switch_common::{
    abi::{addr::Slot, storm::SNOOP_LIMIT},
    stage::headers::Headers,
    units::Nanos,
    wire::vlan::VlanId,
};

use super::packet::Packet;
use crate::{
    datapath::{DatapathError, SnoopSource, Snooped},
    sys::wake::Wake,
};

/// Copies that wait for a reader.
pub(in crate::datapath) const SNOOP_ROOM: usize = 256;

/// One worker's end of the channel of copies.
#[derive(Debug)]
pub struct Snooper {
    copies: Sender<Snooped>,
    accounts: HashMap<Slot, Nanos>,
    wake: Option<Wake>,
}

impl Snooper {
    /// A snooper into a channel; a reader that waits for more than the channel has a `wake`.
    #[must_use]
    pub fn new(copies: Sender<Snooped>, wake: Option<Wake>) -> Self {
        Self { copies, accounts: HashMap::new(), wake }
    }

    /// Puts a copy of the packet into the channel, unless the port has had its share or the channel is full.
    pub(super) fn copy(
        &mut self,
        packet: &Packet<'_>,
        headers: &Headers,
        slot: Slot,
        vlan: VlanId,
        now: Nanos,
    ) {
        let account = self.accounts.entry(slot).or_default();
        let Some(next) = SNOOP_LIMIT.admit(*account, now, 1) else { return };
        *account = next;
        let range = headers.l3_offset as usize..headers.l3_end as usize;
        let Some(bytes) = packet.bytes.get(range) else { return };
        let copy = Snooped { at: now, port: packet.port, vlan, packet: bytes.into() };
        // A full channel loses the copy, not the frame: hosts report again.
        if self.copies.try_send(copy).is_ok()
            && let Some(wake) = &self.wake
        {
            wake.notify();
        }
    }
}

/// The reader's end; it fails once the switch has ended.
pub(super) struct ChannelSnoops(pub(super) Receiver<Snooped>);

impl SnoopSource for ChannelSnoops {
    fn next(&mut self, timeout: Duration) -> Result<Option<Snooped>, DatapathError> {
        match self.0.recv_timeout(timeout) {
            Ok(copy) => Ok(Some(copy)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(DatapathError::Io {
                op: "read",
                object: String::from("membership messages"),
                source: io::ErrorKind::BrokenPipe.into(),
            }),
        }
    }
}
