//! A scenario: ports and FDB of a switch, then a few frames. Generated from a seed, or read from a fixture.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, Slot},
        domain::DomainFlags,
        fdb::FdbKind,
        group::GroupKey,
        host::HostAddress,
        neighbour::NeighbourKey,
        port::{PortConfig, PortFlags},
        source::{SourceKey, SourceScope},
        storm::{StormLimit, StormLimits},
        vlan::VlanSet,
    },
    stage::probe::{PROBE_MAC, PROBE_TYPE},
    units::Nanos,
    wire::{eth, ipv4, ipv6, vlan::VlanId},
};

use super::packet::{build, generate};

/// Ports of the switch. An index equal to this one stands for an interface that is no port.
pub const PORTS: usize = 6;
/// Its domains are 1 to this.
pub const DOMAINS: u16 = 2;
/// Ageing time of its domains.
pub const AGEING: Nanos = Nanos::from_secs(20);
/// Longest frame.
const FRAME_MAX: usize = 3_500;
/// Ages of learned entries, far from the ageing time and from the refresh interval.
const AGES_SECS: [u32; 5] = [0, 5, 12, 28, 60];

/// What is set up and what is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The ports that differ from a new one, by index below [`PORTS`].
    pub ports: BTreeMap<usize, PortSpec>,
    /// FDB entries from before the first frame.
    pub entries: Vec<EntrySpec>,
    /// What the domains do with questions for neighbours.
    #[serde(default)]
    pub answers: Answers,
    /// The neighbours that are known.
    #[serde(default)]
    pub neighbours: Vec<NeighbourSpec>,
    /// Whether the domains snoop.
    #[serde(default)]
    pub snooping: bool,
    /// The groups that are registered.
    #[serde(default)]
    pub groups: Vec<GroupSpec>,
    /// The host has 10.0.0.N and fd00::N for each.
    #[serde(default)]
    pub host_addresses: BTreeSet<u8>,
    /// Frames, one after the other.
    pub frames: Vec<FrameSpec>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortSpec {
    /// Its domain.
    pub domain: u16,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Most MACs that may be learned at it; 0 is any number.
    pub max_macs: u32,
    /// The switches that are on.
    pub flags: BTreeSet<Flag>,
    /// Its addresses are 10.0.0.N and fd00::N; it has none where this is 0.
    #[serde(default)]
    pub address: u8,
    /// Another address that its own MAC may use, likewise.
    #[serde(default)]
    pub allowed: u8,
    /// The VLAN of its untagged frames; 0 is none.
    #[serde(default)]
    pub native_vlan: u16,
    /// The VLANs that it carries as a trunk.
    #[serde(default)]
    pub vlans: Vec<u16>,
    /// Frames of each kind of flood that it may send before a long time is up; 0 is any number.
    #[serde(default)]
    pub storm_bursts: [u32; 3],
}

/// One of a port's switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of `PortFlags`")]
pub enum Flag {
    Ready,
    Learning,
    Flood,
    BcastFlood,
    McastFlood,
    Isolated,
    Hairpin,
    Uplink,
    Guard,
    Locked,
    Vlan,
    Trunk,
    ServiceTags,
    McastRouter,
    Blocked,
    Down,
    Gateway,
}

/// An FDB entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntrySpec {
    /// Its domain.
    pub domain: u16,
    /// Its address.
    #[serde(with = "mac_text")]
    pub mac: MacAddr,
    /// Index of the port it points to.
    pub port: usize,
    /// How it came to be.
    pub kind: EntryKind,
}

/// How an entry came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of `FdbKind`")]
pub enum EntryKind {
    Learned { age_secs: u32 },
    Static,
    Sticky,
    Endpoint,
}

/// What becomes of questions for neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// They are flooded.
    #[default]
    Off,
    /// They are answered, or flooded where nobody is known.
    On,
    /// They are answered, or dropped where nobody is known.
    Only,
}

