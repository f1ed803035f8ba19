//! The start: what was stored and what the kernel has become one control plane.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use switch_common::{
    abi::{
        addr::{PortId, Slot},
        port::PortFlags,
    },
    units::Nanos,
};

use super::{
    Control, Settings, condition::Condition, error::ControlError, kernel::Kernel, netns::remove_unfinished,
    now, uplink::condition_of,
};
use crate::{
    api::types::{EndpointState, ErrorBody},
    datapath::Datapath,
    events::Hub,
    model::{EndpointName, LostPort, Model, NetworkName},
    multicast::Snooping,
    netns::{IfName, Undo},
    reconcile::{self, Actual, FdbStep, Step},
    store::{Loaded, Store},
};

impl Control {
    /// Reads desired state and makes the kernel follow it. Ports that carry traffic go on carrying it.
    ///
    /// # Errors
    /// The store or the kernel cannot be read. A step that fails is noted, in the status and at its endpoint, and is no error.
    pub fn open(
        settings: Settings,
        datapath: Box<dyn Datapath>,
        store: Store,
        hub: Hub,
    ) -> Result<Self, ErrorBody> {
        let instance = settings.instance.to_string();
        Self::try_open(settings, datapath, store, hub)
            .map_err(|error| error.told("start instance", &instance))
    }

    fn try_open(
        settings: Settings,
        datapath: Box<dyn Datapath>,
        store: Store,
        hub: Hub,
    ) -> Result<Self, ControlError> {
        let kernel = Kernel::open(&settings.instance, datapath)?;
        let loops = kernel.open_loop_guard()?;
        let mut notes = Vec::new();
        let model = match store.load()? {
            Loaded::State(model) => model,
            Loaded::Nothing => undescribed(&kernel)?,
            Loaded::Damaged { quarantined, why } => {
                notes.push(format!(
                    "the stored state was damaged ({why}) and lies at {}: networks and endpoints have to be made again",
                    quarantined.display()
                ));
                undescribed(&kernel)?
            }
        };
        let unfinished = remove_unfinished(&settings.run_dir, &model);
        notes.extend(unfinished.map(|failure| format!("{}: {}", failure.step, failure.source)));
        let mut control = Self {
            settings,
            kernel,
            store,
            hub,
            model,
            ailments: BTreeMap::new(),
            attached: BTreeMap::new(),
            loops,
            notes,
            since: now(),
            last_sweep: Instant::now(),
            snooping: Snooping::default(),
            is_multicast_stale: true,
        };
        control.reconcile()?;
        control.adopt_groups()?;
        for note in &control.notes {
            tracing::warn!("{note}");
        }
        control.since = now();
        Ok(control)
    }

    /// Makes the kernel follow the model, and the model the kernel where an interface has another index.
    fn reconcile(&mut self) -> Result<(), ControlError> {
        let before = self.model.clone();
        self.kernel.tell_host_addresses()?;
        self.add_missing_gateways();
        let actual = self.actual()?;
        self.model.lost.retain(|lost| actual.ports.iter().any(|port| port.id == lost.port));
        for port in actual.ports.iter().filter(|port| port.config.flags().has(PortFlags::BLOCKED)) {
            self.loops.restore(port.config.slot());
        }
        for step in reconcile::plan(&self.model, &actual) {
            if let Err(error) = self.take(&step) {
                self.notes.push(format!("{}: {error}", told(&step)));
            }
        }
        let attached: BTreeSet<Slot> = self.attached.keys().copied().collect();
        let entries = self.kernel.datapath(|datapath| datapath.list_fdb())?;
        for step in reconcile::plan_fdb(&self.model, &attached, &entries) {
            let taken = match step {
                FdbStep::Put { key, port, kind } => self.kernel.put_fdb(key, port, kind),
                FdbStep::Remove { key } => {
                    self.kernel.datapath(|datapath| datapath.remove_fdb(key)).map(drop)
                }
            };
            if let Err(error) = taken {
                self.notes.push(format!("setting the FDB right: {error}"));
            }
        }
        if self.model != before {
            self.store.save(&self.model)?;
        }
        Ok(())
    }

    fn actual(&self) -> Result<Actual, ControlError> {
        let mut gone = BTreeMap::new();
        for name in self.model.endpoints.keys() {
            if let Err(error @ ControlError::NetnsGone { .. }) = self.netns_of(name) {
                gone.insert(name.clone(), error.to_string());
            }
        }
        let is_host_side = |name: &str| self.kernel.is_host_ifname(name);
        Ok(Actual {
            ports: self.kernel.datapath(|datapath| datapath.ports())?,
            host_sides: self
                .kernel
                .ports
                .links()?
                .into_iter()
                .filter(|link| is_host_side(&link.name))
                .collect(),
            host_links: self.kernel.host.links()?,
            gone,
        })
    }

