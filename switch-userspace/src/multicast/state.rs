//! The state of snooping: what is heard changes it, time takes away what is not confirmed.
//!
//! Changes are told as keys that are to be written anew ([`Snooping::take_changes`]) and questions that are to be asked
//! ([`Snooping::take_asks`]). A port joins no more than [`GROUPS_PER_PORT`] groups, a network has no more than
//! [`GROUPS_PER_NETWORK`]: a join beyond that is refused and counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
};

use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, PortId},
        group::GroupKey,
    },
    units::Nanos,
    wire::{ipv6, vlan::VlanId},
};

use super::{
    message::{Membership, Message, Query},
    segment::{OwnQuerier, Querier, Scope, Segment, group_of},
};
use crate::datapath::Group;

/// Most groups that are joined at one port.
pub const GROUPS_PER_PORT: usize = 256;
/// Most groups of one network, its VLANs and both families together.
pub const GROUPS_PER_NETWORK: usize = 1_024;

/// Queries that a querier starts with, four times as often (RFC 3376, 8.6 and 8.7).
const STARTUP_QUERIES: u32 = 2;
/// Time that members have for an answer, and for the last one to a leave.
const LONGEST_RESPONSE: Nanos = Nanos::from_secs(10);
const LONGEST_LAST_RESPONSE: Nanos = Nanos::from_secs(1);
/// Times that a lost message is made good.
const ROBUSTNESS: u64 = 2;
/// Things that are due within this time are done together.
const GRAIN: u64 = Nanos::PER_SEC / 20;

/// The intervals of a network (RFC 3376, 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two general queries.
    pub interval: Nanos,
}

impl Timing {
    /// How long members may take to answer: ten seconds, or half of a short interval.
    #[must_use]
    pub fn response(self) -> Nanos {
        LONGEST_RESPONSE.min(Nanos(self.interval.0 / 2))
    }

    /// How long they may take when somebody has left.
    #[must_use]
    pub fn last_response(self) -> Nanos {
        LONGEST_LAST_RESPONSE.min(self.response())
    }

    /// How long a report counts.
    #[must_use]
    pub fn membership(self) -> Nanos {
        Nanos(self.interval.0 * ROBUSTNESS + self.response().0)
    }

    /// How long a querier counts, and a router port.
    #[must_use]
    pub fn querier(self) -> Nanos {
        Nanos(self.interval.0 * ROBUSTNESS + self.response().0 / 2)
    }
}

/// Whether routers are behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterRule {
    /// Where a query came from it.
    Learned,
    /// Always.
    Always,
    /// Never: its queries are not listened to.
    Never,
}

/// What is said of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// Whether routers are behind it.
    pub router: RouterRule,
    /// Only one host is behind it: when that leaves, nobody is asked.
    pub fast_leave: bool,
}

/// What is said of a network that snoops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRules {
    /// Its intervals.
    pub timing: Timing,
    /// The switch's own MAC where it asks itself while nobody else does.
    pub querier: Option<MacAddr>,
    /// The VLANs in which it asks.
    pub vlans: BTreeSet<VlanId>,
    /// Its ports.
    pub ports: BTreeMap<PortId, PortRules>,
}

/// A question that the switch is to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub scope: Scope,
    /// At one port only.
    pub port: Option<PortId>,
    /// For this group only.
    pub group: Option<IpAddr>,
    /// From whom.
    pub mac: MacAddr,
    /// What members may take to answer.
    pub max_response: Nanos,
    /// Between two general queries.
    pub interval: Nanos,
}

/// What an [`Entry`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A port that is a member of a group.
    Member(IpAddr),
    /// A port with routers behind it.
    Router,
    /// Who asks for members: an address behind a port, or the switch itself where it has none.
    Querier(Option<IpAddr>),
}

/// One thing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub scope: Scope,
    /// What.
    pub kind: EntryKind,
    /// Which port it is about.
    pub port: Option<PortId>,
    /// When it ends; `None` for what does not.
    pub until: Option<Nanos>,
}

/// The state of all networks.
#[derive(Clone, Debug, Default)]
pub struct Snooping {
    networks: BTreeMap<DomainId, NetworkRules>,
    segments: BTreeMap<Scope, Segment>,
    refused: BTreeMap<PortId, u64>,
    changes: BTreeSet<GroupKey>,
    asks: Vec<Ask>,
    /// Nothing is due before this moment.
    due: Option<Nanos>,
}

