//! The real thing: the `wye` program as daemon and as command line, in a namespace that plays its host, with folders and a
//! BPF file system of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
};

use serde::de::DeserializeOwned;
use switch_userspace::{
    api::{
        client::Client,
        routes::SOCKET_NAME,
        types::{Endpoint, FdbEntry, Port, Status},
    },
    datapath::Mode,
    netns::Netns,
};
use tempfile::TempDir;

use super::{
    census::Census,
    netns,
    topology::{unique_instance, wait_until},
};

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

/// A switch: its daemon, and how to talk to it. On drop it is purged, and nothing of it may stay.
pub struct Wye {
    mode: Mode,
    instance: String,
    host: Netns,
    dirs: TempDir,
    daemon: Option<Child>,
    before: Census,
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
        let client = Client::new(self.dirs.path().join("run").join(&self.instance).join(SOCKET_NAME));
        let client = client.expect("a client");
        wait_until("the daemon answers", || {
            if let Some(status) = child.try_wait().expect("the daemon can be waited for") {
                panic!("the daemon ended with {status}: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            client.get::<Status>(switch_userspace::api::routes::STATUS).is_ok()
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

    /// A container on a network: a namespace of the test's, made an endpoint called `name`.
    ///
    /// # Panics
    /// When it cannot be added.
    #[must_use]
    pub fn container(&self, name: &str, network: &str) -> Container {
        self.container_with(name, network, &[])
    }

    /// A container whose `endpoint add` has further options.
    ///
    /// # Panics
    /// When it cannot be added.
    #[must_use]
    pub fn container_with(&self, name: &str, network: &str, options: &[&str]) -> Container {
        let namespace = Namespace::new(&format!("{}-{name}", self.instance));
        let add = ["endpoint", "add", name, "--network", network, "--netns", namespace.name()];
        self.ok(&[&add, options].concat());
        let [endpoint] = self.json::<[Endpoint; 1]>(&["endpoint", "inspect", name]);
        Container { endpoint, namespace }
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

fn census(host: &Netns, instance: &str, dirs: &Path) -> Census {
    let folders = [dirs.join("run"), dirs.join("state"), dirs.join("bpf")];
    Census::take(host, instance, &folders.each_ref().map(PathBuf::as_path))
}

/// A named network namespace, which goes on drop.
pub struct Namespace {
    name: String,
    netns: Option<Netns>,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Panics
    /// When the name is taken.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let netns = Netns::create_named(name).expect("a namespace");
        Self { name: name.to_owned(), netns: Some(netns) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    ///
    /// # Panics
    /// Never: it is there until it is dropped.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.netns.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.netns = None;
        // A test may have taken the name away itself.
        let _gone = Netns::delete_named(&self.name);
    }
}

/// An endpoint in a namespace of the test's.
pub struct Container {
    /// What the daemon says of it.
    pub endpoint: Endpoint,
    namespace: Namespace,
}

impl Container {
    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.namespace.netns()
    }

    /// MAC of its first interface.
    #[must_use]
    pub fn mac(&self) -> &str {
        &self.endpoint.attachments[0].mac
    }

    /// Its address of a family on its first network.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn ip(&self, family: Family) -> String {
        let ips = self.endpoint.attachments[0].ips.iter().map(|net| net.addr());
        let mut of_family = ips.filter(|ip| ip.is_ipv4() == (family == Family::V4));
        of_family.next().expect("an address of the family").to_string()
    }

    /// Runs a program inside, which has to succeed, and returns what it prints.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        netns::run(self.netns(), program, args)
    }

    /// Whether three echo requests to `ip` are all answered.
    #[must_use]
    pub fn pings(&self, ip: &str) -> bool {
        let args = ["-c", "3", "-i", "0.02", "-W", "1", ip];
        netns::output(self.netns(), "ping", &args).status.success()
    }

    /// Starts a program inside.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(&self, command: &mut Command) -> Child {
        netns::inside(self.netns(), || command.spawn()).expect("the program can be started")
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Makes a test of each function, which takes a [`Mode`], for each datapath.
#[macro_export]
macro_rules! both_datapaths {
    ($($test:ident),* $(,)?) => {
        mod ebpf {
            $(#[test] fn $test() { super::$test(switch_userspace::datapath::Mode::Ebpf); })*
        }
        mod userspace {
            $(#[test] fn $test() { super::$test(switch_userspace::datapath::Mode::Userspace); })*
        }
    };
}