    fn take(&mut self, step: &Step) -> Result<(), ControlError> {
        match step {
            Step::SetDomain { domain, ageing_secs, flags } => {
                let ageing = Nanos::from_secs(*ageing_secs);
                self.kernel.datapath(|datapath| datapath.set_domain(*domain, ageing, *flags))
            }
            Step::DetachPort { port } => self.kernel.datapath(|datapath| datapath.detach_port(*port)),
            Step::DeleteLink { port, name } => self.kernel.delete_host_side(*port, name),
            Step::Adopt { endpoint, slot } => {
                self.or_mark(endpoint, |control| control.adopt(endpoint, *slot))
            }
            Step::Replug { endpoint, slot } => {
                self.or_mark(endpoint, |control| control.replug(endpoint, *slot))
            }
            Step::AdoptUplink { network, ifname, port } => self.adopt_uplink(network, ifname, *port),
            Step::AdoptGateway { network } => self.adopt_gateway(network),
            Step::PlugGateway { network } => self.replug_gateway(network),
            Step::NoteStale { endpoint, reason } => {
                self.mark(endpoint, EndpointState::Stale, reason.clone());
                Ok(())
            }
        }
    }

    /// Notes a failure at the endpoint that it is about.
    fn or_mark(
        &mut self,
        endpoint: &EndpointName,
        work: impl FnOnce(&mut Self) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        work(self).inspect_err(|error| self.mark(endpoint, EndpointState::Broken, error.to_string()))
    }

    fn adopt(&mut self, endpoint: &EndpointName, slot: Slot) -> Result<(), ControlError> {
        let Some(attachment) = self.attachment_in(endpoint, slot) else { return Ok(()) };
        let network = self.model.network(&attachment.network)?;
        let (seen, fault) = match self.look_inside(endpoint, &attachment) {
            Ok(inner) => (inner.mtu, inner.fault),
            Err(_) => (None, None),
        };
        let condition = self.condition_of(network, &attachment, seen)?;
        let record = super::plug::record(network, &attachment, condition);
        for (key, kind) in record.fixed(network) {
            self.kernel.put_fdb(key, record.id, kind)?;
        }
        self.kernel.attach_port(&record)?;
        let neighbours = super::plug::neighbours(network, &attachment);
        self.kernel.datapath(|datapath| datapath.set_neighbours(record.id, &neighbours))?;
        self.attached.insert(slot, condition);
        if let Some(fault) = fault {
            self.mark(endpoint, EndpointState::Broken, fault);
        }
        Ok(())
    }

    fn replug(&mut self, endpoint: &EndpointName, slot: Slot) -> Result<(), ControlError> {
        let Some(mut attachment) = self.attachment_in(endpoint, slot) else { return Ok(()) };
        let inside = self.netns_of(endpoint)?;
        attachment.port = self.kernel.free_index(&self.model)?;
        let mut undo = Undo::new();
        self.kernel.plug(&mut undo, &self.model, &mut attachment, &inside)?;
        undo.commit();
        self.attached.insert(slot, Condition::up(self.model.network(&attachment.network)?.mtu));
        self.model.put_attachment(endpoint, attachment);
        Ok(())
    }

    pub(super) fn adopt_uplink(
        &mut self,
        network: &NetworkName,
        ifname: &IfName,
        port: PortId,
    ) -> Result<(), ControlError> {
        let found = self.model.network(network)?.uplinks.iter().find(|uplink| uplink.ifname == *ifname);
        let Some(mut uplink) = found.cloned() else { return Ok(()) };
        let Some(link) = self.kernel.uplink_link(&uplink)? else { return Ok(()) };
        if uplink.port != port {
            uplink.port = port;
            uplink.was_promiscuous = link.promiscuous;
        }
        uplink.mac = link.mac.unwrap_or(uplink.mac);
        let mut undo = Undo::new();
        let found = condition_of(self.model.network(network)?, &link);
        let condition = Condition { is_blocked: self.loops.blocks(uplink.slot), ..found };
        self.kernel.plug_uplink(&mut undo, self.model.network(network)?, &uplink, condition)?;
        undo.commit();
        self.attached.insert(uplink.slot, condition);
        self.model.put_uplink(network, uplink);
        Ok(())
    }
}

/// The model where no state is to be had: ports that carry traffic all the same are lost ones, at this and every later start.
fn undescribed(kernel: &Kernel) -> Result<Model, ControlError> {
    let ports = kernel.datapath(|datapath| datapath.ports())?;
    let lost = |port: crate::datapath::Port| LostPort {
        port: port.id,
        slot: port.config.slot(),
        domain: port.config.domain(),
    };
    Ok(Model { lost: ports.into_iter().map(lost).collect(), ..Model::default() })
}

fn told(step: &Step) -> String {
    match step {
        Step::SetDomain { domain, .. } => format!("setting domain {}", domain.0),
        Step::DetachPort { port } => format!("detaching port {}", port.0),
        Step::DeleteLink { name, .. } => format!("deleting interface {name}"),
        Step::Adopt { endpoint, .. } => format!("taking over a port of endpoint {endpoint}"),
        Step::Replug { endpoint, .. } => format!("making an interface of endpoint {endpoint} again"),
        Step::AdoptUplink { ifname, .. } => format!("taking over uplink {ifname}"),
        Step::AdoptGateway { network } => format!("taking over the gateway of network {network}"),
        Step::PlugGateway { network } => format!("making the gateway of network {network}"),
        Step::NoteStale { endpoint, .. } => format!("looking at endpoint {endpoint}"),
    }
}
