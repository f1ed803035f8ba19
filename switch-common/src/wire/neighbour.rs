//! Neighbour discovery messages (RFC 4861, section 4), offsets from the ICMPv6 header on.

use crate::abi::addr::MacAddr;

/// Where the target address of a neighbour solicitation or advertisement begins.
pub const TARGET_OFFSET: u32 = 8;
/// Where the options of a neighbour solicitation or advertisement begin.
pub const OPTIONS_OFFSET: u32 = 24;
/// Hop limit of every message: whoever has another one came from outside the link (RFC 4861, 7.1).
pub const HOP_LIMIT: u8 = 255;
/// Flags of a neighbour advertisement: it answers a solicitation, and replaces what is known.
pub const SOLICITED: u8 = 0x40;
/// See [`SOLICITED`].
pub const OVERRIDE: u8 = 0x20;
/// Length in bytes of a neighbour advertisement with one link-layer address.
pub const ADVERTISEMENT_LEN: u8 = 32;
/// Where the options of a router solicitation begin.
pub const ROUTER_OPTIONS_OFFSET: u32 = 8;
/// Options are a multiple of this many bytes long.
pub const OPTION_UNIT: u32 = 8;
/// Source link-layer address option.
pub const SOURCE_LINK_LAYER: u8 = 1;
/// Target link-layer address option.
pub const TARGET_LINK_LAYER: u8 = 2;

/// The first eight bytes of an option: no option is shorter.
#[derive(Clone, Copy, Debug)]
pub struct OptionHead(pub [u8; 8]);

impl OptionHead {
    /// Length of the option in bytes; 0 in a malformed one.
    #[must_use]
    #[inline(always)]
    pub const fn len(&self) -> u32 {
        self.0[1] as u32 * OPTION_UNIT
    }

    /// Whether the length is that of a malformed option.
    #[must_use]
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address, where this is a link-layer address option.
    #[must_use]
    #[inline(always)]
    pub const fn link_layer_address(&self) -> Option<MacAddr> {
        let b = &self.0;
        match b[0] {
            SOURCE_LINK_LAYER | TARGET_LINK_LAYER => Some(MacAddr::new([b[2], b[3], b[4], b[5], b[6], b[7]])),
            _ => None,
        }
    }
}