impl Snooping {
    /// Takes over what the datapath has from before a restart: all of it counts as if it had just been confirmed.
    pub fn adopt(&mut self, now: Nanos, groups: &[Group]) {
        for Group { key, ports } in groups {
            let scope = Scope::of(*key);
            let Some(network) = self.networks.get(&scope.domain) else {
                self.changes.insert(*key);
                continue;
            };
            let (member, querier) =
                (after(now, network.timing.membership()), after(now, network.timing.querier()));
            let segment = self.segments.entry(scope).or_default();
            match group_of(*key) {
                Some(group) => {
                    segment.groups.insert(group, ports.iter().map(|port| (*port, member)).collect());
                }
                None => {
                    segment.routers = ports.iter().map(|port| (*port, querier)).collect();
                    // Where the switch asks itself it does so at once; otherwise somebody else did.
                    if segment.own.is_none() {
                        segment.querier = Some(Querier { known: None, until: querier });
                    }
                    (segment.settles, segment.is_settled) = (Some(now), true);
                }
            }
        }
        for segment in self.segments.values_mut() {
            let routers = &segment.routers;
            // Router ports get every group; whether they are members too is told again before they stop being that.
            segment
                .groups
                .values_mut()
                .for_each(|members| members.retain(|port, _| !routers.contains_key(port)));
        }
        let networks = &self.networks;
        let is_there = |scope: &Scope, port: &PortId| {
            networks.get(&scope.domain).is_some_and(|network| network.ports.contains_key(port))
        };
        for (scope, segment) in &mut self.segments {
            segment.routers.retain(|port, _| is_there(scope, port));
            segment.groups.values_mut().for_each(|members| members.retain(|port, _| is_there(scope, port)));
            self.changes.extend(segment.keys(*scope));
        }
        self.due = None;
    }

    /// Says which networks snoop, and with what rules. What is known of ports that are gone is forgotten.
    pub fn set_networks(&mut self, now: Nanos, networks: BTreeMap<DomainId, NetworkRules>) {
        if self.networks == networks {
            return;
        }
        for (scope, segment) in &self.segments {
            if self.networks.get(&scope.domain) != networks.get(&scope.domain) {
                self.changes.extend(segment.keys(*scope));
            }
        }
        self.segments.retain(|scope, _| networks.contains_key(&scope.domain));
        self.refused.retain(|port, _| networks.values().any(|network| network.ports.contains_key(port)));
        for (scope, segment) in &mut self.segments {
            let Some(network) = networks.get(&scope.domain) else { continue };
            let is_router = |port: &PortId| {
                network.ports.get(port).is_some_and(|rules| rules.router != RouterRule::Never)
            };
            segment.routers.retain(|port, _| is_router(port));
            segment
                .groups
                .values_mut()
                .for_each(|members| members.retain(|port, _| network.ports.contains_key(port)));
            segment.groups.retain(|_, members| !members.is_empty());
            if segment.querier.is_some_and(|querier| querier.known.is_some_and(|(port, _)| !is_router(&port)))
            {
                segment.querier = None;
            }
            if network.querier.is_none() || !network.vlans.contains(&scope.vlan) {
                segment.own = None;
            }
        }
        for (domain, network) in networks.iter().filter(|(_, network)| network.querier.is_some()) {
            for (vlan, is_ipv4) in network.vlans.iter().flat_map(|vlan| [(*vlan, true), (*vlan, false)]) {
                let segment = self.segments.entry(Scope { domain: *domain, vlan, is_ipv4 }).or_default();
                segment.own.get_or_insert(OwnQuerier { next: now, asked: 0 });
            }
        }
        self.networks = networks;
        self.due = None;
    }

    /// Takes note of a message that came in on a port.
    pub fn hear(&mut self, now: Nanos, port: PortId, vlan: VlanId, is_ipv4: bool, message: &Message) {
        let place = self.networks.iter().find_map(|(domain, network)| {
            let rules = *network.ports.get(&port)?;
            Some((Scope { domain: *domain, vlan, is_ipv4 }, rules, network.timing))
        });
        let Some((scope, rules, timing)) = place else { return };
        match message {
            Message::Query(query) if rules.router != RouterRule::Never => {
                self.hear_query(now, scope, port, timing, query);
            }
            Message::Query(_) => {}
            Message::Report(memberships) => {
                for membership in memberships {
                    self.hear_report(now, scope, (port, rules), timing, *membership);
                }
            }
        }
    }

