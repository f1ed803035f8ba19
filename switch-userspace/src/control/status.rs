//! The control plane about itself: version, status, facts.

use std::{fs, process};

use switch_common::{
    abi::{MAX_DOMAINS, MAX_FDB_ENTRIES, MAX_PORTS, MAX_SLOTS, SCHEMA},
    stage::pipeline::NO_SLOT,
};

use super::{Control, error::ControlError};
use crate::{
    api::types::{ErrorBody, Facts, Limits, Status, TableFill, Version},
    model::PortRef,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A table that is fuller than this many hundredths is worth a warning.
const NEARLY_FULL_PERCENT: u64 = 90;

impl Control {
    /// Which program this is.
    #[must_use]
    pub fn version(&self) -> Version {
        Version { version: VERSION.to_owned(), schema: SCHEMA }
    }

    /// State at a glance.
    ///
    /// # Errors
    /// The datapath's tables cannot be read.
    pub fn status(&mut self) -> Result<Status, ErrorBody> {
        self.recheck();
        self.try_status().map_err(|error| error.told("read status", ""))
    }

    /// What the daemon knows of its surroundings.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            pid: process::id(),
            version: VERSION.to_owned(),
            schema: SCHEMA,
            instance: self.settings.instance.to_string(),
            mode: self.settings.mode.to_string(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim_end()
                .to_owned(),
            host_netns: self.kernel.own.id().ino,
            run_dir: self.settings.run_dir.clone(),
            state_dir: self.settings.state_dir.clone(),
            bpffs: self.settings.bpffs.clone(),
            limits: Limits {
                max_ifindex: MAX_PORTS,
                max_ports: MAX_SLOTS - 1,
                max_networks: MAX_DOMAINS - 1,
                max_fdb_entries: MAX_FDB_ENTRIES,
            },
        }
    }

    fn try_status(&self) -> Result<Status, ControlError> {
        let tables: Vec<TableFill> = self
            .kernel
            .datapath(|datapath| datapath.tables())?
            .into_iter()
            .map(|table| TableFill {
                name: table.name,
                entries: table.entries,
                capacity: table.capacity,
                memory_bytes: table.memory_bytes,
            })
            .collect();
        let drops = self.kernel.datapath(|datapath| datapath.drops(NO_SLOT))?;
        let is_missing = |port: &PortRef<'_>| !self.attached.contains_key(&port.slot());
        Ok(Status {
            pid: process::id(),
            version: VERSION.to_owned(),
            instance: self.settings.instance.to_string(),
            mode: self.settings.mode.to_string(),
            since: self.since.to_string(),
            networks: self.model.networks.len() as u64,
            endpoints: self.model.endpoints.len() as u64,
            endpoints_not_ready: self.ailments.len() as u64,
            ports: self.attached.len() as u64,
            ports_blocked: self.blocked_ports().count() as u64,
            ports_missing: self.model.ports().filter(is_missing).count() as u64,
            drops: drops.into_iter().map(|(reason, frames)| (reason.name().to_owned(), frames)).collect(),
            memory_bytes: tables.iter().map(|table| table.memory_bytes).sum(),
            warnings: self.warnings(&tables),
            tables,
        })
    }

    fn warnings(&self, tables: &[TableFill]) -> Vec<String> {
        let mut warnings = self.notes.clone();
        for (name, ailment) in &self.ailments {
            warnings.push(format!("endpoint {name}: {}", ailment.reason));
        }
        for (network, _, uplink) in self.model.uplinks() {
            if !self.attached.contains_key(&uplink.slot) {
                warnings.push(format!("uplink {} of network {network} is missing", uplink.ifname));
            } else if let Ok(Some(link)) = self.kernel.uplink_link(uplink)
                && link.name != uplink.ifname.as_str()
            {
                warnings.push(format!(
                    "uplink {} of network {network} is called {} now; it is not found after a reboot unless it gets its name back",
                    uplink.ifname, link.name
                ));
            }
        }
        for (slot, by) in self.blocked_ports() {
            if let Some(port) = self.attached_port(slot) {
                warnings.push(format!(
                    "port {} of network {} is blocked: it is cabled to {by}",
                    port.name(),
                    port.network()
                ));
            }
        }
        if !self.model.lost.is_empty() {
            warnings.push(format!(
                "{} ports carry traffic though the state that described them was lost; `wye down --purge` removes them",
                self.model.lost.len()
            ));
        }
        for table in tables {
            let percent = table.entries.map(|entries| entries * 100 / table.capacity.max(1));
            if percent.is_some_and(|percent| percent > NEARLY_FULL_PERCENT) {
                warnings.push(format!("table {} is nearly full", table.name));
            }
        }
        warnings
    }
}
