//! ARP for IPv4 over Ethernet (RFC 826).

use crate::{abi::addr::MacAddr, wire::be16};

/// Message length in bytes.
pub const LEN: u32 = 28;

/// Where the operation is, in bytes from the message's begin.
pub const OPERATION_OFFSET: u32 = 6;
/// Where the sender's MAC is; behind it the sender's IPv4 address, then the same of the target.
pub const SENDER_OFFSET: u32 = 8;
/// A reply's first eight bytes: Ethernet and IPv4, with the lengths of their addresses, and the operation.
pub const REPLY_HEAD: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 2];
/// Who has this address?
pub const REQUEST: u16 = 1;
/// It is at this MAC.
pub const REPLY: u16 = 2;

/// An ARP message.
#[derive(Clone, Copy, Debug)]
pub struct ArpMessage(pub [u8; 28]);

impl ArpMessage {
    /// Whether hardware and protocol types and lengths say Ethernet and IPv4.
    #[must_use]
    #[inline(always)]
    pub const fn is_ethernet_ipv4(&self) -> bool {
        matches!(self.0, [0, 1, 8, 0, 6, 4, ..])
    }

    /// Request, reply, or another operation.
    #[must_use]
    #[inline(always)]
    pub const fn operation(&self) -> u16 {
        be16(&self.0, 6)
    }

    /// Sender's MAC.
    #[must_use]
    #[inline(always)]
    pub const fn sender_mac(&self) -> MacAddr {
        let b = &self.0;
        MacAddr::new([b[8], b[9], b[10], b[11], b[12], b[13]])
    }

    /// Sender's IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn sender_ip(&self) -> [u8; 4] {
        let b = &self.0;
        [b[14], b[15], b[16], b[17]]
    }

    /// Target's IPv4 address.
    #[must_use]
    #[inline(always)]
    pub const fn target_ip(&self) -> [u8; 4] {
        let b = &self.0;
        [b[24], b[25], b[26], b[27]]
    }
}