/// A station that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighbourSpec {
    /// Its domain.
    pub domain: u16,
    /// It is at 10.0.0.N and fd00::N.
    pub address: u8,
    /// Its MAC.
    #[serde(with = "mac_text")]
    pub mac: MacAddr,
    /// Index of the port that it is behind.
    pub port: usize,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its domain.
    pub domain: u16,
    /// Its VLAN; 0 is none.
    pub vlan: u16,
    /// IPv4, or else IPv6.
    pub is_ipv4: bool,
    /// It is 239.0.0.N or ff0e::N; 0 stands for all that are not registered.
    pub number: u8,
    /// Indexes of its ports.
    pub members: BTreeSet<usize>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSpec {
    /// Index of the port that it comes in on.
    pub port: usize,
    /// Payload bytes of each segment where it is a super-frame; 0 where it is none.
    pub segment_size: u32,
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
}

impl Flag {
    const ALL: [(Self, PortFlags, u8); 17] = [
        (Self::Ready, PortFlags::READY, 95),
        (Self::Learning, PortFlags::LEARNING, 85),
        (Self::Flood, PortFlags::FLOOD, 85),
        (Self::BcastFlood, PortFlags::BCAST_FLOOD, 85),
        (Self::McastFlood, PortFlags::MCAST_FLOOD, 85),
        (Self::Isolated, PortFlags::ISOLATED, 20),
        (Self::Hairpin, PortFlags::HAIRPIN, 10),
        (Self::Uplink, PortFlags::UPLINK, 10),
        (Self::Guard, PortFlags::GUARD, 30),
        (Self::Locked, PortFlags::LOCKED, 5),
        (Self::Vlan, PortFlags::VLAN, 25),
        (Self::Trunk, PortFlags::TRUNK, 50),
        (Self::ServiceTags, PortFlags::SERVICE_TAGS, 20),
        (Self::McastRouter, PortFlags::MCAST_ROUTER, 50),
        (Self::Blocked, PortFlags::BLOCKED, 5),
        (Self::Down, PortFlags::DOWN, 5),
        (Self::Gateway, PortFlags::GATEWAY, 15),
    ];
}

impl PortSpec {
    /// As a new port is.
    fn plain() -> Self {
        let flags = Flag::ALL
            .into_iter()
            .filter(|(_, bit, _)| PortFlags::DEFAULT.has(*bit) || *bit == PortFlags::READY)
            .map(|(flag, ..)| flag)
            .collect();
        Self {
            domain: 1,
            mtu: 1500,
            max_macs: 0,
            flags,
            address: 0,
            allowed: 0,
            native_vlan: 0,
            vlans: Vec::new(),
            storm_bursts: [0; 3],
        }
    }

    fn config(&self, index: usize) -> PortConfig {
        let flags = Flag::ALL
            .into_iter()
            .fold(PortFlags::NONE, |all, (flag, bit, _)| all.with(bit, self.flags.contains(&flag)))
            .with(PortFlags::MORE_SOURCES, self.allowed > 0)
            .with(PortFlags::STORM, self.storm_bursts != [0; 3]);
        let (domain, mac) = (DomainId(self.domain), port_mac(index));
        PortConfig::new(domain, slot(index), mac, self.mtu, self.max_macs, flags)
            .with_addresses(ipv4_address(self.address), ipv6_address(self.address))
            .with_native_vlan(VlanId::new(self.native_vlan).expect("a VLAN"))
    }

    /// At this rate no scenario earns another frame.
    fn storm(&self) -> StormLimits {
        let limit = |burst| if burst == 0 { StormLimit::NONE } else { StormLimit::new(1, burst) };
        let [unknown_unicast, broadcast, multicast] = self.storm_bursts.map(limit);
        StormLimits { unknown_unicast, broadcast, multicast }
    }

    fn sources(&self, index: usize) -> Vec<(SourceKey, SourceScope)> {
        let (slot, mac) = (slot(index), port_mac(index));
        let keys = [
            SourceKey::ipv4(slot, mac, ipv4_address(self.allowed)),
            SourceKey::ipv6(slot, mac, ipv6_address(self.allowed)),
        ];
        keys.into_iter().filter(|_| self.allowed > 0).map(|key| (key, SourceScope::Listed)).collect()
    }
}

