//! The forwarding database: show, add, delete, flush.

use std::collections::{BTreeMap, BTreeSet};

use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        fdb::{FdbEntry, FdbKey, FdbKind},
    },
    units::Nanos,
    wire::vlan::VlanId,
};

use super::{Control, error::ControlError, kernel::Kernel, network_name};
use crate::{
    api::types::{
        self, ErrorBody, EventKind, FdbAdd, FdbDelete, FdbFilter, FdbFlush, FdbQuery, FdbType, Flushed,
    },
    model::{ModelError, Network, NetworkName, PortRef, StaticEntry, parse_mac},
    netns::Undo,
    sys::clock::monotonic,
};

/// Which entries are meant; `None` means all.
#[derive(Clone, Copy, Debug, Default)]
struct Selection {
    domain: Option<DomainId>,
    port: Option<(PortId, Slot)>,
}

impl Selection {
    fn has(self, key: &FdbKey, entry: &FdbEntry) -> bool {
        self.domain.is_none_or(|domain| domain == key.domain())
            && self.port.is_none_or(|(port, _)| port == entry.port())
    }

    /// The same of an entry that was set, whether its port is there or not.
    fn has_static(self, domain: DomainId, entry: &StaticEntry) -> bool {
        self.domain.is_none_or(|wanted| wanted == domain)
            && self.port.is_none_or(|(_, slot)| slot == entry.slot)
    }
}

impl Control {
    /// The living entries that `query` lets through, by network and MAC.
    ///
    /// # Errors
    /// There is no such network or port; the FDB cannot be read.
    pub fn fdb(&self, query: &FdbQuery) -> Result<Vec<types::FdbEntry>, ErrorBody> {
        self.try_fdb(query).map_err(|error| error.told("show FDB", ""))
    }

    /// Sets an entry that neither ages nor moves.
    ///
    /// # Errors
    /// There is no such port; the MAC is none, or an endpoint's own; another entry was set for it; the FDB is full.
    pub fn add_fdb(&mut self, wish: FdbAdd) -> Result<types::FdbEntry, ErrorBody> {
        let object = wish.mac.clone();
        self.try_add_fdb(&wish).map_err(|error| error.told("add FDB entry", &object))
    }

    /// Deletes an entry, learned or set.
    ///
    /// # Errors
    /// There is none, there are several, or it is an endpoint's own.
    pub fn delete_fdb(&mut self, wish: &FdbDelete) -> Result<types::FdbEntry, ErrorBody> {
        self.try_delete_fdb(wish).map_err(|error| error.told("delete FDB entry", &wish.mac))
    }

    /// Deletes learned entries, and with `all` those that were set as well.
    ///
    /// # Errors
    /// There is no such network or port; the FDB cannot be changed.
    pub fn flush_fdb(&mut self, wish: &FdbFlush) -> Result<Flushed, ErrorBody> {
        self.try_flush_fdb(wish).map_err(|error| error.told("flush FDB", ""))
    }

    fn try_fdb(&self, query: &FdbQuery) -> Result<Vec<types::FdbEntry>, ControlError> {
        let selection = self.selection(query.network.as_deref(), query.port.as_deref())?;
        let now = monotonic();
        let ports: BTreeMap<PortId, String> =
            self.model.ports().map(|port| (port.id(), port.name())).collect();
        let networks: BTreeMap<DomainId, (&NetworkName, &Network)> =
            self.model.networks.iter().map(|(name, network)| (network.domain, (name, network))).collect();
        let mut entries = Vec::new();
        for (key, entry) in self.kernel.datapath(|datapath| datapath.list_fdb())? {
            let Some((name, network)) = networks.get(&key.domain()) else { continue };
            let is_alive = !entry.is_expired(now, ageing(network));
            if is_alive && selection.has(&key, &entry) && passes(query.filter, &entry) {
                let port = ports.get(&entry.port()).cloned().unwrap_or_else(|| entry.port().0.to_string());
                entries.extend(view(name, key, &entry, port, now));
            }
        }
        entries.sort_by(|a, b| (&a.network, &a.mac, a.vlan).cmp(&(&b.network, &b.mac, b.vlan)));
        Ok(entries)
    }

