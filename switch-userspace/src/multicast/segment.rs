//! What is known of one VLAN of one network in one family: who asks, behind which ports routers are, who is a member.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use switch_common::{
    abi::{
        addr::{DomainId, PortId},
        group::GroupKey,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

/// A VLAN of a network in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The network's domain.
    pub domain: DomainId,
    /// [`VlanId::NONE`] where the network knows no VLANs.
    pub vlan: VlanId,
    /// IPv4, or else IPv6.
    pub is_ipv4: bool,
}

impl Scope {
    /// The scope of a group that the datapath knows.
    #[must_use]
    pub fn of(key: GroupKey) -> Self {
        let vlan = VlanId::new(key.vlan()).unwrap_or(VlanId::NONE);
        Self { domain: key.domain(), vlan, is_ipv4: key.is_ipv4() }
    }

    /// The datapath's key of a group; `None` for those that are not registered.
    #[must_use]
    pub fn key(self, group: Option<IpAddr>) -> GroupKey {
        match group {
            Some(IpAddr::V4(ip)) => GroupKey::ipv4(self.domain, self.vlan, ip.octets()),
            Some(IpAddr::V6(ip)) => GroupKey::ipv6(self.domain, self.vlan, ip.octets()),
            None if self.is_ipv4 => GroupKey::ipv4(self.domain, self.vlan, [0; 4]),
            None => GroupKey::ipv6(self.domain, self.vlan, [0; 16]),
        }
    }
}

/// The group of a key; `None` for those that are not registered.
pub(super) fn group_of(key: GroupKey) -> Option<IpAddr> {
    let [a, b, c, d, ..] = key.ip();
    let ip: IpAddr =
        if key.is_ipv4() { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(key.ip()).into() };
    (!ip.is_unspecified()).then_some(ip)
}

/// A router, or a switch in its place, that asks for members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Querier {
    /// Its address and the port that it is behind; nothing is known of one from before a restart.
    pub(super) known: Option<(PortId, IpAddr)>,
    /// When it counts as gone.
    pub(super) until: Nanos,
}

impl Querier {
    /// Whether another one takes its place (RFC 2236, 3): the one with the lower address, and any before a switch without one.
    pub(super) fn yields_to(&self, source: IpAddr) -> bool {
        self.known.is_none_or(|(_, own)| own.is_unspecified() || !source.is_unspecified() && source <= own)
    }
}

/// The switch as querier.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnQuerier {
    /// When it asks next.
    pub(super) next: Nanos,
    /// How often it has asked.
    pub(super) asked: u32,
}

/// All that is known of a scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) querier: Option<Querier>,
    pub(super) own: Option<OwnQuerier>,
    /// When everybody has had the time to answer, since somebody asks.
    pub(super) settles: Option<Nanos>,
    /// Whether that is so: who did not answer is no member.
    pub(super) is_settled: bool,
    /// Ports with routers behind them, and until when.
    pub(super) routers: BTreeMap<PortId, Nanos>,
    /// Members, and until when.
    pub(super) groups: BTreeMap<IpAddr, BTreeMap<PortId, Nanos>>,
}

impl Segment {
    /// The keys of all that the datapath can know of it.
    pub(super) fn keys(&self, scope: Scope) -> BTreeSet<GroupKey> {
        let groups = self.groups.keys().map(|group| Some(*group));
        groups.chain([None]).map(|group| scope.key(group)).collect()
    }

    /// The next moment at which something is to be done.
    pub(super) fn due(&self) -> Option<Nanos> {
        let members = self.groups.values().flat_map(BTreeMap::values);
        let moments = self.routers.values().chain(members).copied();
        let querier = self.querier.map(|querier| querier.until);
        let settles = self.settles.filter(|_| !self.is_settled);
        moments.chain(querier).chain(self.own.map(|own| own.next)).chain(settles).min()
    }

    /// Notes that somebody asks, and gives members `max_response` to answer.
    pub(super) fn settle_after(&mut self, now: Nanos, max_response: Nanos) {
        self.settles.get_or_insert(Nanos(now.0 + max_response.0));
    }
}
