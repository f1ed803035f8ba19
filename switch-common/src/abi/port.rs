//! What the datapath knows of a port, and of the switch as a whole.

use crate::{
    abi::addr::{DomainId, MacAddr, PortId, Slot},
    wire::vlan::VlanId,
};

/// Where the switches lie that a flood can be subject to: being ready, and the three flood switches.
const FLOOD_MASK: u32 = 0x1f;

/// Per-port switches, as `wye port set` names them. A set of bits; the absent bit is "off".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct PortFlags(u32);

impl PortFlags {
    /// The port's configuration is complete: until then it forwards nothing and receives nothing.
    pub const READY: Self = Self(1);
    /// Source MACs are learned.
    pub const LEARNING: Self = Self(1 << 1);
    /// Unknown unicast is flooded to the port.
    pub const FLOOD: Self = Self(1 << 2);
    /// Broadcast is flooded to the port.
    pub const BCAST_FLOOD: Self = Self(1 << 3);
    /// Multicast is flooded to the port.
    pub const MCAST_FLOOD: Self = Self(1 << 4);
    /// No frames to or from other isolated ports.
    pub const ISOLATED: Self = Self(1 << 5);
    /// Frames may leave through the port that they came in on.
    pub const HAIRPIN: Self = Self(1 << 6);
    /// An existing interface of the host: delivered by plain redirect, and the host keeps its own traffic.
    pub const UPLINK: Self = Self(1 << 7);

    /// Frames are judged: the port speaks for itself only.
    pub const GUARD: Self = Self(1 << 8);
    /// A source MAC must be in the FDB for this port.
    pub const LOCKED: Self = Self(1 << 9);
    /// There are records of more sources that the port may use.
    pub const MORE_SOURCES: Self = Self(1 << 10);

    /// Frames are sorted by VLAN.
    pub const VLAN: Self = Self(1 << 11);
    /// Tagged frames come and go, of the native VLAN untagged ones; without it untagged ones only.
    pub const TRUNK: Self = Self(1 << 12);
    /// The port's tags are 802.1ad service tags.
    pub const SERVICE_TAGS: Self = Self(1 << 13);
    /// There are limits to what the port may have flooded.
    pub const STORM: Self = Self(1 << 14);

    /// The port is cabled to another one of its network: no frames pass, in neither direction.
    pub const BLOCKED: Self = Self(1 << 15);
    /// The port may ask for members of groups, guarded or not.
    pub const MCAST_ROUTER: Self = Self(1 << 16);
    /// The interface behind the port is down: whatever is sent to it is lost.
    pub const DOWN: Self = Self(1 << 17);
    /// The host itself is behind the port: it gets what is for its own addresses and sends from those only.
    pub const GATEWAY: Self = Self(1 << 20);

    /// What a new port has until somebody says otherwise, as with a Linux bridge port.
    pub const DEFAULT: Self =
        Self(Self::LEARNING.0 | Self::FLOOD.0 | Self::BCAST_FLOOD.0 | Self::MCAST_FLOOD.0);

    /// No flag at all.
    pub const NONE: Self = Self(0);

    /// Whether all flags of `other` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, as the first word of a port's record has them.
    #[must_use]
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether frames may leave through the port.
    #[must_use]
    #[inline(always)]
    pub const fn lets_out(self) -> bool {
        self.0 & (Self::READY.0 | Self::BLOCKED.0 | Self::DOWN.0) == Self::READY.0
    }

    /// Whether frames go out through the port's interface as through any; those of other ports go straight into the other end,
    /// which is in another namespace.
    #[must_use]
    #[inline(always)]
    pub const fn sends_plainly(self) -> bool {
        self.0 & (Self::UPLINK.0 | Self::GATEWAY.0) != 0
    }

    /// The switches that a flood can be subject to, as the lowest five bits.
    #[must_use]
    #[inline(always)]
    pub const fn flood_bits(self) -> u32 {
        self.0 & FLOOD_MASK
    }

    /// Those switches from the lowest five bits.
    #[must_use]
    #[inline(always)]
    pub const fn from_flood_bits(bits: u32) -> Self {
        Self(bits & FLOOD_MASK)
    }

    /// With the flags of `other` as well.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With the flags of `other` set or cleared.
    #[must_use]
    #[inline(always)]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

/// The datapath's record of a port: a cache line, read once for the ingress and once for the egress port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct PortConfig {
    flags: u32,
    domain: DomainId,
    slot: Slot,
    mac: MacAddr,
    native_vlan: u16,
    mtu: u32,
    max_macs: u32,
    ipv4: [u8; 4],
    reserved: [u8; 4],
    ipv6: [u8; 16],
    reserved_tail: [u8; 16],
}

