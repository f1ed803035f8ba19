//! Where an instance's kernel objects are pinned, and whether what is pinned there is ours.
//!
//! `<bpffs>/wye/<instance>/v<SCHEMA>/{maps,progs,links}`. A pin is adopted only after its type, sizes and flags were
//! compared: aya takes whatever lies at the path.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aya::maps::MapInfo;
use switch_common::abi::{SCHEMA, addr::PortId, names};

use crate::{datapath::DatapathError, sys};

/// The directories of one instance.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    instance: PathBuf,
    root: PathBuf,
}

impl Pins {
    /// Names the directories; makes nothing.
    #[must_use]
    pub(super) fn new(bpffs: &Path, instance: &str) -> Self {
        let instance = bpffs.join("wye").join(instance);
        let root = instance.join(format!("v{SCHEMA}"));
        Self { instance, root }
    }

    /// Whether the instance has pins, of whatever schema.
    #[must_use]
    pub(super) fn exist(&self) -> bool {
        self.instance.exists()
    }

    /// Makes the directories where they are missing, readable by root only.
    ///
    /// # Errors
    /// `bpffs` is not a BPF file system, pins of another schema are there, or the directories cannot be made.
    pub(super) fn prepare(&self, bpffs: &Path) -> Result<(), DatapathError> {
        if !sys::fs::is_bpffs(bpffs).map_err(io_error("look at", bpffs))? {
            return Err(DatapathError::Io {
                op: "use as BPF file system",
                object: bpffs.display().to_string(),
                source: io::Error::other("not a mounted BPF file system; mount one: mount -t bpf bpf DIR"),
            });
        }
        self.refuse_other_schemas()?;
        for dir in [self.maps(), self.programs(), self.links()] {
            fs::create_dir_all(&dir).map_err(io_error("make", &dir))?;
        }
        restrict(&self.instance)
    }

    /// Where maps are pinned.
    #[must_use]
    pub(super) fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// The pin of a map. One that belongs to a build has the build in its name, so that live programs of another build keep
    /// theirs until the last of them is replaced.
    #[must_use]
    pub(super) fn map(&self, name: &str, build: u64) -> PathBuf {
        if names::MAPS_OF_BUILD.contains(&name) {
            self.maps().join(format!("{name}-{build:016x}"))
        } else {
            self.maps().join(name)
        }
    }

    /// The pins of a map that belongs to builds, whichever they are.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn of_all_builds(&self, name: &str) -> Result<Vec<PathBuf>, DatapathError> {
        let dir = self.maps();
        let begins = |path: &PathBuf| {
            let file = path.file_name().and_then(|file| file.to_str());
            file.and_then(|file| file.strip_prefix(name)).is_some_and(|rest| rest.starts_with('-'))
        };
        match fs::read_dir(&dir) {
            Ok(entries) => {
                Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(begins).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io_error("read", &dir)(error)),
        }
    }

    /// Removes the maps of builds other than this one, once no program of those is in use.
    ///
    /// # Errors
    /// A pin could not be removed.
    pub(super) fn forget_other_builds(&self, build: u64) -> Result<(), DatapathError> {
        for name in names::MAPS_OF_BUILD {
            let own = self.map(name, build);
            for path in self.of_all_builds(name)?.into_iter().filter(|path| *path != own) {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Where programs are pinned.
    #[must_use]
    pub(super) fn programs(&self) -> PathBuf {
        self.root.join("progs")
    }

    /// Where links are pinned.
    #[must_use]
    pub(super) fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// The pin of a port's link.
    #[must_use]
    pub(super) fn port_link(&self, port: PortId) -> PathBuf {
        self.links().join(port.0.to_string())
    }

    /// The pin of the link at the far end of the relay pair.
    #[must_use]
    pub(super) fn relay_link(&self) -> PathBuf {
        self.links().join("relay")
    }

    /// The ports whose links are pinned.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn linked_ports(&self) -> Result<Vec<PortId>, DatapathError> {
        let dir = self.links();
        let entries = fs::read_dir(&dir).map_err(io_error("read", &dir))?;
        Ok(entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(PortId))
            .collect())
    }

    /// Compares the pin of a map, where there is one, with the definition that this version would create.
    ///
    /// # Errors
    /// They differ, or the pin cannot be read.
    pub(super) fn check_map(
        &self,
        name: &'static str,
        build: u64,
        expected: &aya_obj::Map,
    ) -> Result<(), DatapathError> {
        let path = self.map(name, build);
        if !path.exists() {
            return Ok(());
        }
        let pinned = MapInfo::from_pin(&path).map_err(|source| DatapathError::Map {
            op: "read the pin",
            map: name,
            source: Box::new(source),
        })?;
        let pinned_type = pinned.map_type().map_or(0, |kind| kind as u32);
        let pairs = [
            ("type", pinned_type, expected.map_type()),
            ("key size", pinned.key_size(), expected.key_size()),
            ("value size", pinned.value_size(), expected.value_size()),
            ("size", pinned.max_entries(), expected.max_entries()),
            ("flags", pinned.map_flags(), expected.map_flags()),
        ];
        match pairs.iter().find(|(_, found, wanted)| found != wanted) {
            None => Ok(()),
            Some((what, found, wanted)) => Err(DatapathError::ForeignPin {
                path,
                difference: format!("{what} {found} instead of {wanted}"),
            }),
        }
    }

    /// Removes all pins and directories of the instance, and of `<bpffs>/wye` where it is the last.
    ///
    /// # Errors
    /// Something could not be removed.
    pub(super) fn remove(&self) -> Result<(), DatapathError> {
        match fs::remove_dir_all(&self.instance) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &self.instance)(error));
            }
            _ => {}
        }
        if let Some(parent) = self.instance.parent() {
            // Other instances may live there.
            let _in_use = fs::remove_dir(parent);
        }
        Ok(())
    }

    fn refuse_other_schemas(&self) -> Result<(), DatapathError> {
        let Ok(entries) = fs::read_dir(&self.instance) else { return Ok(()) };
        match entries.filter_map(Result::ok).map(|entry| entry.path()).find(|path| *path != self.root) {
            None => Ok(()),
            Some(path) => Err(DatapathError::ForeignPin {
                path,
                difference: format!("this version's schema is v{SCHEMA}"),
            }),
        }
    }
}

fn restrict(dir: &Path) -> Result<(), DatapathError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(io_error("restrict", dir))
}

/// An [`DatapathError::Io`] about a path.
pub(super) fn io_error<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> DatapathError + 'a {
    move |source| DatapathError::Io { op, object: path.display().to_string(), source }
}
