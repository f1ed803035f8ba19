//! A whole wye, driven as a user drives it, in a namespace that plays the host.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use switch_userspace::{api::types::Status, netns::Netns};

use super::Datapath;

const NETWORK: &str = "bench";
/// Room for more endpoints than a switch has ports.
const SUBNET: &str = "10.64.0.0/16";

/// A running instance; it is purged on drop.
pub(super) struct Switch {
    wye: PathBuf,
    instance: String,
    dir: PathBuf,
    host: Netns,
}

impl Switch {
    /// Starts the daemon and makes a network.
    ///
    /// # Errors
    /// The program `wye` is not beside this one; it fails.
    pub(super) fn start(datapath: Datapath) -> Result<Self> {
        let wye = env::current_exe().context("cannot find this program")?.with_file_name("wye");
        if !wye.is_file() {
            bail!("{} is missing; `cargo xtask bench idle` builds it", wye.display());
        }
        let instance = format!("bench-{}", process::id());
        let dir = env::temp_dir().join(format!("wye-{instance}"));
        let host = Netns::anonymous().context("cannot make a network namespace; this has to run as root")?;
        let switch = Self { wye, instance, dir, host };
        let mode = datapath.to_possible_value().context("every datapath has a name")?;
        switch.run(&["up", "--datapath", mode.get_name()])?;
        switch.run(&["network", "create", NETWORK, "--subnet", SUBNET])?;
        Ok(switch)
    }

    /// Adds an endpoint in a namespace that is made for it.
    ///
    /// # Errors
    /// The daemon refuses.
    pub(super) fn add_endpoint(&self, number: u32) -> Result<()> {
        let name = format!("{}-{number}", self.instance);
        self.run(&["endpoint", "add", &name, "--network", NETWORK, "--create-netns"]).map(drop)
    }

    /// What the daemon says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) fn status(&self) -> Result<Status> {
        let json = self.run(&["status", "-o", "json"])?;
        serde_json::from_slice(&json).context("`wye status` does not write what it should")
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let line = format!("wye {}", arguments.join(" "));
        let output = self.host.run(|| {
            Command::new(&self.wye)
                .args(arguments)
                .env("WYE_INSTANCE", &self.instance)
                .env("WYE_RUN_DIR", self.dir.join("run"))
                .env("WYE_STATE_DIR", self.dir.join("state"))
                .output()
                .with_context(|| format!("cannot start `{line}`"))
        })?;
        if !output.status.success() {
            bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        Ok(output.stdout)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["down", "--purge"]) {
            eprintln!("left behind: {error:#}");
        }
        // It is there only where the daemon was.
        let _missing = fs::remove_dir_all(&self.dir);
    }
}
