//! What every test stands on: a switch in a namespace of its own, containers, and a few short words.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use switch_userspace::{
    api::types::{
        Connect, Endpoint, EndpointAdd, ErrorBody, ExitClass, NetnsChoice, Network, NetworkCreate, Status,
        Stop,
    },
    control::{
        Control, Settings,
        handle::{Gone, Handle},
    },
    datapath::{Mode, kernel::KernelDatapath},
    events::Hub,
    model::InstanceName,
    netns::{LinkEvent, Monitor, Netlink, Netns, NetnsError},
    store::Store,
};
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const BPFFS: &str = "/sys/fs/bpf";

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StartError(String);

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Gone> for StartError {
    fn from(error: Gone) -> Self {
        Self(error.to_string())
    }
}

impl From<ErrorBody> for StartError {
    fn from(error: ErrorBody) -> Self {
        Self(error.to_string())
    }
}

/// A switch of an instance of its own; everything of it goes on drop.
pub(crate) struct Switch {
    pub(crate) host: Netns,
    pub(crate) at_host: Netlink,
    instance: String,
    state: TempDir,
    control: Option<Handle<Control>>,
    monitor: Monitor,
}

impl Switch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let instance = format!("ct{}-{number}", process::id());
        let host = Netns::anonymous().expect("these tests make network namespaces and have to run as root");
        let monitor = Monitor::open_in(&host).expect("monitor");
        monitor.hear_peers().expect("monitor");
        let at_host = Netlink::open_in(&host).expect("netlink");
        let state = TempDir::new().expect("a directory");
        let mut switch = Self { host, at_host, instance, state, control: None, monitor };
        switch.start();
        switch
    }

    /// A name that no other test has.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.instance)
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// Has every change of the state fail until the returned guard is dropped.
    pub(crate) fn refuse_saves(&self) -> RefusedSaves {
        // A directory where the new document is to be written: it can be opened by nobody, root included.
        let path = self.state_dir().join("state.json.new");
        std::fs::create_dir(&path).expect("a directory");
        RefusedSaves(path)
    }

    pub(crate) fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// Starts the control plane on a thread in the host's namespace.
    pub(crate) fn start(&mut self) {
        let (state, instance) = (self.state.path().to_path_buf(), self.instance.clone());
        let open = move || -> Result<Control, StartError> {
            let datapath = KernelDatapath::open(&instance, Path::new(BPFFS))
                .map_err(|error| StartError(error.to_string()))?;
            let store = Store::open(&state).map_err(|error| StartError(error.to_string()))?;
            let settings = Settings {
                instance: InstanceName::new(instance).expect("a legal name"),
                run_dir: state.clone(),
                state_dir: state,
                bpffs: BPFFS.into(),
                mode: Mode::Ebpf,
            };
            Ok(Control::open(settings, Box::new(datapath), store, Hub::default())?)
        };
        let started = self.host.run(|| Ok::<_, NetnsError>(Handle::spawn(open)));
        self.control = Some(started.expect("entering a namespace").expect("the control plane starts"));
    }

    /// Ends the control plane as `kill -9` would: nothing is told to anybody. Returns when its thread has let go.
    pub(crate) fn kill(&mut self) {
        let (told, gone) = mpsc::channel::<()>();
        let control = self.control.take().expect("running");
        control
            .post(move |_| {
                let _told = told;
            })
            .expect("running");
        let _closed = gone.recv();
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// The control thread.
    pub(crate) fn control(&self) -> Handle<Control> {
        self.control.clone().expect("running")
    }

    /// Asks the control plane.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Control) -> T + Send + 'static,
    ) -> T {
        let (answer, wait) = mpsc::channel();
        let post = self.control.as_ref().expect("running").post(move |control| {
            let _asker_gone = answer.send(question(control));
        });
        post.expect("running");
        wait.recv().expect("an answer")
    }

    /// Hands the events that came over to the control plane, until it says what is wanted.
    pub(crate) fn follow_until<T>(&mut self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(self) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let event: Option<LinkEvent> = self.monitor.wait_event(Some(left)).expect("the monitor reads");
            let event = event.expect("no event made it so in time");
            self.ask(move |control| control.link_event(event));
        }
    }

    pub(crate) fn create(&self, name: &str, subnets: &[&str]) -> Network {
        self.create_with(NetworkCreate {
            name: name.into(),
            subnets: nets(subnets),
            ..NetworkCreate::default()
        })
    }

    pub(crate) fn create_with(&self, wish: NetworkCreate) -> Network {
        self.ask(move |control| control.create_network(wish)).expect("a network")
    }

    /// Adds an endpoint with a namespace of its own.
    pub(crate) fn add(&self, name: &str, network: &str) -> Endpoint {
        self.try_add(self.wish(name, network, NetnsChoice::Create)).expect("an endpoint")
    }

    pub(crate) fn try_add(&self, wish: EndpointAdd) -> Result<Endpoint, ErrorBody> {
        self.ask(move |control| control.add_endpoint(wish))
    }

    pub(crate) fn wish(&self, name: &str, network: &str, netns: NetnsChoice) -> EndpointAdd {
        EndpointAdd {
            name: self.name(name),
            network: network.into(),
            netns,
            namespace: None,
            labels: BTreeMap::new(),
            connect: Connect::default(),
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        let name = self.name(name);
        self.ask(move |control| control.remove_endpoint(&name)).expect("removed");
    }

    pub(crate) fn endpoint(&self, name: &str) -> Endpoint {
        let name = self.name(name);
        self.ask(move |control| control.endpoint(&name)).expect("the endpoint")
    }

    pub(crate) fn status(&self) -> Status {
        self.ask(|control| control.status()).expect("status")
    }

    /// Whether an endpoint reaches an address while there is patience.
    pub(crate) fn reaches(&self, from: &Endpoint, to: &str) -> bool {
        reaches(&inside(from), to)
    }

    /// Whether no ping out of an endpoint comes back.
    pub(crate) fn is_cut_off(&self, from: &Endpoint, to: &str) -> bool {
        !run(&inside(from), "ping", &["-c", "3", "-i", "0.05", "-W", "1", to])
    }

    /// What can be seen of the switch on the host and in its own lists, to compare before and after.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut traces: Vec<String> = self
            .at_host
            .links()
            .expect("links")
            .into_iter()
            .map(|link| format!("link {}", link.name))
            .collect();
        traces.extend(namespaces(&self.instance).into_iter().map(|name| format!("namespace {name}")));
        traces.extend(self.ask(|control| {
            let ports = control.ports().expect("ports").into_iter().map(|port| format!("port {}", port.name));
            let entries = control.fdb(&Default::default()).expect("fdb");
            let entries = entries.into_iter().map(|entry| format!("entry {} {}", entry.mac, entry.port));
            let networks = control.networks().into_iter().map(|network| format!("network {}", network.name));
            let endpoints =
                control.endpoints().into_iter().map(|endpoint| format!("endpoint {}", endpoint.name));
            ports.chain(entries).chain(networks).chain(endpoints).collect::<Vec<_>>()
        }));
        traces
    }
}

