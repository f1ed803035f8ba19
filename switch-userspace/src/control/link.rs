//! What happens to interfaces: endpoints that lose theirs, ports that follow an MTU and a carrier, uplinks that come and go,
//! gateways that were deleted.
//!
//! An event is a hint: what it seems to say is looked up before anything is done, because events of other namespaces come
//! the same way and a container can make interfaces as it likes.

use switch_common::abi::addr::{PortId, Slot};

use super::{Control, condition::Condition, error::ControlError, netns::reopen, uplink::condition_of};
use crate::{
    api::types::{EndpointState, EventKind},
    model::{Attachment, EndpointName, Network, NetworkName, PortRef, Uplink},
    netns::{Link, LinkEvent},
};

impl Control {
    /// Follows something that happened to an interface.
    pub fn link_event(&mut self, event: LinkEvent) {
        let followed = match event {
            LinkEvent::Changed(link) => self.follow_change(&link),
            LinkEvent::Deleted(link) => self.follow_deletion(&link),
            LinkEvent::Readdressed if self.model.gateways().next().is_none() => Ok(()),
            LinkEvent::Readdressed => self.kernel.tell_host_addresses(),
            LinkEvent::Resync => self.follow_everything(),
        };
        if let Err(error) = followed {
            tracing::warn!(%error, "an interface changed, and the switch could not follow");
        }
    }

    /// Looks whether an endpoint's namespace and interfaces are there, and notes what it finds.
    pub(super) fn check_health(&mut self, name: &EndpointName) {
        let Some(endpoint) = self.model.endpoints.get(name) else { return };
        if let Err(error) = reopen(&endpoint.netns) {
            self.mark(name, EndpointState::Stale, error.to_string());
            return;
        }
        let missing = endpoint.attachments.iter().find(|attachment| !self.has_host_side(attachment));
        let reason = missing.map(|attachment| {
            let (host, inner) = (&attachment.host_ifname, &attachment.ifname);
            format!(
                "interface {host}, the host's side of its {inner}, was deleted: a restart by `wye down` and `wye up` makes it again"
            )
        });
        let inner_fault =
            || endpoint.attachments.iter().find_map(|attachment| self.inner_fault(name, attachment));
        if let Some(reason) = reason.or_else(inner_fault) {
            self.mark(name, EndpointState::Broken, reason);
            return;
        }
        if self.ailments.remove(name).is_some() {
            let (endpoint, state) = (name.to_string(), EndpointState::Ready);
            self.hub.publish(EventKind::EndpointState { endpoint, state, reason: None });
        }
    }

    /// Looks again at endpoints that are not ready though all their ports are there: inside, what was wrong can be put right
    /// unseen.
    pub(super) fn recheck(&mut self) {
        let is_attached = |name: &&EndpointName| {
            let attachments = self.model.endpoints.get(*name).into_iter().flat_map(|at| &at.attachments);
            attachments.into_iter().all(|attachment| self.attached.contains_key(&attachment.slot))
        };
        let names: Vec<_> = self.ailments.keys().filter(is_attached).cloned().collect();
        for name in &names {
            self.check_health(name);
        }
    }

    /// The MTU of an attachment's interface inside its endpoint, where that can be had.
    fn inner_mtu(&self, name: &EndpointName, attachment: &Attachment) -> Option<u32> {
        self.look_inside(name, attachment).ok()?.mtu
    }

    /// What is wrong inside an endpoint, where that can be seen.
    fn inner_fault(&self, name: &EndpointName, attachment: &Attachment) -> Option<String> {
        self.look_inside(name, attachment).ok()?.fault
    }

    /// The attachment of an endpoint that has a slot.
    pub(super) fn attachment_in(&self, name: &EndpointName, slot: Slot) -> Option<Attachment> {
        let endpoint = self.model.endpoints.get(name)?;
        endpoint.attachments.iter().find(|attachment| attachment.slot == slot).cloned()
    }

    fn follow_change(&mut self, link: &Link) -> Result<(), ControlError> {
        let is_it = |uplink: &Uplink| uplink.ifname.as_str() == link.name || uplink.is_renamed(link);
        let found = self.model.uplinks().find(|(.., uplink)| is_it(uplink));
        if let Some((network, ifname)) = found.map(|(name, _, uplink)| (name.clone(), uplink.ifname.clone()))
        {
            return self.follow_uplink(&network, ifname.as_str());
        }
        if let Some(network) = self.gateway_of(link) {
            return self.follow_gateway(&network);
        }
        if let Some(PortRef::Endpoint { endpoint, attachment, .. }) =
            self.model.port_by_id(PortId::from(link.index))
            && link.name == attachment.host_ifname.as_str()
        {
            let (endpoint, attachment) = (endpoint.clone(), attachment.clone());
            return self.follow_condition(&endpoint, &attachment, None);
        }
        let Some(peer) = link.peer else { return Ok(()) };
        if let Some(PortRef::Endpoint { endpoint, attachment, .. }) =
            self.model.port_by_id(PortId::from(peer))
        {
            let (endpoint, attachment) = (endpoint.clone(), attachment.clone());
            if link.name != attachment.ifname.as_str() {
                self.check_health(&endpoint);
            }
            return self.follow_condition(&endpoint, &attachment, Some(link));
        }
        Ok(())
    }

