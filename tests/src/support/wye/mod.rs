//! The real thing: the `wye` program as daemon and as command line, in a namespace that plays its host, with folders and a
//! BPF file system of its own.

mod command;
mod container;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
};

use switch_userspace::{
    api::{
        client::Client,
        routes::{self, SOCKET_NAME},
        types::Status,
    },
    datapath::Mode,
    netns::Netns,
};
use tempfile::TempDir;

pub use self::{
    command::{Failure, program},
    container::{Container, Family, Namespace},
};
use super::{
    census::Census,
    netns,
    topology::{unique_instance, wait_until},
};

/// A switch: its daemon, and how to talk to it. On drop it is purged, and nothing of it may stay.
pub struct Wye {
    mode: Mode,
    instance: String,
    host: Netns,
    dirs: TempDir,
    daemon: Option<Child>,
    before: Census,
}

impl Wye {
    /// Starts a daemon of a new instance.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start(mode: Mode) -> Self {
        let mut wye = Self::prepare(mode);
        wye.start_daemon();
        wye
    }

    /// Makes everything that a daemon needs, and starts none.
    ///
    /// # Panics
    /// Without the privileges.
    #[must_use]
    pub fn prepare(mode: Mode) -> Self {
        let host = netns::new();
        netns::run(&host, "ip", &["link", "set", "lo", "up"]);
        let dirs = TempDir::with_prefix("wye-tests-").expect("a temporary folder");
        for name in ["run", "state", "bpf"] {
            fs::create_dir(dirs.path().join(name)).expect("a folder");
        }
        let bpffs = dirs.path().join("bpf").display().to_string();
        netns::run(&host, "mount", &["-t", "bpf", "bpf", &bpffs]);
        let instance = unique_instance();
        let before = census(&host, &instance, dirs.path());
        Self { mode, instance, host, dirs, daemon: None, before }
    }

    /// Starts the daemon and waits until it answers.
    ///
    /// # Panics
    /// When it ends, or does not answer.
    pub fn start_daemon(&mut self) {
        let log = self.dirs.path().join("daemon.log");
        let log_file = fs::File::options().create(true).append(true).open(&log).expect("the daemon's log");
        let mut command = self.command(&["daemon", "--datapath", self.datapath()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let child = netns::inside(&self.host, || command.spawn()).expect("wye can be started");
        let child = self.daemon.insert(child);
        let client = client(self.dirs.path(), &self.instance);
        wait_until("the daemon answers", || {
            if let Some(status) = child.try_wait().expect("the daemon can be waited for") {
                panic!("the daemon ended with {status}: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            client.get::<Status>(routes::STATUS).is_ok()
        });
    }

    /// Ends the daemon as a crash would.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        daemon.kill().expect("the daemon can be killed");
        daemon.wait().expect("the daemon can be waited for");
    }

    /// What is there now: on the host, among named namespaces, in the folders.
    #[must_use]
    pub fn census(&self) -> Census {
        census(&self.host, &self.instance, self.dirs.path())
    }

    /// A client of the daemon, for what is asked too often for the command line.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn client(&self) -> Client {
        client(self.dirs.path(), &self.instance)
    }

    /// Process number of the daemon.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("the daemon runs").id()
    }

    /// The namespace that plays the host.
    #[must_use]
    pub fn host(&self) -> &Netns {
        &self.host
    }

    /// The name of the instance, which begins the names of everything that tests make for it.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The BPF file system.
    #[must_use]
    pub fn bpffs(&self) -> PathBuf {
        self.dirs.path().join("bpf")
    }

    /// The folders of run time, state and pins.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dirs.path()
    }

    /// Which datapath it has, as the command line calls it.
    #[must_use]
    pub fn datapath(&self) -> &'static str {
        match self.mode {
            Mode::Ebpf => "ebpf",
            Mode::Userspace => "userspace",
        }
    }

    /// Purges the instance while its daemon runs, and checks that nothing is left.
    ///
    /// # Panics
    /// When something is.
    pub fn purge(&mut self) {
        self.ok(&["down", "--purge"]);
        if let Some(mut daemon) = self.daemon.take() {
            daemon.wait().expect("the daemon can be waited for");
        }
        self.before.assert_same(&self.census());
    }

    fn unmount(&self) {
        let bpffs = self.bpffs().display().to_string();
        let _failed_before = netns::output(&self.host, "umount", &["--lazy", &bpffs]);
    }
}

impl Drop for Wye {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.purge();
        } else {
            // What the test failed with is to be told, not what its remains fail with.
            let log = fs::read_to_string(self.dirs.path().join("daemon.log")).unwrap_or_default();
            println!("the daemon's log:\n{log}");
            let _unfinished = self.run(&["down", "--purge"]);
            if let Some(mut daemon) = self.daemon.take() {
                let _gone = daemon.kill();
                let _ended = daemon.wait();
            }
        }
        self.unmount();
    }
}

fn client(dirs: &Path, instance: &str) -> Client {
    Client::new(dirs.join("run").join(instance).join(SOCKET_NAME)).expect("a client")
}

fn census(host: &Netns, instance: &str, dirs: &Path) -> Census {
    let folders = [dirs.join("run"), dirs.join("state"), dirs.join("bpf")];
    Census::take(host, instance, &folders.each_ref().map(PathBuf::as_path))
}
