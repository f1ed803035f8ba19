//! Network namespaces: opening, naming, entering.
//!
//! A namespace is entered only by a thread made for that, which ends with the work: the calling thread stays where it is, so
//! neither it nor an async executor above it can be left in a foreign namespace.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    panic,
    path::{Path, PathBuf},
    thread,
};

use super::{error::NetnsError, names::check_netns_name};
use crate::sys;

/// Where `ip netns` keeps the names of namespaces.
pub const NETNS_DIR: &str = "/run/netns";

/// Which namespace: the device and inode of its file. Unique among those that exist at one time; a number may come back
/// after its namespace is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsId {
    /// Device of the namespace file system.
    pub dev: u64,
    /// Inode in it.
    pub ino: u64,
}

/// An open network namespace: it exists at least as long as this handle. Two handles are equal when they are the same
/// namespace, however they were named.
pub struct Netns {
    file: OwnedFd,
    id: NetnsId,
    label: String,
}

impl Netns {
    /// Opens the namespace that `text` names: a path where it has a `/`, otherwise a name under `/run/netns`.
    ///
    /// # Errors
    /// As [`Netns::open_path`] and [`Netns::open_name`].
    pub fn open(text: &str) -> Result<Self, NetnsError> {
        if text.contains('/') { Self::open_path(Path::new(text)) } else { Self::open_name(text) }
    }

    /// Opens the namespace whose file is at `path`, such as `/proc/123/ns/net` or `/run/netns/red`.
    ///
    /// # Errors
    /// No such file; the file is not a network namespace.
    pub fn open_path(path: &Path) -> Result<Self, NetnsError> {
        let label = path.display().to_string();
        // A FIFO at the path must not stop the opener.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|source| NetnsError::system("open namespace", &label, source))?;
        Self::from_file(file, label)
    }

    /// Opens the namespace called `name` under `/run/netns`.
    ///
    /// # Errors
    /// A name that no namespace can have; otherwise as [`Netns::open_path`].
    pub fn open_name(name: &str) -> Result<Self, NetnsError> {
        Self::open_path(&named_path(name)?)
    }

    /// Opens the namespace of the process `pid`.
    ///
    /// # Errors
    /// No such process, or no permission to look at it.
    pub fn open_pid(pid: u32) -> Result<Self, NetnsError> {
        Self::open_path(Path::new(&format!("/proc/{pid}/ns/net")))
    }

    /// Opens the namespace of the calling thread.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> Result<Self, NetnsError> {
        Self::open_path(Path::new("/proc/thread-self/ns/net"))
    }

    /// Makes a namespace without a name; it is gone with the last handle, interface move target and process in it.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN.
    pub fn anonymous() -> Result<Self, NetnsError> {
        let mut netns = on_own_thread(|| {
            sys::ns::unshare().map_err(|source| NetnsError::system("create", "network namespace", source))?;
            Self::current()
        })?;
        netns.label = format!("unnamed namespace {}", netns.id.ino);
        Ok(netns)
    }

    /// Makes a namespace called `name`, as `ip netns add` does; it stays until [`Netns::delete_named`].
    ///
    /// # Errors
    /// A name that is taken or that no namespace can have; without CAP_SYS_ADMIN. Nothing is left behind then.
    pub fn create_named(name: &str) -> Result<Self, NetnsError> {
        Self::anonymous()?.into_named(name)
    }

    /// Gives the namespace a name; it stays until [`Netns::delete_named`].
    ///
    /// # Errors
    /// As [`Netns::create_named`].
    pub fn into_named(mut self, name: &str) -> Result<Self, NetnsError> {
        let path = named_path(name)?;
        let failed = |source: io::Error| NetnsError::system("create namespace", name, source);
        share_netns_dir()?;
        OpenOptions::new().write(true).create_new(true).mode(0o000).open(&path).map_err(failed)?;
        let source = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        if let Err(error) = sys::ns::bind_mount(Path::new(&source), &path) {
            // The failure that is returned explains more than a second one could.
            let _ = fs::remove_file(&path);
            return Err(failed(error));
        }
        self.label = path.display().to_string();
        Ok(self)
    }

    /// Takes the name of a namespace away, as `ip netns delete` does; the namespace goes once nothing uses it.
    ///
    /// # Errors
    /// No such name; without CAP_SYS_ADMIN.
    pub fn delete_named(name: &str) -> Result<(), NetnsError> {
        let path = named_path(name)?;
        let failed = |source: io::Error| NetnsError::system("delete namespace", name, source);
        match sys::ns::unmount(&path) {
            // A name whose mount is gone, as after a reboot of the mount namespace: only the file is left.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            unmounted => unmounted.map_err(failed)?,
        }
        fs::remove_file(&path).map_err(failed)
    }

    /// Which namespace this is.
    #[must_use]
    pub fn id(&self) -> NetnsId {
        self.id
    }

    /// How the namespace was named when it was opened.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Refuses the namespace that the switch itself runs in.
    ///
    /// # Errors
    /// [`NetnsError::HostNamespace`] where this is `host`.
    pub fn refuse_host(&self, host: &Self) -> Result<(), NetnsError> {
        if self == host { Err(NetnsError::HostNamespace { object: self.label.clone() }) } else { Ok(()) }
    }

    /// Runs `work` inside the namespace, on a thread made for it, and waits for its result. Sockets and descriptors that
    /// `work` opens and returns stay with the namespace. A panic of `work` goes on in the caller.
    ///
    /// # Errors
    /// Those of `work`; no permission to enter; no more threads.
    pub fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E>
    where
        T: Send,
        E: From<NetnsError> + Send,
    {
        on_own_thread(|| {
            sys::ns::enter(self.file.as_fd())
                .map_err(|source| NetnsError::system("enter namespace", &self.label, source))?;
            work()
        })
    }

    fn from_file(file: File, label: String) -> Result<Self, NetnsError> {
        let metadata =
            file.metadata().map_err(|source| NetnsError::system("open namespace", &label, source))?;
        if !sys::ns::is_netns(file.as_fd()) {
            return Err(NetnsError::NotANamespace { object: label });
        }
        Ok(Self { id: NetnsId { dev: metadata.dev(), ino: metadata.ino() }, file: file.into(), label })
    }
}

impl PartialEq for Netns {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Netns {}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl fmt::Debug for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netns({}, inode {})", self.label, self.id.ino)
    }
}

/// The path of a named namespace.
///
/// # Errors
/// A name that no namespace can have.
pub fn named_path(name: &str) -> Result<PathBuf, NetnsError> {
    check_netns_name(name)?;
    Ok(Path::new(NETNS_DIR).join(name))
}

/// Makes `/run/netns` a shared mount where it is none yet, so that every mount namespace sees the names in it.
fn share_netns_dir() -> Result<(), NetnsError> {
    let dir = Path::new(NETNS_DIR);
    let share = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        // `ip netns add` takes the same lock: two that mount the directory on itself would hide each other's names.
        let lock = File::open(dir)?;
        lock.lock()?;
        match sys::ns::make_shared(dir) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                sys::ns::bind_mount(dir, dir)?;
                sys::ns::make_shared(dir)
            }
            shared => shared,
        }
    };
    share().map_err(|source| NetnsError::system("prepare", dir.display(), source))
}

fn on_own_thread<T, E>(work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E>
where
    T: Send,
    E: From<NetnsError> + Send,
{
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|source| NetnsError::system("start", "namespace thread", source))?;
        worker.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}