/// While it lives, no state is saved.
pub(crate) struct RefusedSaves(PathBuf);

impl Drop for RefusedSaves {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).expect("removed");
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if self.control.is_none() && std::thread::panicking() {
            let purge = || KernelDatapath::purge_leftovers(&self.instance, Path::new(BPFFS));
            let removed = self.host.run(|| Ok::<_, NetnsError>(purge()));
            eprintln!("the control plane is not running; its pins: {removed:?}");
            return;
        }
        let purged = self.ask(|control| control.stop(Stop { purge: true }));
        if std::thread::panicking() {
            return;
        }
        purged.expect("purged");
        let links: BTreeSet<String> =
            self.at_host.links().expect("links").into_iter().map(|link| link.name).collect();
        assert!(!links.iter().any(|name| name.starts_with('w')), "interfaces are left: {links:?}");
        assert_eq!(namespaces(&self.instance), Vec::<String>::new(), "namespaces are left");
        let pins = Path::new(BPFFS).join("wye").join(&self.instance);
        assert!(!pins.exists(), "{} is left", pins.display());
        assert!(!self.state.path().join("state.json").exists(), "state is left");
    }
}

/// Named namespaces of an instance's endpoints.
fn namespaces(instance: &str) -> Vec<String> {
    let Ok(listing) = std::fs::read_dir("/run/netns") else { return Vec::new() };
    let mut names: Vec<String> =
        listing.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with(&format!("{instance}-")));
    names.sort();
    names
}

/// Whether a program succeeds in a namespace.
pub(crate) fn run(netns: &Netns, program: &str, arguments: &[&str]) -> bool {
    let output = netns.run(|| Ok::<_, NetnsError>(Command::new(program).args(arguments).output()));
    output.expect("entering a namespace").expect("the program runs").status.success()
}

/// Whether three pings in a row out of a namespace come back while there is patience. A neighbour that could not be resolved
/// a moment ago fails the first ones.
pub(crate) fn reaches(netns: &Netns, to: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if run(netns, "ping", &["-c", "3", "-i", "0.05", "-W", "1", to]) {
            return true;
        }
    }
    false
}

/// The namespace of an endpoint.
pub(crate) fn inside(endpoint: &Endpoint) -> Netns {
    Netns::open_path(&endpoint.netns.path).expect("the endpoint's namespace")
}

pub(crate) fn nets(texts: &[&str]) -> Vec<ipnet::IpNet> {
    texts.iter().map(|text| text.parse().expect("a subnet")).collect()
}

/// The address of an endpoint's first interface on its first subnet.
pub(crate) fn ip(endpoint: &Endpoint) -> String {
    endpoint.attachments[0].ips[0].addr().to_string()
}

/// Asserts the class of a failure and that its texts are whole.
pub(crate) fn assert_told<T: std::fmt::Debug>(result: Result<T, ErrorBody>, code: ExitClass, why: &str) {
    let error = result.expect_err("a failure");
    assert_eq!(error.code, code, "{error}");
    assert!(error.why.contains(why), "{error}");
    assert!(!error.failed.is_empty() && !error.unchanged.is_empty(), "{error:?}");
}