    fn try_add_fdb(&mut self, wish: &FdbAdd) -> Result<types::FdbEntry, ControlError> {
        let mac = parse_mac(&wish.mac)?;
        let port = self.model.port_by_name(&wish.port)?;
        let (id, slot, name) = (port.id(), port.slot(), port.name());
        let network_name = self.network_of(&port, wish.network.as_deref())?;
        let network = self.model.network(&network_name)?;
        let set = StaticEntry { mac, vlan: vlan_of(network, &port, wish.vlan)?, slot, kind: wish.kind };
        let key = set.key(network.domain);
        let before = self.static_entry(&network_name, key);
        if let Some(other) = before
            && other != (id, wish.kind.fdb_kind())
            && !wish.replace
        {
            let (network, port) = (network_name.to_string(), self.port_name(other.0));
            return Err(ModelError::FdbEntryExists { mac, network, port }.into());
        }
        let mut next = self.model.clone();
        next.put_static_entry(&network_name, set)?;
        self.transact(next, |kernel, undo, _| {
            kernel.put_fdb(key, id, wish.kind.fdb_kind())?;
            undo.push(format!("restore FDB entry {mac}"), move || match before {
                Some((port, kind)) => kernel.put_fdb(key, port, kind),
                None => kernel.datapath(|datapath| datapath.remove_fdb(key)).map(drop),
            });
            Ok(())
        })?;
        let entry = FdbEntry::new(id, wish.kind.fdb_kind(), Nanos(0));
        let kind = type_of(wish.kind.fdb_kind());
        let network = network_name.to_string();
        self.hub.publish(EventKind::FdbAdded { network, mac: mac.to_string(), port: name.clone(), kind });
        let view = view(&network_name, key, &entry, name, monotonic());
        Ok(view.ok_or(ModelError::NoFdbEntry { mac, network: None })?)
    }

    fn try_delete_fdb(&mut self, wish: &FdbDelete) -> Result<types::FdbEntry, ControlError> {
        let mac = parse_mac(&wish.mac)?;
        let all = FdbQuery { network: wish.network.clone(), ..FdbQuery::default() };
        let text = mac.to_string();
        let mut found: Vec<_> = self.try_fdb(&all)?.into_iter().filter(|entry| entry.mac == text).collect();
        found.extend(self.dormant(mac, wish.network.as_deref(), &found));
        found.retain(|entry| wish.vlan.is_none() || entry.vlan == wish.vlan);
        if found.len() > 1 {
            let place = |entry: types::FdbEntry| match entry.vlan {
                Some(vlan) => format!("{} VLAN {vlan}", entry.network),
                None => entry.network,
            };
            let places = found.into_iter().map(place).collect();
            return Err(ModelError::SeveralNetworks { mac, places }.into());
        }
        let Some(entry) = found.pop() else {
            return Err(ModelError::NoFdbEntry { mac, network: wish.network.clone() }.into());
        };
        if entry.kind == FdbType::Endpoint {
            return Err(ControlError::OwnMac { mac: text, port: entry.port });
        }
        let name = network_name(&entry.network)?;
        let vlan = entry.vlan.and_then(VlanId::new).unwrap_or(VlanId::NONE);
        let key = FdbKey::new(self.model.network(&name)?.domain, mac).in_vlan(vlan);
        let mut next = self.model.clone();
        next.remove_static_entries(|domain, entry| entry.key(domain) == key);
        self.transact(next, |kernel, undo, _| kernel.remove_fdb(undo, key))?;
        self.hub.publish(EventKind::FdbDeleted { network: entry.network.clone(), mac: entry.mac.clone() });
        Ok(entry)
    }

    fn try_flush_fdb(&mut self, wish: &FdbFlush) -> Result<Flushed, ControlError> {
        let selection = self.selection(wish.network.as_deref(), wish.port.as_deref())?;
        let is_meant =
            |entry: &FdbEntry| entry.is_learned() || (wish.all && entry.kind() != Some(FdbKind::Endpoint));
        let mut keys: BTreeSet<FdbKey> = self
            .kernel
            .datapath(|datapath| datapath.list_fdb())?
            .iter()
            .filter(|(key, entry)| is_meant(entry) && selection.has(key, entry))
            .map(|(key, _)| *key)
            .collect();
        let there = keys.clone();
        let mut next = self.model.clone();
        if wish.all {
            let set = next.remove_static_entries(|domain, entry| selection.has_static(domain, entry));
            keys.extend(set.into_iter().map(|(domain, entry)| entry.key(domain)));
        }
        self.transact(next, |kernel, undo, _| {
            there.into_iter().try_for_each(|key| kernel.remove_fdb(undo, key))
        })?;
        let removed = keys.len() as u64;
        self.hub.publish(EventKind::FdbFlushed { removed });
        Ok(Flushed { removed })
    }

    fn selection(&self, network: Option<&str>, port: Option<&str>) -> Result<Selection, ControlError> {
        let mut selection = Selection::default();
        if let Some(name) = network {
            selection.domain = Some(self.model.network(&network_name(name)?)?.domain);
        }
        if let Some(name) = port {
            let port = self.model.port_by_name(name)?;
            self.network_of(&port, network)?;
            selection.port = Some((port.id(), port.slot()));
        }
        Ok(selection)
    }

