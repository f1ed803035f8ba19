//! Probes of loop guards on their way from the datapath to the control plane.

use switch_common::abi::addr::PortId;

/// Bytes behind the headers that a probe has at least.
pub const PROBE_BYTES: usize = 20;
/// Probes that wait for the control plane; more are let go, and the next round brings new ones.
pub const PROBE_ROOM: usize = 256;

/// A frame to the address and of the type of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenProbe {
    /// The port that it came in on.
    pub port: PortId,
    /// What it says.
    pub body: [u8; PROBE_BYTES],
}
