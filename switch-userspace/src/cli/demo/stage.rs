//! The place where the demo plays: a network namespace as host, directories and a bpf file system of its own.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
};

use super::{
    DemoError,
    command::{self, Runner},
};
use crate::{
    cli::{output, style},
    datapath::Mode,
    netns::{TeardownErrors, Undo},
    sys,
};

/// A network of the demo.
pub(super) struct Network {
    pub(super) name: &'static str,
    pub(super) v4: &'static str,
    pub(super) v6: &'static str,
}

/// A container of the demo: an endpoint with a namespace of its own.
pub(super) struct Container {
    pub(super) name: &'static str,
    pub(super) network: &'static str,
    pub(super) v4: &'static str,
    pub(super) v6: &'static str,
}

pub(super) const NETWORKS: [Network; 2] = [
    Network { name: "red", v4: "10.91.1.0/24", v6: "fd91:1::/64" },
    Network { name: "blue", v4: "10.91.2.0/24", v6: "fd91:2::/64" },
];

/// The names begin with the instance's, because the machine may have other namespaces.
pub(super) const CONTAINERS: [Container; 4] = [
    Container { name: "demo-alice", network: "red", v4: "10.91.1.11", v6: "fd91:1::11" },
    Container { name: "demo-bob", network: "red", v4: "10.91.1.12", v6: "fd91:1::12" },
    Container { name: "demo-carol", network: "blue", v4: "10.91.2.11", v6: "fd91:2::11" },
    Container { name: "demo-dave", network: "blue", v4: "10.91.2.12", v6: "fd91:2::12" },
];

/// The instance.
pub(super) const INSTANCE: &str = "demo";

/// Whether a named namespace is one of the demo's: a container, or the place of the userspace switch's ports.
pub(super) fn is_own_netns(name: &str) -> bool {
    let name = name.strip_prefix("wye-").unwrap_or(name);
    name.split_once('-').is_some_and(|(first, _)| first == INSTANCE)
}

/// The demo's place, what has to be undone in it, and the expectations so far.
pub(super) struct Stage {
    pub(super) runner: Runner,
    datapath: Mode,
    bpffs: PathBuf,
    /// Undoes what the steps have made.
    scene: Undo<'static>,
    /// Undoes the place itself.
    place: Undo<'static>,
    met: usize,
    failed: usize,
}

impl Stage {
    /// Moves this thread into a namespace of its own, and makes directories and a bpf file system.
    pub(super) fn set(datapath: Mode) -> Result<Self, DemoError> {
        sys::ns::unshare().map_err(|source| io_error("make", "a network namespace", source))?;
        let mut place = Undo::new();
        let dir = env::temp_dir().join(format!("wye-demo-{}", process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|source| io_error("make directory", dir.display(), source))?;
        let made_dir = dir.clone();
        place.push("remove the demo's directory", move || fs::remove_dir_all(made_dir));

        let bpffs = dir.join("bpf");
        fs::create_dir(&bpffs).map_err(|source| io_error("make directory", bpffs.display(), source))?;
        command::quiet("mount", &["-t", "bpf", "bpf", &bpffs.to_string_lossy()])?;
        let mounted = bpffs.clone();
        place.push("unmount the demo's bpf file system", move || {
            command::quiet("umount", &[&mounted.to_string_lossy()]).map(drop).map_err(Box::new)
        });
        command::quiet("ip", &["link", "set", "lo", "up"])?;

        let runner = Runner::new(&dir)?;
        Ok(Self { runner, datapath, bpffs, scene: Undo::new(), place, met: 0, failed: 0 })
    }

    /// Where the switch pins its kernel objects.
    pub(super) fn bpffs(&self) -> &Path {
        &self.bpffs
    }

    /// Starts the switch, to be stopped and purged at the end.
    pub(super) fn up(&mut self) -> Result<(), DemoError> {
        let runner = self.runner.clone();
        self.scene.push("stop the switch", move || runner.wye("down --purge").map(drop).map_err(Box::new));
        let mode = match self.datapath {
            Mode::Ebpf => "",
            Mode::Userspace => " --datapath userspace",
        };
        self.wye(&format!("up{mode}")).map(drop)
    }

    /// Runs `wye WORDS` and shows it.
    pub(super) fn wye(&self, words: &str) -> Result<String, DemoError> {
        self.runner.wye(words)
    }

    /// Runs a command that makes something, and has another one take it away at the end.
    pub(super) fn make(&mut self, make: &str, remove: &'static str) -> Result<(), DemoError> {
        self.runner.other(make)?;
        let runner = self.runner.clone();
        self.scene.push(remove, move || runner.other(remove).map(drop).map_err(Box::new));
        Ok(())
    }

    /// Says whether something is as it should be.
    pub(super) fn expect(&mut self, what: &str, holds: bool) -> Result<(), DemoError> {
        let (mark, count) =
            if holds { (style::good("ok"), &mut self.met) } else { (style::bad("FAILED"), &mut self.failed) };
        *count += 1;
        Ok(output::line(format!("{mark}: {what}"))?)
    }

    /// Number of expectations that held.
    pub(super) fn met(&self) -> usize {
        self.met
    }

    /// Number of expectations that did not hold.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// Removes what the steps have made.
    pub(super) fn strike(&mut self) -> Result<(), TeardownErrors> {
        std::mem::take(&mut self.scene).unwind()
    }

    /// Removes the place itself; the namespace goes with the process.
    pub(super) fn close(&mut self) -> Result<(), TeardownErrors> {
        std::mem::take(&mut self.place).unwind()
    }
}

fn io_error(op: &'static str, object: impl ToString, source: std::io::Error) -> DemoError {
    DemoError::Io { op, object: object.to_string(), source }
}
