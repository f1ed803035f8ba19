//! Networks: create, list, remove, prune.

use switch_common::units::Nanos;

use super::{Control, error::ControlError, kernel::Kernel, network_name, now, uplink::condition_of};
use crate::{
    api::types::{ErrorBody, EventKind, Network, NetworkCreate, Removed},
    model::{self, Model, NetworkName, NetworkSpec, Occupied, Options},
    netns::Undo,
};

impl Control {
    /// All networks, by name.
    #[must_use]
    pub fn networks(&self) -> Vec<Network> {
        self.model.networks.iter().map(|(name, network)| self.view_network(name, network)).collect()
    }

    /// One network.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn network(&self, name: &str) -> Result<Network, ErrorBody> {
        self.find_network(name).map_err(|error| error.told("inspect network", name))
    }

    /// Makes a network.
    ///
    /// # Errors
    /// The name or a subnet is taken, a value is impossible, an uplink does not fit.
    pub fn create_network(&mut self, wish: NetworkCreate) -> Result<Network, ErrorBody> {
        let object = wish.name.clone();
        self.try_create_network(wish).map_err(|error| error.told("create network", &object))
    }

    /// Removes a network that no endpoint is on.
    ///
    /// # Errors
    /// There is none of that name, or it is in use.
    pub fn remove_network(&mut self, name: &str) -> Result<Removed, ErrorBody> {
        let removed = network_name(name).and_then(|name| self.remove_networks(&[name]));
        removed.map_err(|error| error.told("remove network", name))?;
        Ok(Removed { names: vec![name.to_owned()] })
    }

    /// Removes all networks that no endpoint is on.
    ///
    /// # Errors
    /// One cannot be removed; then none is.
    pub fn prune_networks(&mut self) -> Result<Removed, ErrorBody> {
        let is_empty = |name: &&NetworkName| self.model.attachments_of(name).next().is_none();
        let empty: Vec<NetworkName> = self.model.networks.keys().filter(is_empty).cloned().collect();
        self.remove_networks(&empty).map_err(|error| error.told("prune networks", ""))?;
        Ok(Removed { names: empty.iter().map(NetworkName::to_string).collect() })
    }

    fn find_network(&self, name: &str) -> Result<Network, ControlError> {
        let name = network_name(name)?;
        Ok(self.view_network(&name, self.model.network(&name)?))
    }

    fn try_create_network(&mut self, wish: NetworkCreate) -> Result<Network, ControlError> {
        let name = network_name(&wish.name)?;
        let uplinks = Options::read(&wish.options)?.uplinks;
        let mut next = self.model.clone();
        let mut spec = spec(wish);
        spec.uplinks_mtu = self.kernel.least_mtu(&uplinks)?;
        next.add_network(&name, spec, &self.occupied()?, now())?;
        for ifname in &uplinks {
            self.kernel.choose_uplink(&mut next, &name, ifname)?;
        }
        if next.network(&name)?.wants_gateway {
            self.kernel.choose_gateway(&mut next, &self.settings.instance, &name)?;
        }
        self.transact(next, |kernel, undo, next| kernel.add_network(undo, next, &name))?;
        self.note_ports(&name)?;
        self.hub.publish(EventKind::NetworkCreated { network: name.to_string() });
        Ok(self.view_network(&name, self.model.network(&name)?))
    }

    /// What the host uses, its own ports on networks aside: those networks are in the model.
    fn occupied(&self) -> Result<Vec<Occupied>, ControlError> {
        let mut occupied = self.kernel.occupied()?;
        let is_gateway = |name: &String| {
            self.model.networks.get(name.as_str()).is_some_and(|network| network.gateway.is_some())
        };
        occupied.retain(|other| !other.interface.as_ref().is_some_and(is_gateway));
        Ok(occupied)
    }

    fn remove_networks(&mut self, names: &[NetworkName]) -> Result<(), ControlError> {
        let mut next = self.model.clone();
        let removed: Vec<_> = names
            .iter()
            .map(|name| Ok((name, next.remove_network(name)?)))
            .collect::<Result<_, ControlError>>()?;
        self.transact(next, |kernel, undo, _| {
            removed.iter().try_for_each(|(name, network)| kernel.remove_network(undo, name, network))
        })?;
        for (_, network) in &removed {
            let gateway = network.gateway.as_ref().map(|gateway| gateway.slot);
            for slot in network.uplinks.iter().map(|uplink| uplink.slot).chain(gateway) {
                self.forget_port(slot);
            }
        }
        for name in names {
            self.hub.publish(EventKind::NetworkRemoved { network: name.to_string() });
        }
        Ok(())
    }
}

impl Kernel {
    /// Makes a network's domain and the ports of its uplinks and its gateway.
    fn add_network<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        model: &mut Model,
        name: &NetworkName,
    ) -> Result<(), ControlError> {
        let network = model.network(name)?;
        let domain = network.domain;
        self.set_domain(network)?;
        undo.push(format!("remove domain {}", domain.0), move || {
            self.datapath(|datapath| datapath.remove_domain(domain))
        });
        for uplink in &network.uplinks {
            let link = self.host_link(uplink.ifname.as_str())?;
            let link = link.ok_or_else(|| ControlError::NoUplink { ifname: uplink.ifname.to_string() })?;
            self.plug_uplink(undo, network, uplink, condition_of(network, &link))?;
        }
        if let Some(mut gateway) = network.gateway.clone() {
            self.plug_gateway(undo, model, name, &mut gateway)?;
            model.put_gateway(name, gateway);
        }
        Ok(())
    }

    fn set_domain(&self, network: &model::Network) -> Result<(), ControlError> {
        let ageing = Nanos::from_secs(network.ageing_secs);
        self.datapath(|datapath| datapath.set_domain(network.domain, ageing, network.flags()))
    }

    /// Takes a network's uplinks, its gateway and its domain away.
    fn remove_network<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        name: &NetworkName,
        network: &model::Network,
    ) -> Result<(), ControlError> {
        let mut whole = Model::default();
        whole.networks.insert(name.clone(), network.clone());
        let back = name.clone();
        undo.push(format!("restore network {name}"), move || self.restore_network(&whole, &back));
        if let Some(gateway) = &network.gateway {
            self.unplug_gateway(gateway)?;
        }
        for uplink in &network.uplinks {
            self.release_uplink(uplink)?;
        }
        self.datapath(|datapath| datapath.remove_domain(network.domain))
    }

    /// Makes what is missing of a network that is to stay. Uplinks that the host does not have now are no failure.
    fn restore_network(&self, model: &Model, name: &NetworkName) -> Result<(), ControlError> {
        let network = model.network(name)?;
        self.set_domain(network)?;
        if let Some(mut gateway) = network.gateway.clone()
            && !self.is_host_side(gateway.port, &gateway.host_ifname)?
        {
            let mut undo = Undo::new();
            self.plug_gateway(&mut undo, model, name, &mut gateway)?;
            undo.commit();
        }
        for uplink in &network.uplinks {
            let Some(link) = self.uplink_link(uplink)? else { continue };
            let mut undo = Undo::new();
            self.plug_uplink(&mut undo, network, uplink, condition_of(network, &link))?;
            undo.commit();
        }
        Ok(())
    }
}

fn spec(wish: NetworkCreate) -> NetworkSpec {
    let NetworkCreate { name: _, subnets, gateways, ip_ranges, internal, isolated, mtu, vlan, options } =
        wish;
    NetworkSpec { subnets, gateways, ip_ranges, internal, isolated, mtu, vlan, options, uplinks_mtu: None }
}
