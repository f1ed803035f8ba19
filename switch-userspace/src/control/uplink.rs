//! Uplinks: interfaces of the host as ports of a network.

use std::borrow::Cow;

use switch_common::abi::addr::PortId;

use super::{
    condition::Condition,
    error::ControlError,
    kernel::{Kernel, PortRecord, Role, existing},
    plug::{failure, ignore_gone},
};
use crate::{
    model::{Model, ModelError, Network, NetworkName, PortRef, PortSettings, Uplink},
    netns::{IfName, Link, LinkSettings, TeardownFailure, Undo},
};

impl Kernel {
    /// Looks an interface up that is to become an uplink, and puts it into the model.
    pub(super) fn choose_uplink(
        &self,
        model: &mut Model,
        network: &NetworkName,
        ifname: &IfName,
    ) -> Result<(), ControlError> {
        let Some(link) = self.host_link(ifname.as_str())? else {
            return Err(ControlError::NoUplink { ifname: ifname.to_string() });
        };
        let unfit = |why: &str| ControlError::UnfitUplink { ifname: ifname.to_string(), why: why.to_owned() };
        if link.master.is_some() {
            return Err(unfit("it belongs to a bridge, bond or VRF; take it out of that first"));
        }
        if self.is_host_ifname(&link.name) {
            return Err(unfit("it is a port of this switch already"));
        }
        if let Some((owner, ..)) = model.gateways().find(|(.., gateway)| gateway.is_end(&link)) {
            return Err(unfit(&format!("it is the gateway of network {owner}")));
        }
        let mac = link.mac.filter(|mac| !mac.is_zero()).ok_or_else(|| unfit("it has no MAC address"))?;
        let port = PortId::from(link.index);
        if let Some(PortRef::Uplink { network: owner, .. }) = model.port_by_id(port) {
            let (ifname, network) = (ifname.to_string(), owner.to_string());
            return Err(ModelError::UplinkTaken { ifname, network }.into());
        }
        if let Some(other) = model.port_by_id(port) {
            return Err(unfit(&format!("its index {} is also that of port {}", link.index, other.name())));
        }
        let slot = model.free_slot()?;
        let settings = PortSettings::of_uplink();
        let was_promiscuous = link.promiscuous;
        let uplink = Uplink { ifname: ifname.clone(), port, mac, slot, settings, was_promiscuous };
        Ok(model.add_uplink(network, uplink)?)
    }

    /// The least MTU of those of these interfaces of the host that are there.
    pub(super) fn least_mtu(&self, ifnames: &[IfName]) -> Result<Option<u32>, ControlError> {
        let mut least = None;
        for ifname in ifnames {
            let mtu = self.host_link(ifname.as_str())?.map(|link| link.mtu);
            least = least.into_iter().chain(mtu).min();
        }
        Ok(least)
    }

    /// The interface of an uplink: the one of its name, else that of its index and MAC, which was renamed. `None` where there is
    /// none.
    pub(super) fn uplink_link(&self, uplink: &Uplink) -> Result<Option<Link>, ControlError> {
        if let Some(link) = self.host_link(uplink.ifname.as_str())? {
            return Ok(Some(link));
        }
        let link = existing(self.host.link_by_index(uplink.port.into()))?;
        Ok(link.filter(|link| uplink.is_renamed(link)))
    }

    /// Makes an uplink a port: it takes every frame from then on.
    pub(super) fn plug_uplink<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        network: &Network,
        uplink: &Uplink,
        condition: Condition,
    ) -> Result<(), ControlError> {
        self.add_port(undo, network, &uplink_record(network, uplink, condition))?;
        self.set_promiscuous(uplink, true)?;
        let uplink = uplink.clone();
        undo.push(format!("restore interface {}", uplink.ifname), move || {
            self.set_promiscuous(&uplink, false)
        });
        Ok(())
    }

    /// Gives an uplink back to the host. One that is gone is no failure.
    pub(super) fn release_uplink(&self, uplink: &Uplink) -> Result<(), ControlError> {
        self.datapath(|datapath| datapath.detach_port(uplink.port))?;
        self.set_promiscuous(uplink, false)
    }

    /// Gives an uplink back to the host as far as that can be done.
    pub(super) fn unplug_uplink(&self, uplink: &Uplink) -> Vec<TeardownFailure> {
        let detached = self.datapath(|datapath| datapath.detach_port(uplink.port));
        let restored = self.set_promiscuous(uplink, false);
        let mut failures = Vec::new();
        failures.extend(failure(format!("detach port {}", uplink.port.0), detached));
        failures.extend(failure(format!("restore interface {}", uplink.ifname), restored));
        failures
    }

    fn set_promiscuous(&self, uplink: &Uplink, on: bool) -> Result<(), ControlError> {
        let link = existing(self.host.link_by_index(uplink.port.into()))?;
        let is_it = link.is_some_and(|link| link.name == uplink.ifname.as_str() || uplink.is_renamed(&link));
        if uplink.was_promiscuous || !is_it {
            return Ok(());
        }
        let settings = LinkSettings { promiscuous: Some(on), ..LinkSettings::default() };
        Ok(ignore_gone(self.host.set_link(uplink.port.into(), &settings))?)
    }
}

/// The condition of a port whose interface of the host is `link`, and that is not blocked. Its MTU is at most its network's.
pub(super) fn condition_of(network: &Network, link: &Link) -> Condition {
    Condition { mtu: link.mtu.min(network.mtu), is_down: !link.carrier, is_blocked: false }
}

/// What the datapath is told of an uplink's port.
pub(super) fn uplink_record(network: &Network, uplink: &Uplink, condition: Condition) -> PortRecord<'static> {
    PortRecord {
        id: uplink.port,
        domain: network.domain,
        slot: uplink.slot,
        mac: uplink.mac,
        condition,
        settings: uplink.settings.clone(),
        addresses: Cow::default(),
        vlans: network.vlans_of(&uplink.settings),
        role: Role::Uplink,
    }
}
