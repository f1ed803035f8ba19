//! Further interfaces of an endpoint: connect and disconnect.

use super::{Control, endpoint_name, error::ControlError, network_name};
use crate::{
    api::types::{Connect, Endpoint, ErrorBody, EventKind},
    model::{AttachmentSpec, ModelError, PortRef, parse_mac},
    netns::{IfName, TeardownErrors},
};

impl Control {
    /// Gives an endpoint an interface on one more network.
    ///
    /// # Errors
    /// No such network or endpoint; it is on it already; an address or name is taken or impossible; the system refuses.
    pub fn connect(&mut self, network: &str, endpoint: &str, wish: Connect) -> Result<Endpoint, ErrorBody> {
        let connected = self.try_connect(network, endpoint, wish);
        connected.map_err(|error| error.told(&format!("connect to network {network} endpoint"), endpoint))
    }

    /// Takes an endpoint's interface on a network away.
    ///
    /// # Errors
    /// No such network or endpoint; it is not on it; something could not be removed.
    pub fn disconnect(&mut self, network: &str, endpoint: &str) -> Result<Endpoint, ErrorBody> {
        let disconnected = self.try_disconnect(network, endpoint);
        disconnected
            .map_err(|error| error.told(&format!("disconnect from network {network} endpoint"), endpoint))
    }

    fn try_connect(
        &mut self,
        network: &str,
        endpoint: &str,
        wish: Connect,
    ) -> Result<Endpoint, ControlError> {
        let (network, endpoint) = (network_name(network)?, endpoint_name(endpoint)?);
        let spec = attachment_spec(wish)?;
        let mut next = self.model.clone();
        let only = next.endpoint(&endpoint)?.attachments.is_empty();
        let host = self.kernel.host_side(&next)?;
        let mut attachment = next.attach(&self.settings.instance, &endpoint, &network, spec, host)?;
        let inside = self.netns_of(&endpoint)?;
        let slot = attachment.slot;
        let port = self.transact(next, |kernel, undo, next| {
            kernel.plug(undo, next, &mut attachment, &inside)?;
            let port = PortRef::Endpoint { endpoint: &endpoint, attachment: &attachment, only };
            let port = port.name();
            next.put_attachment(&endpoint, attachment);
            Ok(port)
        })?;
        self.note_plugged(&network, slot)?;
        self.hub.publish(EventKind::EndpointConnected {
            endpoint: endpoint.to_string(),
            network: network.to_string(),
            port,
        });
        self.find_endpoint(endpoint.as_str())
    }

    fn try_disconnect(&mut self, network: &str, endpoint: &str) -> Result<Endpoint, ControlError> {
        let (network, endpoint) = (network_name(network)?, endpoint_name(endpoint)?);
        let mut next = self.model.clone();
        let attachment = next.detach(&endpoint, &network)?;
        let failures = self.kernel.unplug(&attachment);
        self.forget_port(attachment.slot);
        if !failures.is_empty() {
            self.check_health(&endpoint);
            return Err(ControlError::Teardown(TeardownErrors { failures }));
        }
        let kept = self.keep(next);
        self.check_health(&endpoint);
        kept.map_err(ControlError::NotForgotten)?;
        self.hub.publish(EventKind::EndpointDisconnected {
            endpoint: endpoint.to_string(),
            network: network.to_string(),
        });
        self.find_endpoint(endpoint.as_str())
    }
}

/// Checks the parts of a wish for an attachment.
pub(super) fn attachment_spec(wish: Connect) -> Result<AttachmentSpec, ModelError> {
    Ok(AttachmentSpec {
        ips: wish.ips,
        mac: wish.mac.map(|text| parse_mac(&text)).transpose()?,
        ifname: wish.ifname.map(IfName::new).transpose()?,
    })
}
