//! Endpoints: add, list, remove, label.

use std::collections::BTreeMap;

use switch_common::abi::addr::Slot;

use super::{
    Control,
    condition::Condition,
    connect::attachment_spec,
    endpoint_name,
    error::ControlError,
    netns::{remove_owned, reopen},
    network_name, now,
};
use crate::{
    api::types::{Endpoint, EndpointAdd, ErrorBody, EventKind, LabelChange, NetnsChoice, Removed},
    datapath::naming,
    model::{
        EndpointName, EndpointNetns, EndpointSpec, LabelKey, LabelValue, Labels, Model, ModelError,
        Namespace, NetworkName,
    },
    netns::{Netns, TeardownErrors, named_path},
    run_dir,
};

impl Control {
    /// All endpoints, by name.
    #[must_use]
    pub fn endpoints(&mut self) -> Vec<Endpoint> {
        self.recheck();
        self.model.endpoints.iter().map(|(name, endpoint)| self.view_endpoint(name, endpoint)).collect()
    }

    /// One endpoint.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn endpoint(&mut self, name: &str) -> Result<Endpoint, ErrorBody> {
        self.recheck();
        self.find_endpoint(name).map_err(|error| error.told("inspect endpoint", name))
    }

    /// Adds an endpoint with an interface on one network.
    ///
    /// # Errors
    /// The name, the namespace or an address is taken; there is no such network or namespace; a value is impossible; the
    /// system refuses.
    pub fn add_endpoint(&mut self, wish: EndpointAdd) -> Result<Endpoint, ErrorBody> {
        let object = wish.name.clone();
        self.try_add_endpoint(wish).map_err(|error| error.told("add endpoint", &object))
    }

    /// Removes an endpoint with its interfaces, and its namespace where it owns it.
    ///
    /// # Errors
    /// There is none of that name; something could not be removed, then the endpoint stays listed.
    pub fn remove_endpoint(&mut self, name: &str) -> Result<Removed, ErrorBody> {
        let removed = endpoint_name(name).and_then(|name| self.try_remove_endpoint(&name));
        removed.map_err(|error| error.told("remove endpoint", name))?;
        Ok(Removed { names: vec![name.to_owned()] })
    }

    /// Changes an endpoint's labels.
    ///
    /// # Errors
    /// There is none of that name; something is no label.
    pub fn label_endpoint(&mut self, name: &str, change: LabelChange) -> Result<Endpoint, ErrorBody> {
        self.try_label(name, change).map_err(|error| error.told("label endpoint", name))
    }

    pub(super) fn find_endpoint(&self, name: &str) -> Result<Endpoint, ControlError> {
        let name = endpoint_name(name)?;
        Ok(self.view_endpoint(&name, self.model.endpoint(&name)?))
    }

    fn try_add_endpoint(&mut self, wish: EndpointAdd) -> Result<Endpoint, ControlError> {
        let name = endpoint_name(&wish.name)?;
        let network = network_name(&wish.network)?;
        self.model.check_new_endpoint(&name)?;
        self.model.network(&network)?;
        let (open, place) = self.choose_netns(&name, &wish.netns)?;
        let spec = EndpointSpec {
            namespace: namespace(wish.namespace)?,
            labels: labels(wish.labels)?,
            netns: place,
        };
        let mut next = self.model.clone();
        next.add_endpoint(&name, spec, now())?;
        let host = self.kernel.host_side(&next)?;
        let mut attachment =
            next.attach(&self.settings.instance, &name, &network, attachment_spec(wish.connect)?, host)?;
        let slot = attachment.slot;
        let (own_name, run_dir) = (self.own_netns(&name), self.settings.run_dir.clone());
        let added = self.transact(next, |kernel, undo, next| {
            let inside = match open {
                Some(inside) => inside,
                None => {
                    let (made, place) = kernel.create_netns(undo, own_name, &run_dir)?;
                    set_netns(next, &name, place);
                    made
                }
            };
            kernel.plug(undo, next, &mut attachment, &inside)?;
            next.put_attachment(&name, attachment);
            Ok(())
        });
        if added.is_err() {
            run_dir::end_netns(&run_dir);
        }
        added?;
        run_dir::keep_netns(&run_dir, &self.model.endpoint(&name)?.netns);
        self.note_plugged(&network, slot)?;
        self.hub.publish(EventKind::EndpointAdded { endpoint: name.to_string() });
        self.find_endpoint(name.as_str())
    }

    /// The namespace that is asked for, open where it exists. A new one's identity is filled in when it is made.
    fn choose_netns(
        &self,
        name: &EndpointName,
        choice: &NetnsChoice,
    ) -> Result<(Option<Netns>, EndpointNetns), ControlError> {
        match choice {
            NetnsChoice::Existing(text) => {
                let (open, place) = self.kernel.open_netns(text)?;
                Ok((Some(open), place))
            }
            NetnsChoice::Create => {
                let path = named_path(&self.own_netns(name))?;
                Ok((None, EndpointNetns { path, owned: true, dev: 0, ino: 0 }))
            }
        }
    }

    /// What the namespace that is made for an endpoint is called.
    fn own_netns(&self, name: &EndpointName) -> String {
        naming::endpoint_netns(self.settings.instance.as_str(), name.as_str())
    }

    fn try_remove_endpoint(&mut self, name: &EndpointName) -> Result<(), ControlError> {
        let mut next = self.model.clone();
        let endpoint = next.remove_endpoint(name)?;
        let mut failures: Vec<_> =
            endpoint.attachments.iter().flat_map(|attachment| self.kernel.unplug(attachment)).collect();
        for attachment in &endpoint.attachments {
            self.forget_port(attachment.slot);
        }
        failures.extend(remove_owned(&endpoint.netns));
        if !failures.is_empty() {
            self.check_health(name);
            return Err(ControlError::Teardown(TeardownErrors { failures }));
        }
        if let Err(error) = self.keep(next) {
            self.check_health(name);
            return Err(ControlError::NotForgotten(error));
        }
        self.ailments.remove(name);
        run_dir::forget_netns(&self.settings.run_dir, &endpoint.netns);
        self.hub.publish(EventKind::EndpointRemoved { endpoint: name.to_string() });
        Ok(())
    }

    fn try_label(&mut self, name: &str, change: LabelChange) -> Result<Endpoint, ControlError> {
        let name = endpoint_name(name)?;
        let remove: Vec<LabelKey> = change
            .remove
            .into_iter()
            .map(LabelKey::try_from)
            .collect::<Result<_, _>>()
            .map_err(ModelError::from)?;
        let mut next = self.model.clone();
        next.change_labels(&name, labels(change.set)?, &remove)?;
        self.keep(next)?;
        self.hub.publish(EventKind::EndpointLabelled { endpoint: name.to_string() });
        self.find_endpoint(name.as_str())
    }

    /// Notes the condition of a freshly plugged port.
    pub(super) fn note_plugged(&mut self, network: &NetworkName, slot: Slot) -> Result<(), ControlError> {
        let mtu = self.model.network(network)?.mtu;
        self.attached.insert(slot, Condition::up(mtu));
        Ok(())
    }

    /// Whether an endpoint's namespace can be entered.
    pub(super) fn netns_of(&self, name: &EndpointName) -> Result<Netns, ControlError> {
        reopen(&self.model.endpoint(name)?.netns)
    }
}

fn set_netns(model: &mut Model, name: &EndpointName, netns: EndpointNetns) {
    if let Some(endpoint) = model.endpoints.get_mut(name) {
        endpoint.netns = netns;
    }
}

fn namespace(wish: Option<String>) -> Result<Namespace, ModelError> {
    wish.map_or_else(|| Ok(Namespace::default()), |text| Ok(Namespace::new(text)?))
}

fn labels(wish: BTreeMap<String, String>) -> Result<Labels, ModelError> {
    wish.into_iter()
        .map(|(key, value)| Ok((LabelKey::try_from(key)?, LabelValue::try_from(value)?)))
        .collect()
}
