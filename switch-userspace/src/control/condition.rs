//! What the control plane has found out of an attached port's interface, and the datapath is to know.

use switch_common::abi::addr::Slot;

use super::{Control, error::ControlError};
use crate::{api::types::EventKind, model::PortRef};

/// The condition of an attached port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Largest L3 packet in bytes that it takes.
    pub(super) mtu: u32,
    /// Whether whatever is sent to it is lost.
    pub(super) is_down: bool,
    /// Whether it is cabled to another port, which is not blocked.
    pub(super) is_blocked: bool,
}

impl Condition {
    /// That of a port that frames pass.
    pub(super) const fn up(mtu: u32) -> Self {
        Self { mtu, is_down: false, is_blocked: false }
    }
}

impl Control {
    /// Tells the datapath what an attached port's condition is, effective from the next frame on.
    pub(super) fn put_condition(&mut self, slot: Slot, condition: Condition) -> Result<(), ControlError> {
        let Some(before) = self.attached.get(&slot).copied() else { return Ok(()) };
        let Some(port) = self.model.ports().find(|port| port.slot() == slot) else { return Ok(()) };
        if before == condition {
            return Ok(());
        }
        let record = self.record_in(&self.model, &port, condition)?;
        self.kernel.datapath(|datapath| datapath.update_port(record.id, record.config()))?;
        let name = port.name();
        self.attached.insert(slot, condition);
        if before.mtu != condition.mtu {
            self.hub.publish(EventKind::PortMtu { port: name, mtu: condition.mtu });
        }
        Ok(())
    }

    /// Forgets the condition of a port that is none any more.
    pub(super) fn forget_port(&mut self, slot: Slot) {
        self.attached.remove(&slot);
        self.loops.forget(slot);
    }

    /// The attached port of a slot.
    pub(super) fn attached_port(&self, slot: Slot) -> Option<PortRef<'_>> {
        self.model.ports().find(|port| port.slot() == slot && self.attached.contains_key(&slot))
    }
}
