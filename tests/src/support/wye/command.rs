//! `wye` on the command line: how it is called, what it answers, how it fails.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use switch_userspace::api::types::{FdbEntry, Port};

use super::Wye;
use crate::support::{netns, topology::wait_until};

/// The program under test: `WYE_BIN`, or the release build of this workspace.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program() -> PathBuf {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a workspace's member");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let path = env::var_os("WYE_BIN").map_or_else(|| target.join("release/wye"), PathBuf::from);
    assert!(path.is_file(), "{} is not built: run `cargo xtask build`, or set WYE_BIN", path.display());
    path
}

/// A command that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its exit code.
    pub code: i32,
    /// What it said.
    pub stderr: String,
}

impl Failure {
    /// What a command ended with.
    ///
    /// # Panics
    /// When a signal ended it.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code().expect("an exit code"), stderr }
    }
}

impl Wye {
    /// The command `wye ARGS` of this instance; to be run in [`Wye::host`].
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .env("WYE_INSTANCE", &self.instance)
            .env("WYE_RUN_DIR", self.dirs.path().join("run"))
            .env("WYE_STATE_DIR", self.dirs.path().join("state"))
            .env("WYE_BPFFS", self.bpffs());
        command
    }

    /// Runs `wye ARGS`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        netns::inside(&self.host, || command.output()).expect("wye can be started")
    }

    /// Runs `wye ARGS`, which has to succeed, and returns what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "wye {args:?}: {}: {stderr}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs `wye ARGS`, which has to fail with nothing on stdout.
    ///
    /// # Panics
    /// When it succeeds.
    #[must_use]
    pub fn fails(&self, args: &[&str]) -> Failure {
        let output = self.run(args);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "wye {args:?} succeeded: {stdout}");
        assert_eq!(stdout, "", "wye {args:?}");
        Failure::of(&output)
    }

    /// Runs `wye ARGS -o json` and reads the answer.
    ///
    /// # Panics
    /// When it fails, or prints something else.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self, args: &[&str]) -> T {
        let text = self.ok(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("wye {args:?}: {error}: {text}"))
    }

    /// A port with its counters.
    #[must_use]
    pub fn port(&self, name: &str) -> Port {
        self.json(&["port", "show", name])
    }

    /// How often `reason` was counted at a port.
    #[must_use]
    pub fn drops(&self, port: &str, reason: &str) -> u64 {
        self.port(port).drops.get(reason).copied().unwrap_or(0)
    }

    /// The FDB entry of a MAC; `None` where there is none.
    ///
    /// # Panics
    /// Where it is in several networks.
    #[must_use]
    pub fn fdb_entry(&self, mac: &str) -> Option<FdbEntry> {
        let mut entries = self.json::<Vec<FdbEntry>>(&["fdb", "show"]);
        entries.retain(|entry| entry.mac == mac);
        assert!(entries.len() < 2, "{entries:?}");
        entries.pop()
    }

    /// Waits until no port's counters move any more: what was sent is delivered or dropped.
    pub fn wait_for_idleness(&self) {
        let counters = || -> Vec<_> {
            let ports: Vec<Port> = self.json(&["port", "ls"]);
            ports.into_iter().map(|port| (port.counters, port.drops)).collect()
        };
        let (mut last, mut since) = (counters(), Instant::now());
        wait_until("the switch is idle", || {
            let now = counters();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(60)
        });
    }
}
