//! Ports: list, show, set.

use std::collections::BTreeMap;

use switch_common::abi::{
    addr::{MacAddr, PortId, Slot},
    fdb::{FdbKey, FdbKind},
    neighbour::NeighbourKey,
    port::{PortConfig, PortFlags},
    source::{SourceKey, SourceScope},
    storm::StormLimits,
    vlan::VlanSet,
};

use super::{
    Control,
    condition::Condition,
    error::ControlError,
    gateway,
    kernel::{Kernel, PortRecord},
    plug,
    uplink::{self, condition_of},
    view::{host_ifname, kind},
};
use crate::{
    api::types::{Counters, ErrorBody, EventKind, Port, PortChange, PortSettings, StormSettings, VlanChange},
    model::{Model, Network, NetworkName, PortRef},
};

impl Control {
    /// All ports, those of endpoints first.
    ///
    /// # Errors
    /// The datapath's counters cannot be read.
    pub fn ports(&self) -> Result<Vec<Port>, ErrorBody> {
        let ports: Result<Vec<Port>, ControlError> =
            self.model.ports().map(|port| self.view_port(&port)).collect();
        ports.map_err(|error| error.told("list ports", ""))
    }

    /// One port.
    ///
    /// # Errors
    /// There is none of that name, or its counters cannot be read.
    pub fn port(&self, name: &str) -> Result<Port, ErrorBody> {
        self.find_port(name).map_err(|error| error.told("show port", name))
    }

    /// Changes a port's switches, effective from the next frame on.
    ///
    /// # Errors
    /// There is none of that name, or the datapath refuses.
    pub fn set_port(&mut self, name: &str, change: PortChange) -> Result<Port, ErrorBody> {
        self.try_set_port(name, change).map_err(|error| error.told("set port", name))
    }

    fn find_port(&self, name: &str) -> Result<Port, ControlError> {
        self.view_port(&self.model.port_by_name(name)?)
    }

    fn try_set_port(&mut self, name: &str, change: PortChange) -> Result<Port, ControlError> {
        let port = self.model.port_by_name(name)?;
        let settings = changed(port.settings().clone(), change);
        if matches!(port, PortRef::Gateway { .. }) && !settings.guard {
            return Err(ControlError::UnguardedGateway { network: port.network().to_string() });
        }
        let network = port.network().clone();
        let mut next = self.model.clone();
        next.set_port(port.slot(), &settings);
        // The first and the last VLAN of a network concern all its ports.
        let before = self.written(&self.model, &network)?;
        let after = self.written(&next, &network)?;
        self.transact(next, |kernel, undo, _| {
            for (old, new) in before.into_iter().zip(after).filter(|(old, new)| old != new) {
                let (id, written) = (new.id.0, new.write(kernel, &old));
                undo.push(format!("restore port {id}"), move || old.write(kernel, &new));
                written?;
            }
            Ok(())
        })?;
        self.hub.publish(EventKind::PortSet { port: name.to_owned(), settings });
        self.find_port(name)
    }

    /// What the datapath is told of the attached ports of a network, in the order of `model`.
    fn written(&self, model: &Model, name: &NetworkName) -> Result<Vec<Written>, ControlError> {
        let network = model.network(name)?;
        let mut written = Vec::new();
        for port in model.ports().filter(|port| port.network() == name) {
            let record = self.record(model, &port)?;
            written.extend(record.map(|record| Written::of(network, &port, &record)));
        }
        Ok(written)
    }

    /// What the datapath knows of a port; `None` while its interface is missing.
    fn record<'a>(&self, model: &Model, port: &PortRef<'a>) -> Result<Option<PortRecord<'a>>, ControlError> {
        let Some(condition) = self.attached.get(&port.slot()).copied() else { return Ok(None) };
        self.record_in(model, port, condition).map(Some)
    }

    /// What the datapath is told of a port in a condition.
    pub(super) fn record_in<'a>(
        &self,
        model: &Model,
        port: &PortRef<'a>,
        condition: Condition,
    ) -> Result<PortRecord<'a>, ControlError> {
        let network = model.network(port.network())?;
        Ok(match port {
            PortRef::Endpoint { attachment, .. } => plug::record(network, attachment, condition),
            PortRef::Uplink { uplink, .. } => uplink::uplink_record(network, uplink, condition),
            PortRef::Gateway { gateway, .. } => gateway::gateway_record(network, gateway, condition),
        })
    }

    fn view_port(&self, port: &PortRef<'_>) -> Result<Port, ControlError> {
        let slot = port.slot();
        let (counters, drops, state) = self.kernel.datapath(|datapath| {
            Ok((datapath.counters(slot)?, datapath.drops(slot)?, datapath.port_state(slot)))
        })?;
        let (groups, groups_refused) = self.snooping.count_of(port.id());
        let endpoint = match port {
            PortRef::Endpoint { endpoint, .. } => Some(endpoint.to_string()),
            PortRef::Uplink { .. } | PortRef::Gateway { .. } => None,
        };
        Ok(Port {
            name: port.name(),
            kind: kind(port),
            endpoint,
            network: port.network().to_string(),
            ifname: host_ifname(port).to_string(),
            ifindex: port.id().0,
            slot: slot.0,
            attached: self.attached.contains_key(&slot),
            up: self.attached.get(&slot).is_some_and(|condition| !condition.is_down),
            blocked_by: self.blocked_ports().find(|(blocked, _)| *blocked == slot).map(|(_, by)| by),
            mac: port.mac().to_string(),
            mtu: self.attached.get(&slot).map(|condition| condition.mtu).unwrap_or_default(),
            settings: port.settings().clone(),
            groups,
            groups_refused,
            learned: state.learned,
            counters: Counters {
                rx_frames: counters.rx_frames,
                rx_bytes: counters.rx_bytes,
                tx_frames: counters.tx_frames,
                tx_bytes: counters.tx_bytes,
            },
            drops: drops.into_iter().map(|(reason, count)| (reason.name().to_owned(), count)).collect(),
        })
    }

    /// Notes the condition of the uplinks and the gateway of a new network.
    pub(super) fn note_ports(&mut self, name: &NetworkName) -> Result<(), ControlError> {
        let network = self.model.network(name)?;
        for uplink in &network.uplinks {
            let link = self.kernel.host_link(uplink.ifname.as_str())?;
            let condition = link.map_or(Condition::up(network.mtu), |link| condition_of(network, &link));
            self.attached.insert(uplink.slot, condition);
        }
        if let Some(gateway) = &network.gateway {
            self.attached.insert(gateway.slot, Condition::up(network.mtu));
        }
        Ok(())
    }
}

