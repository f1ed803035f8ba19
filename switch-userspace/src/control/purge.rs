//! The end: nothing is touched, or everything goes.

use std::process;

use super::{Control, error::ControlError, netns::remove_owned, plug::failure};
use crate::{
    api::types::{ErrorBody, Stop, Stopped},
    model::Model,
    netns::{Link, NetnsError, TeardownErrors, TeardownFailure},
    run_dir,
};

impl Control {
    /// Gets ready for the end. With `purge` every interface, namespace, program and table of the instance is removed, and
    /// its state forgotten.
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
        for (.., uplink) in self.model.uplinks() {
            failures.extend(self.kernel.unplug_uplink(uplink));
        }
        failures.extend(failure(String::from("delete the interfaces of ports"), self.delete_host_sides()));
        for endpoint in self.model.endpoints.values() {
            failures.extend(remove_owned(&endpoint.netns));
        }
        // Those of endpoints that a damaged state described.
        for netns in run_dir::owned_netns(&self.settings.run_dir) {
            failures.extend(remove_owned(&netns));
        }
        if let Some(datapath) = self.kernel.take_datapath() {
            for error in datapath.purge().err().into_iter().flatten() {
                failures.push(TeardownFailure {
                    step: String::from("purge the datapath"),
                    source: Box::new(error),
                });
            }
        }
        if !failures.is_empty() {
            return Err(ControlError::Teardown(TeardownErrors { failures }));
        }
        self.store.remove()?;
        // What is heard of the interfaces that went concerns nobody any more.
        self.model = Model::default();
        Ok(run_dir::forget_start(&self.settings.run_dir).map_err(|source| {
            NetnsError::system("forget the start in", self.settings.run_dir.display(), source)
        })?)
    }

    /// Deletes the host side of every port in one go.
    fn delete_host_sides(&self) -> Result<(), ControlError> {
        let links = self.kernel.ports.links()?;
        let is_ours = |link: &&Link| self.kernel.is_host_ifname(&link.name);
        let indexes: Vec<_> = links.iter().filter(is_ours).map(|link| link.index).collect();
        Ok(self.kernel.ports.delete_links(&indexes)?)
    }
}
