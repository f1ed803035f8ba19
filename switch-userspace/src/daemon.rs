//! `wye daemon`: wires the parts and runs them until it is told to stop. The only file that knows them all.
//!
//! Signals and a plain stop leave the eBPF datapath as it is: its traffic goes on, and the next daemon adopts it.

mod leftovers;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use self::leftovers::purge;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    api::{
        routes::SOCKET_NAME,
        server::{self, Api},
        types::{ErrorBody, ExitClass},
    },
    class,
    control::{
        Control, Settings,
        handle::{Gone, Handle},
        watch::{watch_drops, watch_groups, watch_links, watch_probes},
    },
    datapath::{Datapath, DatapathError, Mode, kernel::KernelDatapath, userspace::UserspaceDatapath},
    dirs,
    events::Hub,
    netns::{Monitor, Netns, NetnsError},
    privilege,
    run_dir::{LOCK_NAME, LastStart},
    run_lock::RunLock,
    store::{Store, StoreError},
};

/// Why the daemon did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another daemon serves the instance.
    #[error("instance {instance} is served by another daemon already ({lock} is locked)")]
    Running {
        /// The instance.
        instance: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// The process may not do what a daemon does.
    #[error("the process lacks {}", missing.join(" and "))]
    Privilege {
        /// The capabilities.
        missing: Vec<&'static str>,
    },
    /// The instance has the other datapath.
    #[error("instance {instance} has the {mode} datapath already")]
    OtherMode {
        /// The instance.
        instance: String,
        /// The datapath that it has.
        mode: Mode,
    },
    /// A file or socket operation failed.
    #[error("{op} {path}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A thread, runtime or signal handler could not be made.
    #[error("start the daemon's threads: {0}")]
    Start(#[from] io::Error),
    /// The control thread died while it started.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The datapath did not start.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
    /// Interfaces cannot be watched.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The desired state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The control plane did not start.
    #[error("{0}")]
    Control(#[from] ErrorBody),
}

impl DaemonError {
    /// The class of the failure, for the exit code.
    #[must_use]
    pub fn class(&self) -> ExitClass {
        match self {
            Self::Running { .. } | Self::OtherMode { .. } => ExitClass::Conflict,
            Self::Privilege { .. } => ExitClass::Permission,
            Self::Control(error) => error.code,
            Self::Io { source, .. } | Self::Start(source) => class::of_system(source),
            Self::Store(error) => class::of_store(error),
            Self::Datapath(error) => class::of_datapath(error),
            Self::Netns(error) => class::of_netns(error),
            Self::Gone(_) => ExitClass::Failed,
        }
    }
}

/// Runs the daemon in the calling thread's network namespace until a signal or a stop request ends it. `ready` is called
/// once the API answers.
///
/// # Errors
/// It could not start, or the API broke.
pub fn run(settings: &Settings, ready: impl FnOnce() -> io::Result<()>) -> Result<(), DaemonError> {
    let lock = lock(settings)?;
    let ended = serve(settings, ready);
    if LastStart::read(&settings.run_dir).is_some() {
        return ended;
    }
    // Nothing came of the start, or all of it was purged.
    ended.and(lock.clear().map_err(io_error("clear", &settings.run_dir)))
}

fn serve(settings: &Settings, ready: impl FnOnce() -> io::Result<()>) -> Result<(), DaemonError> {
    let missing = privilege::missing();
    if !missing.is_empty() {
        return Err(DaemonError::Privilege { missing });
    }
    leftovers::refuse_other_mode(settings)?;
    let hub = Hub::default();
    let control = start_control(settings, &hub)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = settings.run_dir.join(SOCKET_NAME);
        let listener = server::bind(&socket).map_err(io_error("bind", &socket))?;
        let (stop, _) = watch::channel(false);
        tokio::spawn(stop_on_signals(stop.clone(), signals()?));
        ready()?;
        tracing::info!(instance = %settings.instance, socket = %socket.display(), "ready");
        let served = server::serve(listener, Api { control, hub, down: down_command(settings), stop }).await;
        fs::remove_file(&socket).map_err(io_error("remove", &socket))?;
        served.map_err(io_error("serve", &socket))
    })
}

fn down_command(settings: &Settings) -> String {
    let run_dir = settings.run_dir.parent().unwrap_or(&settings.run_dir);
    format!("wye down --instance {} --run-dir {}", settings.instance, run_dir.display())
}

fn start_control(settings: &Settings, hub: &Hub) -> Result<Handle<Control>, DaemonError> {
    let (owned, its_hub) = (settings.clone(), hub.clone());
    let (watched, wait) = crossbeam::channel::bounded(1);
    let control = Handle::spawn(move || {
        let store = Store::open(&owned.state_dir)?;
        // A store that cannot be had is known before the kernel is changed; one that nothing came of is gone again.
        let datapath = open_datapath(&owned).inspect_err(|_| dirs::forget(&owned.state_dir))?;
        LastStart::note(&owned).map_err(io_error("note the start in", &owned.run_dir))?;
        let monitors = monitors(&*datapath)?;
        let control = Control::open(owned.clone(), datapath, store, its_hub)?;
        // The receiver below outlives this closure.
        let _sent = watched.send((control.events()?, control.snooped()?, control.probes()?, monitors));
        Ok::<_, DaemonError>(control)
    })?;
    if let Ok((drops, groups, probes, monitors)) = wait.recv() {
        watch_groups(groups, control.clone())?;
        watch_probes(probes, control.clone())?;
        watch_drops(drops, control.clone(), hub.clone())?;
        for monitor in monitors {
            watch_links(monitor, control.clone())?;
        }
    }
    Ok(control)
}

fn open_datapath(settings: &Settings) -> Result<Box<dyn Datapath>, DaemonError> {
    Ok(match settings.mode {
        Mode::Ebpf => Box::new(KernelDatapath::open(settings.instance.as_str(), &settings.bpffs)?),
        Mode::Userspace => Box::new(UserspaceDatapath::open(settings.instance.as_str())?),
    })
}

/// Monitors of the host's addresses, and of every namespace that ports and uplinks are in. They hear of endpoints' own interfaces too.
fn monitors(datapath: &dyn Datapath) -> Result<Vec<Monitor>, DaemonError> {
    let own = Netns::current()?;
    let mut monitors = vec![Monitor::open()?];
    if *datapath.port_netns() != own {
        monitors.push(Monitor::open_in(datapath.port_netns())?);
    }
    for monitor in &monitors {
        monitor.hear_peers()?;
    }
    // Addresses in other namespaces are nobody's here.
    monitors.push(Monitor::of_addresses()?);
    Ok(monitors)
}

/// One daemon an instance.
fn lock(settings: &Settings) -> Result<RunLock, DaemonError> {
    let dir = &settings.run_dir;
    let taken = RunLock::try_take(dir).map_err(io_error("lock", dir))?;
    taken.ok_or_else(|| DaemonError::Running {
        instance: settings.instance.to_string(),
        lock: dir.join(LOCK_NAME),
    })
}

fn signals() -> io::Result<[Signal; 3]> {
    let on = |kind| signal(kind);
    Ok([on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?])
}

async fn stop_on_signals(stop: watch::Sender<bool>, [mut terminate, mut interrupt, mut hangup]: [Signal; 3]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    // An error says that the server has stopped already.
    let _stopped = stop.send(true);
}

fn io_error<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> DaemonError + 'a {
    move |source| DaemonError::Io { op, path: path.to_path_buf(), source }
}
