//! The end: nothing is touched, or everything goes.

use std::process;

use super::{Control, error::ControlError, netns::remove_owned, plug::failure};
use crate::{
    api::types::{ErrorBody, Stop, Stopped},
    netns::{TeardownErrors, TeardownFailure},
};

impl Control {
    /// Gets ready for the end. With `purge` every interface, namespace, program and table of the instance is removed, and
    /// its state forgotten; otherwise traffic goes on.
    ///
    /// # Errors
    /// With `purge`, what could not be removed; everything else was.
    pub fn stop(&mut self, wish: Stop) -> Result<Stopped, ErrorBody> {
        if wish.purge {
            let instance = self.settings.instance.to_string();
            self.purge().map_err(|error| error.told("purge instance", &instance))?;
        }
        Ok(Stopped { pid: process::id() })
    }

    fn purge(&mut self) -> Result<(), ControlError> {
        let mut failures = Vec::new();
        for (name, endpoint) in &self.model.endpoints {
            for attachment in &endpoint.attachments {
                failures.extend(self.kernel.unplug(attachment));
            }
            failures.extend(remove_owned(name, &endpoint.netns));
        }
        for (.., uplink) in self.model.uplinks() {
            failures.extend(self.kernel.unplug_uplink(uplink));
        }
        for lost in &self.model.lost {
            let removed = self
                .kernel
                .host_ifname(lost.slot)
                .and_then(|name| self.kernel.delete_host_side(lost.port, name.as_str()));
            failures.extend(failure(format!("delete the interface of port {}", lost.port.0), removed));
        }
        if let Some(datapath) = self.kernel.take_datapath() {
            for error in datapath.purge().err().into_iter().flatten() {
                failures.push(TeardownFailure {
                    step: String::from("purge the datapath"),
                    source: Box::new(error),
                });
            }
        }
        if failures.is_empty() {
            return Ok(self.store.remove()?);
        }
        Err(ControlError::Teardown(TeardownErrors { failures }))
    }
}