    /// The network of a port, which is to be the one that was named, where one was.
    fn network_of(&self, port: &PortRef<'_>, named: Option<&str>) -> Result<NetworkName, ControlError> {
        let actual = port.network();
        match named {
            Some(network) if network != actual.as_str() => {
                self.model.network(&network_name(network)?)?;
                let (port, network, actual) = (port.name(), network.to_owned(), actual.to_string());
                Err(ModelError::OtherNetwork { port, network, actual }.into())
            }
            _ => Ok(actual.clone()),
        }
    }

    /// Entries of a MAC that were set and are not among those `found`, because their port's interface is missing.
    fn dormant(
        &self,
        mac: MacAddr,
        network: Option<&str>,
        found: &[types::FdbEntry],
    ) -> Vec<types::FdbEntry> {
        let is_meant = |name: &NetworkName| network.is_none_or(|network| network == name.as_str());
        let mut entries = Vec::new();
        for (name, network) in self.model.networks.iter().filter(|(name, _)| is_meant(name)) {
            for set in network.static_entries.iter().filter(|set| set.mac == mac) {
                let key = set.key(network.domain);
                let is_found =
                    |entry: &types::FdbEntry| entry.network == name.as_str() && entry.vlan == shown_vlan(key);
                let Some((port, kind)) = self.static_entry(name, key).filter(|_| !found.iter().any(is_found))
                else {
                    continue;
                };
                let entry = FdbEntry::new(port, kind, Nanos(0));
                entries.extend(view(name, key, &entry, self.port_name(port), monotonic()));
            }
        }
        entries
    }

    /// The port and sort of an entry that was set by command.
    fn static_entry(&self, network: &NetworkName, key: FdbKey) -> Option<(PortId, FdbKind)> {
        let network = self.model.networks.get(network)?;
        let entry = network.static_entries.iter().find(|entry| entry.key(network.domain) == key)?;
        let port = self.model.ports().find(|port| port.slot() == entry.slot)?;
        Some((port.id(), entry.kind.fdb_kind()))
    }
}

impl Kernel {
    /// Removes an FDB entry. That there is none is no failure.
    fn remove_fdb<'a>(&'a self, undo: &mut Undo<'a>, key: FdbKey) -> Result<(), ControlError> {
        if let Some(entry) = self.datapath(|datapath| datapath.remove_fdb(key))? {
            undo.push(format!("restore FDB entry {}", key.mac()), move || {
                self.datapath(|datapath| datapath.put_fdb(key, entry))
            });
        }
        Ok(())
    }
}

/// Lifetime of a network's learned entries.
pub(super) fn ageing(network: &Network) -> Nanos {
    Nanos::from_secs(network.ageing_secs)
}

fn passes(filter: Option<FdbFilter>, entry: &FdbEntry) -> bool {
    match filter {
        None => true,
        Some(FdbFilter::Dynamic) => entry.is_learned(),
        Some(FdbFilter::Static) => !entry.is_learned(),
    }
}

fn view(
    network: &NetworkName,
    key: FdbKey,
    entry: &FdbEntry,
    port: String,
    now: Nanos,
) -> Option<types::FdbEntry> {
    Some(types::FdbEntry {
        network: network.to_string(),
        mac: key.mac().to_string(),
        port,
        kind: type_of(entry.kind()?),
        vlan: shown_vlan(key),
        age_secs: entry.is_learned().then(|| now.since(entry.last_seen()).as_secs()),
    })
}

/// The VLAN of an entry; nothing where the network knows none.
fn shown_vlan(key: FdbKey) -> Option<u16> {
    Some(key.vlan()).filter(|vlan| *vlan != 0)
}

/// The VLAN of an entry behind a port: the one that is asked for, or that of the port's untagged frames.
fn vlan_of(network: &Network, port: &PortRef<'_>, wanted: Option<u16>) -> Result<u16, ModelError> {
    let vlans = network.vlans_of(port.settings());
    let other =
        |carried: &dyn ToString| ModelError::OtherVlan { port: port.name(), carried: carried.to_string() };
    match (vlans, wanted) {
        (None, None) => Ok(0),
        (None, Some(_)) => Err(other(&"a network without VLANs")),
        (Some(vlans), None) if vlans.native() != VlanId::NONE => Ok(vlans.native().get()),
        (Some(vlans), wanted) => {
            let wanted = wanted.and_then(VlanId::new).unwrap_or(VlanId::NONE);
            let is_carried =
                wanted != VlanId::NONE && (wanted == vlans.native() || vlans.carried().has(wanted));
            if is_carried { Ok(wanted.get()) } else { Err(other(&vlans)) }
        }
    }
}

fn type_of(kind: FdbKind) -> FdbType {
    match kind {
        FdbKind::Learned => FdbType::Learned,
        FdbKind::Static => FdbType::Static,
        FdbKind::Sticky => FdbType::Sticky,
        FdbKind::Endpoint => FdbType::Endpoint,
    }
}
