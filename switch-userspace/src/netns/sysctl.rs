//! Kernel settings below `net.`, with what they were before for undoing.
//!
//! The kernel shows each thread the settings of the namespace it is in: use these inside [`Netns::run`](super::Netns::run) for
//! another namespace than the caller's.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
};

use super::{
    error::{ErrorKind, NetnsError},
    names::IfName,
};

/// An address family, as the settings are sorted by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `net.ipv4`.
    Ipv4,
    /// `net.ipv6`.
    Ipv6,
}

impl Family {
    fn directory(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// One setting of the calling thread's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    path: PathBuf,
}

impl Sysctl {
    /// The setting `net.FAMILY.KEY`, such as `ip_forward` or `conf/default/accept_ra`.
    #[must_use]
    pub fn family(family: Family, key: &'static str) -> Self {
        Self { path: ["/proc/sys/net", family.directory(), key].iter().collect() }
    }

    /// The setting `net.FAMILY.conf.INTERFACE.KEY`, such as `disable_ipv6`.
    #[must_use]
    pub fn interface(family: Family, interface: &IfName, key: &'static str) -> Self {
        Self { path: ["/proc/sys/net", family.directory(), "conf", interface.as_str(), key].iter().collect() }
    }

    /// The value, without the line end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the kernel or the interface does not have it.
    pub fn read(&self) -> Result<String, NetnsError> {
        let text = fs::read_to_string(&self.path)
            .map_err(|source| NetnsError::system("read setting", self, source))?;
        Ok(text.trim_end().to_owned())
    }

    /// Sets the value and returns what to undo; nothing where it was that already.
    ///
    /// # Errors
    /// As [`Sysctl::read`]; a value that the kernel refuses; no permission, or `/proc/sys` mounted read-only.
    pub fn set(self, value: &str) -> Result<Option<SysctlChange>, NetnsError> {
        // Opened once: the more namespaces there are, the longer the kernel looks for a setting.
        let file = match File::options().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            // What is right already need not be writable.
            Err(_) if self.read()? == value => return Ok(None),
            Err(source) => return Err(NetnsError::system("write setting", &self, source)),
        };
        let before = io::read_to_string(&file)
            .map_err(|source| NetnsError::system("read setting", &self, source))?
            .trim_end()
            .to_owned();
        if before == value {
            return Ok(None);
        }
        file.write_all_at(value.as_bytes(), 0)
            .map_err(|source| NetnsError::system("write setting", &self, source))?;
        Ok(Some(SysctlChange { sysctl: self, before }))
    }

    /// Sets the value where there is such a setting: a kernel without IPv6 has none for it.
    ///
    /// # Errors
    /// As [`Sysctl::set`].
    pub fn set_if_there(self, value: &str) -> Result<(), NetnsError> {
        match self.set(value) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write(&self, value: &str) -> Result<(), NetnsError> {
        fs::write(&self.path, value).map_err(|source| NetnsError::system("write setting", self, source))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// A changed setting and what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysctlChange {
    sysctl: Sysctl,
    before: String,
}

impl SysctlChange {
    /// Sets the value from before, in the same namespace as the change was made.
    ///
    /// # Errors
    /// As [`Sysctl::set`].
    pub fn undo(&self) -> Result<(), NetnsError> {
        self.sysctl.write(&self.before)
    }
}