/// All that the datapath is told of a port's settings.
#[derive(Clone, PartialEq)]
struct Written {
    id: PortId,
    slot: Slot,
    config: PortConfig,
    /// Its own address and those that were set for it.
    fixed: BTreeMap<FdbKey, FdbKind>,
    vlans: VlanSet,
    sources: Vec<(SourceKey, SourceScope)>,
    /// The addresses that it is known at, with their MACs.
    neighbours: Vec<(NeighbourKey, MacAddr)>,
    storm: StormLimits,
}

impl Written {
    fn of(network: &Network, port: &PortRef<'_>, record: &PortRecord<'_>) -> Self {
        let neighbours = match port {
            PortRef::Endpoint { attachment, .. } => plug::neighbours(network, attachment),
            PortRef::Gateway { gateway, .. } => gateway::neighbours(network, gateway),
            PortRef::Uplink { .. } => Vec::new(),
        };
        Self {
            id: record.id,
            slot: record.slot,
            config: record.config(),
            fixed: record.fixed(network),
            vlans: record.carried(),
            sources: record.sources(),
            neighbours,
            storm: record.storm(),
        }
    }

    /// Addresses are known in their new VLAN before the port is in it, so that nothing is flooded on the way.
    fn write(&self, kernel: &Kernel, before: &Self) -> Result<(), ControlError> {
        for (key, kind) in self.fixed.iter().filter(|(key, _)| !before.fixed.contains_key(key)) {
            kernel.put_fdb(*key, self.id, *kind)?;
        }
        kernel.datapath(|datapath| {
            datapath.set_sources(self.slot, &self.sources)?;
            datapath.set_neighbours(self.id, &self.neighbours)?;
            datapath.set_storm(self.slot, self.storm);
            datapath.set_vlans(self.slot, self.vlans)?;
            datapath.update_port(self.id, self.config)
        })?;
        for key in before.fixed.keys().filter(|key| !self.fixed.contains_key(key)) {
            kernel.datapath(|datapath| datapath.remove_fdb(*key))?;
        }
        if self.sorts_as(before) { Ok(()) } else { kernel.forget_learned_at(&[self.id]) }
    }

    /// Whether frames are in the same VLANs as before.
    fn sorts_as(&self, before: &Self) -> bool {
        let sorted = |written: &Self| {
            let flags = written.config.flags();
            [PortFlags::VLAN, PortFlags::TRUNK, PortFlags::SERVICE_TAGS].map(|flag| flags.has(flag))
        };
        let native = self.config.native_vlan() == before.config.native_vlan();
        native && self.vlans == before.vlans && sorted(self) == sorted(before)
    }
}

fn changed(before: PortSettings, change: PortChange) -> PortSettings {
    PortSettings {
        learning: change.learning.unwrap_or(before.learning),
        flood: change.flood.unwrap_or(before.flood),
        bcast_flood: change.bcast_flood.unwrap_or(before.bcast_flood),
        mcast_flood: change.mcast_flood.unwrap_or(before.mcast_flood),
        isolated: change.isolated.unwrap_or(before.isolated),
        hairpin: change.hairpin.unwrap_or(before.hairpin),
        max_macs: change.max_macs.unwrap_or(before.max_macs),
        guard: change.guard.unwrap_or(before.guard),
        locked: change.locked.unwrap_or(before.locked),
        allow: change.allow.unwrap_or(before.allow),
        storm: StormSettings {
            bcast: change.storm.bcast.unwrap_or(before.storm.bcast),
            mcast: change.storm.mcast.unwrap_or(before.storm.mcast),
            unicast: change.storm.unicast.unwrap_or(before.storm.unicast),
        },
        fast_leave: change.fast_leave.unwrap_or(before.fast_leave),
        mcast_router: change.mcast_router.unwrap_or(before.mcast_router),
        vlan: change.vlan.map_or(before.vlan, VlanChange::into_setting),
    }
}