    fn follow_deletion(&mut self, link: &Link) -> Result<(), ControlError> {
        match self.model.port_by_id(PortId::from(link.index)) {
            Some(PortRef::Endpoint { endpoint, attachment, .. })
                if attachment.host_ifname.as_str() == link.name =>
            {
                let (endpoint, attachment) = (endpoint.clone(), attachment.clone());
                self.follow_loss(&endpoint, &attachment)
            }
            Some(PortRef::Uplink { network, uplink }) => {
                let (network, ifname) = (network.clone(), uplink.ifname.clone());
                self.follow_uplink(&network, ifname.as_str())
            }
            Some(PortRef::Gateway { network, gateway }) if gateway.host_ifname.as_str() == link.name => {
                let network = network.clone();
                self.heal_gateway(&network)
            }
            _ => Ok(()),
        }
    }

    fn follow_everything(&mut self) -> Result<(), ControlError> {
        let attachments: Vec<_> =
            self.model.attachments().map(|(name, attachment)| (name.clone(), attachment.clone())).collect();
        for (name, attachment) in &attachments {
            self.follow_loss(name, attachment)?;
            self.follow_condition(name, attachment, None)?;
        }
        let uplinks: Vec<_> =
            self.model.uplinks().map(|(name, _, uplink)| (name.clone(), uplink.ifname.clone())).collect();
        for (network, ifname) in &uplinks {
            self.follow_uplink(network, ifname.as_str())?;
        }
        let networks: Vec<_> = self.model.gateways().map(|(name, ..)| name.clone()).collect();
        for network in &networks {
            self.heal_gateway(network)?;
            self.follow_gateway(network)?;
        }
        self.kernel.tell_host_addresses()
    }

    /// The network whose gateway's end an interface of the host is.
    fn gateway_of(&self, link: &Link) -> Option<NetworkName> {
        let mut gateways = self.model.gateways();
        gateways.find(|(.., gateway)| gateway.is_end(link)).map(|(name, ..)| name.clone())
    }

    /// Where the host's side is gone, its port goes too.
    fn follow_loss(&mut self, name: &EndpointName, attachment: &Attachment) -> Result<(), ControlError> {
        if self.has_host_side(attachment) {
            return Ok(());
        }
        self.check_health(name);
        if self.attached.contains_key(&attachment.slot) {
            self.forget_port(attachment.slot);
            self.kernel.datapath(|datapath| datapath.detach_port(attachment.port))?;
        }
        Ok(())
    }

    /// A port takes packets as long as both interfaces of its pair do, up to its network's MTU, and none while one of them is down.
    /// `seen` is what an event says of the endpoint's interface.
    fn follow_condition(
        &mut self,
        name: &EndpointName,
        attachment: &Attachment,
        seen: Option<&Link>,
    ) -> Result<(), ControlError> {
        let Some(known) = self.attached.get(&attachment.slot).copied() else { return Ok(()) };
        let network = self.model.network(&attachment.network)?;
        if seen.is_some_and(|seen| seen.mtu.min(network.mtu) == known.mtu && seen.carrier != known.is_down) {
            return Ok(());
        }
        let inner = self.inner_mtu(name, attachment);
        let condition = self.condition_of(network, attachment, inner)?;
        self.put_condition(attachment.slot, condition)
    }

    /// The condition of an attachment's port, whose endpoint's interface has this MTU, where that can be had.
    pub(super) fn condition_of(
        &self,
        network: &Network,
        attachment: &Attachment,
        inner: Option<u32>,
    ) -> Result<Condition, ControlError> {
        let host = self.kernel.port_link(attachment.port)?;
        let mtus = [inner, host.as_ref().map(|link| link.mtu)];
        Ok(Condition {
            mtu: mtus.into_iter().flatten().fold(network.mtu, u32::min),
            is_down: host.is_some_and(|link| !link.carrier),
            is_blocked: self.loops.blocks(attachment.slot),
        })
    }

    /// An uplink that went is no port; one that came back, or has another MTU, is one again.
    fn follow_uplink(&mut self, network: &NetworkName, ifname: &str) -> Result<(), ControlError> {
        let found =
            self.model.network(network)?.uplinks.iter().find(|uplink| uplink.ifname.as_str() == ifname);
        let Some(uplink) = found.cloned() else { return Ok(()) };
        let link = self.kernel.uplink_link(&uplink)?;
        let known = self.attached.get(&uplink.slot).copied();
        let is_same = |link: &Link| PortId::from(link.index) == uplink.port;
        if known.is_some() && !link.as_ref().is_some_and(is_same) {
            self.kernel.release_uplink(&uplink)?;
            self.forget_port(uplink.slot);
        }
        let Some(link) = link else { return Ok(()) };
        if !self.attached.contains_key(&uplink.slot) {
            self.adopt_uplink(network, &uplink.ifname, link.index.into())?;
            return Ok(self.keep(self.model.clone())?);
        }
        let found = condition_of(self.model.network(network)?, &link);
        self.put_condition(uplink.slot, Condition { is_blocked: self.loops.blocks(uplink.slot), ..found })
    }

    fn has_host_side(&self, attachment: &Attachment) -> bool {
        match self.kernel.port_link(attachment.port) {
            Ok(link) => link.is_some_and(|link| link.name == attachment.host_ifname.as_str()),
            // What cannot be looked up is not known to be gone.
            Err(_) => true,
        }
    }
}
