//! Multicast: what hosts and routers say becomes groups in the datapath, and `port mdb` shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, PortId},
        group::GroupKey,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

use super::{Control, error::ControlError};
use crate::{
    api::types::{ErrorBody, MdbEntry, MdbKind, MdbQuery},
    datapath::{DatapathError, SnoopSource, naming},
    model::{Network, NetworkName},
    multicast::{Ask, Entry, EntryKind, Message, NetworkRules, query},
    sys::clock::monotonic,
};

/// A membership message with where it came from.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Nanos,
    /// The port.
    pub port: PortId,
    /// The VLAN.
    pub vlan: VlanId,
    /// The family.
    pub is_ipv4: bool,
    /// What it says.
    pub message: Message,
}

impl Control {
    /// Opens the stream of membership messages.
    ///
    /// # Errors
    /// The datapath cannot open it.
    pub fn snooped(&self) -> Result<Box<dyn SnoopSource>, ErrorBody> {
        self.kernel
            .datapath(|datapath| datapath.snooped())
            .map_err(|error| error.told("listen to groups", ""))
    }

    /// Takes note of a membership message.
    pub fn hear(&mut self, heard: &Heard) {
        self.sync_multicast();
        self.snooping.hear(heard.at, heard.port, heard.vlan, heard.is_ipv4, &heard.message);
        self.apply_multicast();
    }

    /// What is known of groups, routers and queriers, by network, VLAN and group.
    ///
    /// # Errors
    /// There is no such port or network.
    pub fn mdb(&self, query: &MdbQuery) -> Result<Vec<MdbEntry>, ErrorBody> {
        self.try_mdb(query).map_err(|error| error.told("show groups", ""))
    }

    /// Takes over the groups that the datapath has from before a restart.
    pub(super) fn adopt_groups(&mut self) -> Result<(), ControlError> {
        self.sync_multicast();
        let groups = self.kernel.datapath(|datapath| Ok(datapath.groups()))?;
        self.snooping.adopt(monotonic(), &groups);
        self.apply_multicast();
        Ok(())
    }

    /// Does what is due; says when something is due next.
    pub(super) fn tick_multicast(&mut self, now: Instant) -> Option<Instant> {
        self.sync_multicast();
        self.snooping.expire(monotonic());
        self.apply_multicast();
        let due = self.snooping.next_due()?;
        Some(now + Duration::from_nanos(due.since(monotonic()).0))
    }

    /// Tells the state of networks and ports where that may have changed.
    fn sync_multicast(&mut self) {
        if !std::mem::take(&mut self.is_multicast_stale) {
            return;
        }
        let snooping = self.model.networks.iter().filter(|(_, network)| network.snooping);
        let networks = snooping.map(|(name, network)| (network.domain, self.rules(name, network))).collect();
        self.snooping.set_networks(monotonic(), networks);
    }

    fn rules(&self, name: &NetworkName, network: &Network) -> NetworkRules {
        let ports: Vec<_> = self.model.ports().filter(|port| port.network() == name).collect();
        let native = |port: &crate::model::PortRef<'_>| {
            network.vlans_of(port.settings()).map_or(VlanId::NONE, |vlans| vlans.native())
        };
        let is_possible = |vlan: &VlanId| network.default_vlan.is_none() || *vlan != VlanId::NONE;
        let vlans: BTreeSet<VlanId> = ports.iter().map(native).filter(is_possible).collect();
        NetworkRules {
            timing: network.timing(),
            querier: network.querier.then(|| self.querier_mac(name, network)),
            vlans,
            ports: ports.iter().map(|port| (port.id(), port.settings().port_rules())).collect(),
        }
    }

    /// A MAC for the switch's own queries that no other switch on the same wire has.
    fn querier_mac(&self, name: &NetworkName, network: &Network) -> MacAddr {
        let text = format!("{} {name} {}", self.settings.instance, network.created);
        let [a, b, c, d, e, ..] = naming::digest(text.as_bytes()).to_be_bytes();
        MacAddr::new([2, a, b, c, d, e])
    }

    /// Makes the datapath follow the state.
    fn apply_multicast(&mut self) {
        for key in self.snooping.take_changes() {
            self.write_group(key);
        }
        for ask in self.snooping.take_asks() {
            if let Err(error) = self.ask(&ask) {
                tracing::warn!(%error, "a multicast query could not be sent");
            }
        }
    }

    fn write_group(&mut self, key: GroupKey) {
        let ports = self.snooping.ports_of(key);
        let written = self.kernel.datapath(|datapath| match ports {
            Some(ports) => datapath.set_group(key, &ports),
            None => datapath.remove_group(key),
        });
        match written {
            Ok(()) => {}
            Err(ControlError::Datapath(DatapathError::Full { .. })) => self.snooping.refuse(key),
            Err(error) => tracing::warn!(%error, "a multicast group could not be written"),
        }
    }

    fn ask(&self, ask: &Ask) -> Result<(), ControlError> {
        let frame = query::frame(ask.mac, ask.scope.is_ipv4, ask.group, ask.max_response, ask.interval);
        let place = (ask.scope.domain, ask.scope.vlan);
        self.kernel.datapath(|datapath| datapath.originate(place, ask.port, &frame))
    }

    fn try_mdb(&self, query: &MdbQuery) -> Result<Vec<MdbEntry>, ControlError> {
        let port = query.port.as_deref().map(|name| self.model.port_by_name(name)).transpose()?;
        let port = port.map(|port| port.id());
        let domain = match query.network.as_deref() {
            Some(name) => Some(self.model.network(&super::network_name(name)?)?.domain),
            None => None,
        };
        let names: BTreeMap<DomainId, &NetworkName> =
            self.model.networks.iter().map(|(name, network)| (network.domain, name)).collect();
        let now = monotonic();
        let is_meant = |entry: &Entry| {
            domain.is_none_or(|domain| entry.scope.domain == domain)
                && port.is_none_or(|port| entry.port == Some(port))
        };
        let entries = self.snooping.entries().into_iter().filter(is_meant);
        Ok(entries
            .filter_map(|entry| {
                let network = names.get(&entry.scope.domain)?.to_string();
                Some(self.view_mdb(network, &entry, now))
            })
            .collect())
    }

    fn view_mdb(&self, network: String, entry: &Entry, now: Nanos) -> MdbEntry {
        let (kind, group, address) = match entry.kind {
            EntryKind::Member(group) => (MdbKind::Member, Some(group), None),
            EntryKind::Router => (MdbKind::Router, None, None),
            EntryKind::Querier(address) => (MdbKind::Querier, None, address),
        };
        MdbEntry {
            network,
            vlan: Some(entry.scope.vlan.get()).filter(|vlan| *vlan > 0),
            family: if entry.scope.is_ipv4 { 4 } else { 6 },
            kind,
            group,
            port: entry.port.map(|port| self.port_name(port)),
            address,
            expires_secs: entry.until.map(|until| until.since(now).as_secs()),
        }
    }
}
