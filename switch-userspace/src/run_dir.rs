//! An instance's run directory: what lies in it, and what it says of the instance's last start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{api::routes::SOCKET_NAME, control::Settings, datapath::Mode, dirs, model::EndpointNetns};

/// A daemon holds this lock for as long as it lives.
pub const LOCK_NAME: &str = "lock";
/// What a daemon in the background has to say.
pub const LOG_NAME: &str = "wye.log";
const START_NAME: &str = "start.json";
const START_FRESH_NAME: &str = "start.json.new";
/// The network namespace that is being made for an endpoint which the state does not have yet.
const NETNS_NAME: &str = "netns.json";
/// The directory that says which network namespaces wye made, whatever becomes of the state; as they, it does not outlive a
/// reboot.
const OWNED_NAME: &str = "owned-netns";

/// How an instance's daemon was started last: whoever clears up after it finds everything by this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStart {
    /// The datapath's mode.
    pub mode: Mode,
    /// The instance's state directory.
    pub state_dir: PathBuf,
    /// The bpf file system.
    pub bpffs: PathBuf,
}

impl LastStart {
    /// What the run directory says; nothing where no daemon was started since it is there, or where that cannot be read.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(run_dir.join(START_NAME)).ok()?).ok()
    }

    /// Notes the start of a daemon.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn note(settings: &Settings) -> io::Result<()> {
        let start = Self {
            mode: settings.mode,
            state_dir: settings.state_dir.clone(),
            bpffs: settings.bpffs.clone(),
        };
        let fresh = settings.run_dir.join(START_FRESH_NAME);
        fs::write(&fresh, serde_json::to_vec(&start)?)?;
        fs::rename(fresh, settings.run_dir.join(START_NAME))
    }
}

/// Forgets the start: nothing of it is left.
///
/// # Errors
/// The file system refuses.
pub fn forget_start(run_dir: &Path) -> io::Result<()> {
    remove(&run_dir.join(START_NAME))
}

/// Notes that a network namespace is about to get its name.
///
/// # Errors
/// The file system refuses.
pub fn begin_netns(run_dir: &Path, netns: &EndpointNetns) -> io::Result<()> {
    fs::write(run_dir.join(NETNS_NAME), serde_json::to_vec(netns)?)
}

/// The network namespace that was about to get its name when the daemon ended.
#[must_use]
pub fn unfinished_netns(run_dir: &Path) -> Option<EndpointNetns> {
    serde_json::from_slice(&fs::read(run_dir.join(NETNS_NAME)).ok()?).ok()
}

/// Notes that the state has the namespace. Where the note cannot be kept, only the state says whose it is.
pub fn keep_netns(run_dir: &Path, netns: &EndpointNetns) {
    if netns.owned {
        let dir = run_dir.join(OWNED_NAME);
        let kept = fs::create_dir_all(&dir)
            .and_then(|()| fs::rename(run_dir.join(NETNS_NAME), dir.join(netns.ino.to_string())));
        if let Err(error) = kept {
            tracing::warn!(%error, netns = %netns.path.display(), "a network namespace could not be noted");
        }
    }
}

/// Forgets a namespace that is gone.
pub fn forget_netns(run_dir: &Path, netns: &EndpointNetns) {
    let _not_there = fs::remove_file(run_dir.join(OWNED_NAME).join(netns.ino.to_string()));
}

/// The network namespaces that wye made. Some of them may be gone.
#[must_use]
pub fn owned_netns(run_dir: &Path) -> Vec<EndpointNetns> {
    let Ok(notes) = fs::read_dir(run_dir.join(OWNED_NAME)) else { return Vec::new() };
    let read = |note: fs::DirEntry| serde_json::from_slice(&fs::read(note.path()).ok()?).ok();
    notes.filter_map(Result::ok).filter_map(read).collect()
}

/// Notes that the namespace is gone. A note that stays names one that is gone.
pub fn end_netns(run_dir: &Path) {
    let _not_there = fs::remove_file(run_dir.join(NETNS_NAME));
}

/// Removes what an instance has in its run directory, and the directory where wye made it.
///
/// # Errors
/// A file cannot be removed.
pub fn clear(run_dir: &Path) -> io::Result<()> {
    for name in [SOCKET_NAME, LOCK_NAME, LOG_NAME, START_NAME, START_FRESH_NAME, NETNS_NAME] {
        remove(&run_dir.join(name))?;
    }
    match fs::remove_dir_all(run_dir.join(OWNED_NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    dirs::forget(run_dir);
    Ok(())
}

/// Removes a file; that there is none is no failure.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
