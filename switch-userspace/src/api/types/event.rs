//! The stream of events: JSON, one event a line.

use serde::{Deserialize, Serialize};

use super::{endpoint::EndpointState, fdb::FdbType, port::PortSettings};

/// What to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Sampled drops, too.
    pub drops: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The stream begins: everything after this moment is on it.
    Listening,
    /// A network was made.
    NetworkCreated {
        /// Its name.
        network: String,
    },
    /// A network was removed.
    NetworkRemoved {
        /// Its name.
        network: String,
    },
    /// An endpoint was added.
    EndpointAdded {
        /// Its name.
        endpoint: String,
    },
    /// An endpoint was removed.
    EndpointRemoved {
        /// Its name.
        endpoint: String,
    },
    /// An endpoint got an interface.
    EndpointConnected {
        /// The endpoint.
        endpoint: String,
        /// The network that the interface is on.
        network: String,
        /// The port's name.
        port: String,
    },
    /// An interface was taken from an endpoint.
    EndpointDisconnected {
        /// The endpoint.
        endpoint: String,
        /// The network that the interface was on.
        network: String,
    },
    /// An endpoint's plumbing changed.
    EndpointState {
        /// The endpoint.
        endpoint: String,
        /// What it is like at present.
        state: EndpointState,
        /// What is wrong.
        reason: Option<String>,
    },
    /// An endpoint's labels changed.
    EndpointLabelled {
        /// The endpoint.
        endpoint: String,
    },
    /// A port's switches were set.
    PortSet {
        /// The port's name.
        port: String,
        /// All of its switches.
        settings: PortSettings,
    },
    /// A port follows its interface's MTU.
    PortMtu {
        /// The port's name.
        port: String,
        /// Bytes of the largest L3 packet.
        mtu: u32,
    },
    /// A port is cabled to another one of its network, and lets no frames pass from now on.
    PortBlocked {
        /// The port's name.
        port: String,
        /// The other port's name.
        by: String,
    },
    /// A port is not cabled to another one any more, and lets frames pass again.
    PortUnblocked {
        /// The port's name.
        port: String,
    },
    /// An FDB entry was set by command.
    FdbAdded {
        /// The network.
        network: String,
        /// The address.
        mac: String,
        /// The port's name.
        port: String,
        /// Of what sort.
        #[serde(rename = "type")]
        kind: FdbType,
    },
    /// An FDB entry was deleted by command.
    FdbDeleted {
        /// The network.
        network: String,
        /// The address.
        mac: String,
    },
    /// FDB entries were flushed.
    FdbFlushed {
        /// How many.
        removed: u64,
    },
    /// A frame was dropped; a sample of them is told.
    Drop {
        /// Name of the port that it came in on; the interface's index where that is no port any more.
        port: String,
        /// The drop reason's word.
        reason: String,
        /// The drop reason in a sentence.
        text: String,
        /// Length of the frame in bytes.
        frame_len: u32,
        /// The beginning of the frame, in hex.
        head: String,
        /// Drops of this reason on this CPU that were not told since the one before.
        unreported: u64,
    },
    /// The client is slow: this many events were left out.
    Missed {
        /// How many.
        events: u64,
    },
}

impl EventKind {
    /// Whether it tells of a dropped frame: those come in numbers, and not every listener wants them.
    #[must_use]
    pub fn is_drop(&self) -> bool {
        matches!(self, Self::Drop { .. })
    }
}