impl EntryKind {
    /// The kind, and how long ago the MAC was seen.
    #[must_use]
    pub fn parts(self) -> (FdbKind, Nanos) {
        match self {
            Self::Learned { age_secs } => (FdbKind::Learned, Nanos::from_secs(age_secs)),
            Self::Static => (FdbKind::Static, Nanos(0)),
            Self::Sticky => (FdbKind::Sticky, Nanos(0)),
            Self::Endpoint => (FdbKind::Endpoint, Nanos(0)),
        }
    }
}

/// The slot of the port with this index.
#[must_use]
pub fn slot(index: usize) -> Slot {
    Slot(u16::try_from(index).expect("a few ports") + 1)
}

/// The own MAC of the port with this index.
#[must_use]
pub fn port_mac(index: usize) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, u8::try_from(index).expect("a few ports")])
}

fn ipv4_address(last: u8) -> [u8; 4] {
    if last == 0 { [0; 4] } else { [10, 0, 0, last] }
}

fn ipv6_address(last: u8) -> [u8; 16] {
    if last == 0 { [0; 16] } else { build::ipv6_address(last) }
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn generate(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let ports = (0..PORTS).map(|index| (index, random_port(rng))).collect();
        let entries: Vec<_> = stations().into_iter().filter_map(|mac| random_entry(rng, mac)).collect();
        let frames = (0..rng.usize(1..=6)).map(|_| random_frame(rng, &ports, &entries)).collect();
        let answers = *pick(rng, &[Answers::Off, Answers::On, Answers::Only]);
        let neighbours = (0..rng.usize(..5)).map(|_| random_neighbour(rng)).collect();
        let groups: BTreeSet<_> = (0..rng.usize(..8)).map(|_| random_group(rng)).collect();
        Self {
            ports,
            entries,
            answers,
            neighbours,
            snooping: rng.u8(..4) > 0,
            groups: groups.into_iter().collect(),
            host_addresses: (1..4).filter(|_| rng.bool()).collect(),
            frames,
        }
    }

    /// The record of the port with this index.
    #[must_use]
    pub fn config(&self, index: usize) -> PortConfig {
        self.ports.get(&index).unwrap_or(&PortSpec::plain()).config(index)
    }

    /// The VLANs that the port with this index carries as a trunk.
    #[must_use]
    pub fn vlans(&self, index: usize) -> VlanSet {
        let vlans = self.ports.get(&index).map(|port| port.vlans.as_slice()).unwrap_or_default();
        vlans.iter().filter_map(|vlan| VlanId::new(*vlan)).fold(VlanSet::default(), VlanSet::with)
    }

    /// The limits to the floods of the port with this index.
    #[must_use]
    pub fn storm(&self, index: usize) -> StormLimits {
        self.ports.get(&index).map_or(StormLimits::NONE, PortSpec::storm)
    }

    /// What the port with this index may use beside its own.
    #[must_use]
    pub fn sources(&self, index: usize) -> Vec<(SourceKey, SourceScope)> {
        self.ports.get(&index).map(|port| port.sources(index)).unwrap_or_default()
    }

    /// The switches of its domains.
    #[must_use]
    pub fn domain_flags(&self) -> DomainFlags {
        DomainFlags::NONE
            .with(DomainFlags::SUPPRESS, self.answers != Answers::Off)
            .with(DomainFlags::DROP_UNKNOWN, self.answers == Answers::Only)
            .with(DomainFlags::SNOOPING, self.snooping)
    }

    /// The groups with the indexes of their ports; of two with the same key the later one counts.
    #[must_use]
    pub fn groups(&self) -> Vec<(GroupKey, Vec<usize>)> {
        let groups = self.groups.iter().map(|group| (group.key(), group.members.iter().copied().collect()));
        groups.collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    /// The addresses of the host.
    #[must_use]
    pub fn host_addresses(&self) -> BTreeSet<HostAddress> {
        let both =
            |last: &u8| [HostAddress::ipv4(ipv4_address(*last)), HostAddress::ipv6(ipv6_address(*last))];
        self.host_addresses.iter().flat_map(both).collect()
    }

    /// Who is known behind the port with this index.
    #[must_use]
    pub fn neighbours(&self, index: usize) -> Vec<(NeighbourKey, MacAddr)> {
        let at_port = self.neighbours.iter().filter(|neighbour| neighbour.port == index);
        let records = at_port.flat_map(|neighbour| {
            let domain = DomainId(neighbour.domain);
            let v4 = NeighbourKey::ipv4(domain, ipv4_address(neighbour.address));
            let v6 = NeighbourKey::ipv6(domain, ipv6_address(neighbour.address));
            [(v4, neighbour.mac), (v6, neighbour.mac)]
        });
        records.collect()
    }

    /// Scenarios that lack one thing that this one has.
    #[must_use]
    pub fn smaller(&self) -> Vec<Self> {
        let without = |change: &dyn Fn(&mut Self)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            smaller
        };
        let frames = (0..self.frames.len()).map(|index| {
            without(&|less| {
                less.frames.remove(index);
            })
        });
        let entries = (0..self.entries.len()).map(|index| {
            without(&|less| {
                less.entries.remove(index);
            })
        });
        let ports = self.ports.keys().map(|index| {
            without(&|less| {
                less.ports.remove(index);
            })
        });
        let neighbours = (0..self.neighbours.len()).map(|index| {
            without(&|less| {
                less.neighbours.remove(index);
            })
        });
        let groups = (0..self.groups.len()).map(|index| {
            without(&|less| {
                less.groups.remove(index);
            })
        });
        let host_addresses = self.host_addresses.iter().map(|address| {
            without(&|less| {
                less.host_addresses.remove(address);
            })
        });
        frames.chain(entries).chain(ports).chain(neighbours).chain(groups).chain(host_addresses).collect()
    }
}