    /// Forgets what has come to its end, and asks what is to be asked.
    pub fn expire(&mut self, now: Nanos) {
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        for (scope, segment) in &mut self.segments {
            let Some(network) = self.networks.get(&scope.domain) else { continue };
            let before = segment.keys(*scope);
            let members = |segment: &Segment| segment.groups.values().map(BTreeMap::len).sum::<usize>();
            let state = (segment.routers.len(), segment.is_settled, members(segment));
            segment.querier = segment.querier.filter(|querier| querier.until > now);
            segment.routers.retain(|_, until| *until > now);
            segment.groups.values_mut().for_each(|members| members.retain(|_, until| *until > now));
            segment.groups.retain(|_, members| !members.is_empty());
            self.asks.extend(ask_if_due(now, *scope, segment, network));
            if segment.querier.is_none() && segment.own.is_none() {
                (segment.settles, segment.is_settled) = (None, false);
            }
            segment.is_settled |= segment.settles.is_some_and(|settles| settles <= now);
            if state != (segment.routers.len(), segment.is_settled, members(segment)) {
                self.changes.extend(before);
            }
        }
        self.segments.retain(|_, segment| segment.due().is_some());
        let due = self.segments.values().filter_map(Segment::due).min();
        self.due = Some(due.map_or(Nanos(u64::MAX), |due| Nanos(due.0.max(now.0 + GRAIN))));
    }

