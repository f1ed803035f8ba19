//! What there is of everything that the demo could leave behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    DemoError,
    stage::{Stage, is_own_netns},
};
use crate::{
    cli::table::Table,
    netns::{NETNS_DIR, Netlink},
};

/// Counted before and after.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Census {
    /// Interfaces in the namespace that plays the host.
    interfaces: Vec<String>,
    /// Namespaces with a name of the demo's.
    namespaces: Vec<String>,
    /// Everything in the demo's bpf file system.
    pins: Vec<PathBuf>,
}

impl Census {
    /// Counts.
    pub(super) fn take(stage: &Stage) -> Result<Self, DemoError> {
        let mut interfaces: Vec<_> = Netlink::open()?.links()?.into_iter().map(|link| link.name).collect();
        interfaces.sort();
        let mut pins = Vec::new();
        collect(stage.bpffs(), &mut pins).map_err(|source| DemoError::Io {
            op: "list",
            object: stage.bpffs().display().to_string(),
            source,
        })?;
        Ok(Self { interfaces, namespaces: namespaces()?, pins })
    }

    /// Refuses to begin beside what an earlier demo has left.
    pub(super) fn refuse_leftovers(&self) -> Result<(), DemoError> {
        if self.namespaces.is_empty() { Ok(()) } else { Err(DemoError::Leftovers(self.namespaces.clone())) }
    }

    /// A table of both.
    pub(super) fn beside(&self, after: &Self) -> String {
        let mut table = Table::new(&["CENSUS", "BEFORE", "AFTER", "LEFT BEHIND"]);
        let mut row = |what: &str, before: &[String], after: &[String]| {
            let left: Vec<_> = after.iter().filter(|name| !before.contains(name)).cloned().collect();
            table.row([what.to_owned(), before.len().to_string(), after.len().to_string(), left.join(" ")]);
        };
        let paths = |pins: &[PathBuf]| pins.iter().map(|pin| pin.display().to_string()).collect::<Vec<_>>();
        row("interfaces of the host", &self.interfaces, &after.interfaces);
        row("named namespaces", &self.namespaces, &after.namespaces);
        row("files in its bpf file system", &paths(&self.pins), &paths(&after.pins));
        table.to_string()
    }
}

fn namespaces() -> Result<Vec<String>, DemoError> {
    let failed = |source| DemoError::Io { op: "list", object: NETNS_DIR.to_owned(), source };
    let entries = match fs::read_dir(NETNS_DIR) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if is_own_netns(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        found.push(entry.path());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        }
    }
    Ok(())
}
