//! What the kernel stores: map keys and values, event records, and the names of maps and programs.
//!
//! Every type is `repr(C)` without implicit padding and with its size asserted ([`pod`]). Fields that hold addresses are
//! in wire order: bytes, or words in keys. Changing any type here means raising [`SCHEMA`].

pub mod addr;
pub mod counters;
pub mod domain;
pub mod event;
pub mod fdb;
pub mod group;
pub mod host;
pub mod names;
pub mod neighbour;
pub mod pod;
pub mod port;
pub mod punt;
pub mod source;
pub mod storm;
pub mod vlan;

/// Version of everything in this module: pins live below `v<SCHEMA>`, and pins of another schema are refused.
pub const SCHEMA: u32 = 6;

/// Ports are array indexes: an interface whose index is not below this bound cannot be a port.
pub const MAX_PORTS: u32 = 65_536;
/// Slots number the ports of one switch densely (counters and learned-MAC accounts are kept by slot).
pub const MAX_SLOTS: u32 = 4_096;
/// Bridge domains of one switch; domain 0 is never used.
pub const MAX_DOMAINS: u32 = 4_096;
/// FDB entries of one switch.
pub const MAX_FDB_ENTRIES: u32 = 65_536;
/// Source pairs of one switch beside the ports' own, over all ports.
pub const MAX_SOURCES: u32 = 16_384;
/// Neighbour records of one switch, over all domains.
pub const MAX_NEIGHBOURS: u32 = 65_536;
/// Groups of one switch, over all domains; those without an address among them.
pub const MAX_GROUPS: u32 = 4_096;
/// Lists of ports of one switch: the domains' and the groups'.
pub const MAX_LISTS: u32 = MAX_DOMAINS + MAX_GROUPS;
/// Ports on the lists of groups, each counted once a group.
pub const MAX_GROUP_PORTS: u32 = 32_768;
/// List entries of one switch: room for every port on its domain's list, whatever the groups have.
pub const MAX_FLOOD_ENTRIES: u32 = 16_384 + MAX_GROUP_PORTS;
/// Addresses of the host that gateway ports let through.
pub const MAX_HOST_ADDRESSES: u32 = 16_384;