    /// When [`Self::expire`] has something to do; `None` where it never has.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.due.filter(|due| due.0 != u64::MAX)
    }

    /// Groups whose ports are to be written anew.
    pub fn take_changes(&mut self) -> BTreeSet<GroupKey> {
        mem::take(&mut self.changes)
    }

    /// Questions that are to be asked.
    pub fn take_asks(&mut self) -> Vec<Ask> {
        mem::take(&mut self.asks)
    }

    /// The ports that a group goes to; `None` where the datapath is not to know it.
    #[must_use]
    pub fn ports_of(&self, key: GroupKey) -> Option<Vec<PortId>> {
        let scope = Scope::of(key);
        let network = self.networks.get(&scope.domain)?;
        let segment = self.segments.get(&scope)?;
        let members = match group_of(key) {
            Some(group) => Some(segment.groups.get(&group)?),
            None => segment.is_settled.then_some(None)?,
        };
        let always = network.ports.iter().filter(|(_, rules)| rules.router == RouterRule::Always);
        let ports = members.into_iter().flat_map(BTreeMap::keys).chain(segment.routers.keys());
        let ports: BTreeSet<PortId> = ports.chain(always.map(|(port, _)| port)).copied().collect();
        Some(ports.into_iter().collect())
    }

    /// Gives up a group that the datapath has no room for; its members count as refused.
    pub fn refuse(&mut self, key: GroupKey) {
        let members = self.segments.get_mut(&Scope::of(key)).zip(group_of(key));
        let members = members.and_then(|(segment, group)| segment.groups.remove(&group));
        for port in members.into_iter().flatten().map(|(port, _)| port) {
            *self.refused.entry(port).or_default() += 1;
        }
    }

    /// Groups joined at a port, and joins that were refused.
    #[must_use]
    pub fn count_of(&self, port: PortId) -> (u64, u64) {
        (self.joined(port) as u64, self.refused.get(&port).copied().unwrap_or(0))
    }

    /// Everything that is known.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (scope, segment) in &self.segments {
            let entry = |kind, port, until| Entry { scope: *scope, kind, port, until };
            match segment.querier {
                Some(querier) => {
                    let (port, address) = querier.known.unzip();
                    entries.push(entry(EntryKind::Querier(address), port, Some(querier.until)));
                }
                None if segment.own.is_some() => entries.push(entry(EntryKind::Querier(None), None, None)),
                None => {}
            }
            let routers = segment.routers.iter();
            entries.extend(routers.map(|(port, until)| entry(EntryKind::Router, Some(*port), Some(*until))));
            for (group, members) in &segment.groups {
                let member = |(port, until): (&PortId, &Nanos)| {
                    entry(EntryKind::Member(*group), Some(*port), Some(*until))
                };
                entries.extend(members.iter().map(member));
            }
        }
        entries
    }

    fn hear_query(&mut self, now: Nanos, scope: Scope, port: PortId, timing: Timing, query: &Query) {
        let segment = self.segments.entry(scope).or_default();
        let until = after(now, timing.querier());
        if segment.querier.is_none_or(|querier| querier.yields_to(query.source)) {
            segment.querier = Some(Querier { known: Some((port, query.source)), until });
        }
        segment.settle_after(now, query.max_response);
        if segment.routers.insert(port, until).is_none() {
            self.changes.extend(segment.keys(scope));
        }
        if let Some(group) = query.group.filter(|_| !query.has_sources) {
            let last = Nanos(now.0 + query.max_response.0 * ROBUSTNESS);
            for until in segment.groups.get_mut(&group).into_iter().flat_map(BTreeMap::values_mut) {
                *until = last.min(*until);
            }
        }
        // What was made shorter is due earlier.
        self.due = None;
    }

    fn hear_report(
        &mut self,
        now: Nanos,
        scope: Scope,
        (port, rules): (PortId, PortRules),
        timing: Timing,
        Membership { group, is_member }: Membership,
    ) {
        let members = self.segments.get(&scope).and_then(|segment| segment.groups.get(&group));
        let is_known = members.is_some_and(|members| members.contains_key(&port));
        if is_member && !is_known && !self.has_room(scope, port, members.is_some()) {
            *self.refused.entry(port).or_default() += 1;
            return;
        }
        let segment = self.segments.entry(scope).or_default();
        if is_member {
            let until = after(now, timing.membership());
            segment.groups.entry(group).or_default().insert(port, until);
            self.due = self.due.map(|due| due.min(until));
            if !is_known {
                self.changes.insert(scope.key(Some(group)));
            }
            return;
        }
        let Some(members) = segment.groups.get_mut(&group).filter(|_| is_known) else { return };
        if rules.fast_leave {
            members.remove(&port);
            if members.is_empty() {
                segment.groups.remove(&group);
            }
            self.changes.insert(scope.key(Some(group)));
        } else if segment.querier.is_none()
            && segment.own.is_some()
            && let Some(mac) = self.networks.get(&scope.domain).and_then(|network| network.querier)
        {
            let max_response = timing.last_response();
            let last = Nanos(now.0 + max_response.0 * ROBUSTNESS);
            members.entry(port).and_modify(|until| *until = last.min(*until));
            let interval = timing.interval;
            self.asks.push(Ask { scope, port: Some(port), group: Some(group), mac, max_response, interval });
            self.due = self.due.map(|due| due.min(last));
        }
    }

    fn has_room(&self, scope: Scope, port: PortId, is_known_group: bool) -> bool {
        let segments = self.segments.iter().filter(|(other, _)| other.domain == scope.domain);
        let groups: usize = segments.map(|(_, segment)| segment.groups.len()).sum();
        (is_known_group || groups < GROUPS_PER_NETWORK) && self.joined(port) < GROUPS_PER_PORT
    }

    fn joined(&self, port: PortId) -> usize {
        let groups = self.segments.values().flat_map(|segment| segment.groups.values());
        groups.filter(|members| members.contains_key(&port)).count()
    }
}

fn after(now: Nanos, span: Nanos) -> Nanos {
    Nanos(now.0 + span.0)
}

/// The switch's own general query where it is its turn: while nobody else asks, or nobody that it has to yield to.
fn ask_if_due(now: Nanos, scope: Scope, segment: &mut Segment, network: &NetworkRules) -> Option<Ask> {
    let (own, mac) = (segment.own.as_mut()?, network.querier?);
    let interval = network.timing.interval;
    if let Some(querier) = segment.querier.filter(|querier| has_precedence(querier, scope, mac)) {
        *own = OwnQuerier { next: querier.until, asked: 0 };
        return None;
    }
    if own.next > now {
        return None;
    }
    own.asked += 1;
    own.next = after(now, if own.asked < STARTUP_QUERIES { Nanos(interval.0 / 4) } else { interval });
    let max_response = network.timing.response();
    segment.settle_after(now, max_response);
    Some(Ask { scope, port: None, group: None, mac, max_response, interval })
}

/// Whether a querier goes before the switch, whose IPv4 address is none and whose IPv6 address is its MAC's.
fn has_precedence(querier: &Querier, scope: Scope, mac: MacAddr) -> bool {
    querier.known.is_none_or(|(_, source)| {
        !source.is_unspecified() && (scope.is_ipv4 || source < IpAddr::from(ipv6::link_local(mac)))
    })
}

#[cfg(test)]
mod tests;