impl GroupSpec {
    fn key(&self) -> GroupKey {
        let (domain, vlan) = (DomainId(self.domain), VlanId::new(self.vlan).expect("a VLAN"));
        if self.is_ipv4 {
            let group = if self.number == 0 { [0; 4] } else { generate::group_v4(self.number) };
            return GroupKey::ipv4(domain, vlan, group);
        }
        GroupKey::ipv6(domain, vlan, if self.number == 0 { [0; 16] } else { generate::group_v6(self.number) })
    }
}

/// Every station that may be learned or known: those of the ports and as many guests.
fn stations() -> Vec<MacAddr> {
    let guests = (0..PORTS).map(|guest| port_mac(0x80 + guest));
    (0..PORTS).map(port_mac).chain(guests).collect()
}

fn random_port(rng: &mut Rng) -> PortSpec {
    PortSpec {
        domain: if rng.u8(..5) == 0 { rng.u16(1..=DOMAINS) } else { 1 },
        mtu: *pick(rng, &[1500, 1500, 1500, 576, 1420, 9000]),
        max_macs: *pick(rng, &[0, 0, 0, 1, 2]),
        flags: Flag::ALL
            .into_iter()
            .filter_map(|(flag, _, percent)| (rng.u8(..100) < percent).then_some(flag))
            .collect(),
        address: *pick(rng, &[0, 1, 1, 1, 1, 2]),
        allowed: *pick(rng, &[0, 0, 0, 1, 2]),
        native_vlan: *pick(rng, &[0, 5, 5, 7]),
        vlans: pick(rng, &[vec![], vec![5], vec![7], vec![5, 7, 4094]]).clone(),
        storm_bursts: if rng.u8(..5) == 0 { [rng.u32(..3), rng.u32(..3), rng.u32(..3)] } else { [0; 3] },
    }
}