impl PortConfig {
    /// A port of `domain` with the own address `mac` and the largest L3 packet `mtu` bytes; `max_macs` 0 is "no cap".
    #[must_use]
    pub const fn new(
        domain: DomainId,
        slot: Slot,
        mac: MacAddr,
        mtu: u32,
        max_macs: u32,
        flags: PortFlags,
    ) -> Self {
        Self {
            flags: flags.0,
            domain,
            slot,
            mac,
            native_vlan: 0,
            mtu,
            max_macs,
            ipv4: [0; 4],
            reserved: [0; 4],
            ipv6: [0; 16],
            reserved_tail: [0; 16],
        }
    }

    /// The same port with own addresses; the unspecified address where it has none of a family.
    #[must_use]
    pub const fn with_addresses(mut self, ipv4: [u8; 4], ipv6: [u8; 16]) -> Self {
        self.ipv4 = ipv4;
        self.ipv6 = ipv6;
        self
    }

    /// The same port with a VLAN that its untagged frames are in: an access port's only one, a trunk's native one.
    #[must_use]
    pub const fn with_native_vlan(mut self, vlan: VlanId) -> Self {
        self.native_vlan = vlan.get();
        self
    }

    /// The VLAN of untagged frames; [`VlanId::NONE`] where there is none.
    #[must_use]
    #[inline(always)]
    pub const fn native_vlan(&self) -> VlanId {
        match VlanId::new(self.native_vlan) {
            Some(vlan) => vlan,
            None => VlanId::NONE,
        }
    }

    /// The port's own IPv4 address; unspecified where it has none.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(&self) -> [u8; 4] {
        self.ipv4
    }

    /// The port's own IPv6 address beside its link-local one; unspecified where it has none.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6(&self) -> [u8; 16] {
        self.ipv6
    }

    /// The port's switches.
    #[must_use]
    #[inline(always)]
    pub const fn flags(&self) -> PortFlags {
        PortFlags(self.flags)
    }

    /// The domain that the port belongs to.
    #[must_use]
    #[inline(always)]
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// The port's dense number.
    #[must_use]
    #[inline(always)]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// The address of the interface behind the port: it needs no learning and counts against no cap.
    #[must_use]
    #[inline(always)]
    pub const fn mac(&self) -> MacAddr {
        self.mac
    }

    /// Largest L3 packet in bytes that the port takes.
    #[must_use]
    #[inline(always)]
    pub const fn mtu(&self) -> u32 {
        self.mtu
    }

    /// Most MACs that may be learned at the port; 0 is "no cap".
    #[must_use]
    #[inline(always)]
    pub const fn max_macs(&self) -> u32 {
        self.max_macs
    }

    /// The same port with other switches.
    #[must_use]
    pub const fn with_flags(mut self, flags: PortFlags) -> Self {
        self.flags = flags.0;
        self
    }
}

/// What both the kernel programs and the daemon count about a port; shared memory, changed by atomic additions only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PortState {
    /// MACs learned at the port.
    pub learned: u64,
    /// Source MACs that were forwarded but not learned because the FDB was full.
    pub not_learned: u64,
    /// Frames that the slow path delivered to the port.
    pub slow_tx_frames: u64,
    /// Bytes of those frames, Ethernet header included.
    pub slow_tx_bytes: u64,
}

/// Interfaces that belong to the switch itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SwitchConfig {
    cpu_port: PortId,
    flood_relay: PortId,
    build: u64,
}

impl SwitchConfig {
    /// `cpu_port` is the TAP to the slow path, `flood_relay` the near end of the pair that long floods take between
    /// chunks; `build` names the program object that the links run.
    #[must_use]
    pub const fn new(cpu_port: PortId, flood_relay: PortId, build: u64) -> Self {
        Self { cpu_port, flood_relay, build }
    }

    /// Digest of the program object that the links run: tells a restarted daemon whether to swap programs.
    #[must_use]
    pub const fn build(&self) -> u64 {
        self.build
    }

    /// The TAP that punted frames go to; 0 where there is none.
    #[must_use]
    #[inline(always)]
    pub const fn cpu_port(&self) -> PortId {
        self.cpu_port
    }

    /// The near end of the relay pair; 0 where there is none.
    #[must_use]
    #[inline(always)]
    pub const fn flood_relay(&self) -> PortId {
        self.flood_relay
    }
}
