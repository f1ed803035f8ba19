//! What is sent, and who refuses it.

use switch_common::{DropReason, abi::addr::MacAddr};

/// A container as others see it.
#[derive(Clone, Copy)]
pub(crate) struct Station {
    /// MAC of its interface.
    pub(crate) mac: MacAddr,
    /// Its IPv4 address.
    pub(crate) v4: [u8; 4],
    /// Its IPv6 address.
    pub(crate) v6: [u8; 16],
}

/// Who is there.
#[derive(Clone, Copy)]
pub(crate) struct Cast {
    /// Sends the frames.
    pub(crate) attacker: Station,
    /// They are meant for it.
    pub(crate) victim: Station,
    /// Has a conversation of its own meanwhile.
    pub(crate) bystander: Station,
    /// The network's gateway: nobody on this network has its MAC.
    pub(crate) gateway: Station,
}

/// Who refuses a frame beside a guarded port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlsoRefusedBy {
    /// Nobody: it reaches the victim from an unguarded port, and over a bridge.
    Nobody,
    /// Unguarded ports; over a bridge it reaches the victim.
    AnyPort,
    /// Unguarded ports, and bridges.
    AnyPortAndBridges,
}

/// A frame that a guarded port may not send.
#[derive(Clone)]
pub(crate) struct Attack {
    /// What it tries.
    pub(crate) name: String,
    /// The drop reason that it is counted as.
    pub(crate) reason: DropReason,
    /// The frame.
    pub(crate) frame: Vec<u8>,
    /// Who refuses it as well.
    pub(crate) also_refused_by: AlsoRefusedBy,
}

impl Attack {
    /// A frame that only the guard refuses.
    pub(crate) fn new(name: impl Into<String>, reason: DropReason, frame: Vec<u8>) -> Self {
        Self { name: name.into(), reason, frame, also_refused_by: AlsoRefusedBy::Nobody }
    }

    /// A frame that no port may send.
    pub(crate) fn malformed(name: impl Into<String>, reason: DropReason, frame: Vec<u8>) -> Self {
        Self { also_refused_by: AlsoRefusedBy::AnyPort, ..Self::new(name, reason, frame) }
    }

    /// A frame that no bridge forwards either.
    pub(crate) fn impossible(name: impl Into<String>, reason: DropReason, frame: Vec<u8>) -> Self {
        Self { also_refused_by: AlsoRefusedBy::AnyPortAndBridges, ..Self::new(name, reason, frame) }
    }
}

/// A frame that every port may send.
pub(crate) struct Legal {
    /// What it is.
    pub(crate) name: String,
    /// The frame.
    pub(crate) frame: Vec<u8>,
}

impl Legal {
    /// One that is called `name`.
    pub(crate) fn new(name: impl Into<String>, frame: Vec<u8>) -> Self {
        Self { name: name.into(), frame }
    }
}