fn random_entry(rng: &mut Rng, mac: MacAddr) -> Option<EntrySpec> {
    if rng.bool() {
        return None;
    }
    let kind = match rng.u8(..6) {
        0 => EntryKind::Static,
        1 => EntryKind::Sticky,
        2 => EntryKind::Endpoint,
        _ => EntryKind::Learned { age_secs: *pick(rng, &AGES_SECS) },
    };
    let port = if rng.u8(..20) == 0 { PORTS } else { rng.usize(..PORTS) };
    let domain = if rng.u8(..5) == 0 { rng.u16(1..=DOMAINS) } else { 1 };
    Some(EntrySpec { domain, mac, port, kind })
}

fn random_neighbour(rng: &mut Rng) -> NeighbourSpec {
    let domain = if rng.u8(..5) == 0 { rng.u16(1..=DOMAINS) } else { 1 };
    let mac = *pick(rng, &stations());
    NeighbourSpec { domain, address: rng.u8(1..4), mac, port: rng.usize(..PORTS) }
}

fn random_group(rng: &mut Rng) -> GroupSpec {
    GroupSpec {
        domain: if rng.u8(..5) == 0 { rng.u16(1..=DOMAINS) } else { 1 },
        vlan: *pick(rng, &[0, 0, 0, 5, 7]),
        is_ipv4: rng.bool(),
        number: rng.u8(..3),
        members: (0..PORTS).filter(|_| rng.bool()).collect(),
    }
}

fn random_frame(rng: &mut Rng, ports: &BTreeMap<usize, PortSpec>, entries: &[EntrySpec]) -> FrameSpec {
    let port = if rng.u8(..30) == 0 { PORTS } else { rng.usize(..PORTS) };
    let src = match rng.u8(..20) {
        0 => MacAddr::ZERO,
        1 => MacAddr::new([3, 0, 0, 0, 0, rng.u8(..)]),
        2..=7 if port < PORTS => port_mac(port),
        _ => *pick(rng, &stations()),
    };
    let dst = match rng.u8(..20) {
        0 => MacAddr::new([1, 0x80, 0xc2, 0, 0, rng.u8(..0x12)]),
        1 => MacAddr::new([0x33, 0x33, 0, 0, 0, 1]),
        2 => MacAddr::new([1, 0, 0x5e, 0, 0, rng.u8(..)]),
        3..=4 => MacAddr::BROADCAST,
        _ => *pick(rng, &stations()),
    };
    let mut bytes = generate::frame(rng, dst, src);
    if rng.u8(..12) == 0 {
        let len = rng.usize(14..300);
        bytes = generate::noise(rng, dst, src, len);
    }
    while !is_runnable(&bytes) {
        bytes = generate::frame(rng, dst, src);
    }
    if rng.u8(..40) == 0 {
        bytes[..6].copy_from_slice(&PROBE_MAC.bytes());
        bytes[12..14].copy_from_slice(&PROBE_TYPE.to_be_bytes());
    }
    // The kernel cannot cut a super-frame that no stack made, as it must for a copy: so only where none is made.
    let never_flooded = entries.iter().any(|entry| {
        let is_in_domain = |port: &PortSpec| port.domain == entry.domain && !port.flags.contains(&Flag::Vlan);
        let same_domain = ports.get(&port).is_some_and(is_in_domain);
        entry.mac == dst && same_domain && !matches!(entry.kind, EntryKind::Learned { .. })
    });
    let segment_size = if never_flooded && rng.bool() { rng.u32(1..3_000) } else { 0 };
    FrameSpec { port, segment_size, bytes }
}

/// BPF_PROG_TEST_RUN refuses an untagged frame that ends within its fixed IP header, and one that leaves no room for the
/// kernel's own records in a page.
fn is_runnable(frame: &[u8]) -> bool {
    let header = match frame[12..14] {
        [0x08, 0x00] => ipv4::MIN_LEN,
        [0x86, 0xdd] => ipv6::LEN,
        _ => 0,
    };
    ((eth::LEN + header) as usize..=FRAME_MAX).contains(&frame.len())
}

fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.usize(..choices.len())]
}

mod mac_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use switch_common::abi::addr::MacAddr;

    pub(super) fn serialize<S: Serializer>(mac: &MacAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(mac)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MacAddr, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
