//! IPv6 header and extension headers (RFC 8200, RFC 4302).

use crate::{abi::addr::MacAddr, wire::be16};

/// Length of the fixed header in bytes.
pub const LEN: u32 = 40;

/// The unspecified address.
pub const UNSPECIFIED: [u8; 16] = [0; 16];
/// First byte of a group's address (RFC 4291, 2.7).
pub const GROUP_BYTE: u8 = 0xff;
/// All nodes of the link (RFC 4291, 2.7.1).
pub const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// Where the hop limit is, in bytes from the header's begin.
pub const HOP_LIMIT_OFFSET: u32 = 7;

/// The link-local address that an interface makes of its MAC (RFC 4291, appendix A).
#[must_use]
#[inline(always)]
pub const fn link_local(mac: MacAddr) -> [u8; 16] {
    let [a, b, c, d, e, f] = mac.bytes();
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

/// Hop-by-hop options.
pub const NEXT_HOP_BY_HOP: u8 = 0;
/// Routing header.
pub const NEXT_ROUTING: u8 = 43;
/// Fragment header.
pub const NEXT_FRAGMENT: u8 = 44;
/// Authentication header.
pub const NEXT_AUTH: u8 = 51;
/// Destination options.
pub const NEXT_DEST_OPTIONS: u8 = 60;

/// The fixed IPv6 header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Header(pub [u8; 40]);

impl Ipv6Header {
    /// Version, 6 in a valid header.
    #[must_use]
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        self.0[0] >> 4
    }

    /// Length behind this header in bytes; 0 in a super-frame above 64 KiB (Linux BIG TCP).
    #[must_use]
    #[inline(always)]
    pub const fn payload_len(&self) -> u32 {
        be16(&self.0, 4) as u32
    }

    /// What follows: an extension header or the L4 protocol.
    #[must_use]
    #[inline(always)]
    pub const fn next_header(&self) -> u8 {
        self.0[6]
    }

    /// Source address.
    #[must_use]
    #[inline(always)]
    pub const fn src(&self) -> [u8; 16] {
        *self.address(8)
    }

    /// Destination address.
    #[must_use]
    #[inline(always)]
    pub const fn dst(&self) -> [u8; 16] {
        *self.address(24)
    }

    #[inline(always)]
    const fn address(&self, at: usize) -> &[u8; 16] {
        let (_, tail) = self.0.split_at(at);
        match tail.first_chunk() {
            Some(address) => address,
            None => &[0; 16],
        }
    }
}

/// Whether a next-header number names an extension header to walk over on the way to L4.
#[must_use]
#[inline(always)]
pub const fn is_extension(next: u8) -> bool {
    matches!(next, NEXT_HOP_BY_HOP | NEXT_ROUTING | NEXT_FRAGMENT | NEXT_AUTH | NEXT_DEST_OPTIONS)
}

/// The first eight bytes of an extension header: no extension header is shorter.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionHeader(pub [u8; 8]);

impl ExtensionHeader {
    /// What follows this header.
    #[must_use]
    #[inline(always)]
    pub const fn next_header(&self) -> u8 {
        self.0[0]
    }

    /// Whether a header of type `kind` lets the sender steer the packet (RFC 5095).
    #[must_use]
    #[inline(always)]
    pub const fn is_source_route(&self, kind: u8) -> bool {
        kind == NEXT_ROUTING && self.0[2] == 0
    }

    /// Length in bytes of a header of type `kind`.
    #[must_use]
    #[inline(always)]
    pub const fn len(&self, kind: u8) -> u32 {
        match kind {
            NEXT_FRAGMENT => 8,
            NEXT_AUTH => (self.0[1] as u32 + 2) * 4,
            _ => (self.0[1] as u32 + 1) * 8,
        }
    }

    /// Offset of the fragment in bytes; meaningful in a fragment header only.
    #[must_use]
    #[inline(always)]
    pub const fn fragment_offset(&self) -> u32 {
        (be16(&self.0, 2) & 0xfff8) as u32
    }

    /// Whether more fragments follow; meaningful in a fragment header only.
    #[must_use]
    #[inline(always)]
    pub const fn more_fragments(&self) -> bool {
        self.0[3] & 1 != 0
    }
}
