//! FDB entries that are set by command.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, Slot},
        fdb::{FdbKey, FdbKind},
    },
    wire::vlan::VlanId,
};

use super::{
    Model,
    error::ModelError,
    names::NetworkName,
    network::Network,
    port::PortSettings,
    serial::{StoredSlot, text},
};

/// What a command can set an entry to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetType {
    /// Neither ages nor moves.
    #[default]
    Static,
    /// As learned once and for all.
    Sticky,
}

impl SetType {
    /// The datapath's word for it.
    #[must_use]
    pub fn fdb_kind(self) -> FdbKind {
        match self {
            Self::Static => FdbKind::Static,
            Self::Sticky => FdbKind::Sticky,
        }
    }
}

/// An entry that was set by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticEntry {
    /// The address.
    #[serde(with = "text")]
    pub mac: MacAddr,
    /// The VLAN; 0 where the network knows none.
    #[serde(default)]
    pub vlan: u16,
    /// Dense number of the port that it is behind.
    #[serde(with = "StoredSlot")]
    pub slot: Slot,
    /// Of what sort.
    pub kind: SetType,
}

impl StaticEntry {
    /// The datapath's key for it.
    #[must_use]
    pub fn key(&self, domain: DomainId) -> FdbKey {
        FdbKey::new(domain, self.mac).in_vlan(VlanId::new(self.vlan).unwrap_or(VlanId::NONE))
    }
}

impl Model {
    /// Sets an entry; one that a command set before is replaced.
    ///
    /// # Errors
    /// No such network; the MAC is an endpoint's or uplink's own.
    pub fn put_static_entry(&mut self, name: &NetworkName, entry: StaticEntry) -> Result<(), ModelError> {
        if let Some(owner) = self.station_with_mac(name, entry.mac) {
            return Err(ModelError::MacTaken { mac: entry.mac, owner });
        }
        let network =
            self.networks.get_mut(name).ok_or_else(|| ModelError::NoNetwork { name: name.to_string() })?;
        network.static_entries.retain(|other| (other.mac, other.vlan) != (entry.mac, entry.vlan));
        network.static_entries.push(entry);
        Ok(())
    }

    /// Takes away the entries for which `is_gone` is true, and returns them with their domains.
    pub fn remove_static_entries(
        &mut self,
        is_gone: impl Fn(DomainId, &StaticEntry) -> bool,
    ) -> Vec<(DomainId, StaticEntry)> {
        let mut removed = Vec::new();
        for network in self.networks.values_mut() {
            let domain = network.domain;
            let gone = network.static_entries.extract_if(.., |entry| is_gone(domain, entry));
            removed.extend(gone.map(|entry| (domain, entry)));
        }
        removed
    }

    pub(super) fn forget_static_entries_of(&mut self, slot: Slot) {
        self.remove_static_entries(|_, entry| entry.slot == slot);
    }
}

impl Network {
    /// The entries that a port has as long as it is one: those that were set for it, and its own MAC in the VLAN of its untagged
    /// frames.
    #[must_use]
    pub fn fixed_entries(
        &self,
        slot: Slot,
        mac: MacAddr,
        settings: &PortSettings,
    ) -> BTreeMap<FdbKey, FdbKind> {
        let own = FdbKey::new(self.domain, mac).in_vlan(self.native_vlan(settings));
        let set = self.static_entries.iter().filter(|entry| entry.slot == slot);
        let set = set.map(|entry| (entry.key(self.domain), entry.kind.fdb_kind()));
        set.chain([(own, FdbKind::Endpoint)]).collect()
    }

    /// Entries in the VLAN of a port's untagged frames stay in it when it becomes another one; `natives` says of each port what it
    /// was and what it is.
    pub(super) fn follow_natives(&mut self, natives: &BTreeMap<Slot, (VlanId, VlanId)>) {
        for entry in &mut self.static_entries {
            if let Some((before, after)) = natives.get(&entry.slot)
                && entry.vlan == before.get()
            {
                entry.vlan = after.get();
            }
        }
        let mut seen = BTreeSet::new();
        self.static_entries.retain(|entry| seen.insert((entry.mac.bytes(), entry.vlan)));
    }
}
