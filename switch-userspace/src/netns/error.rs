//! What can go wrong while plumbing: always which operation on which object, and the kernel's own words.

use std::{fmt, io};

use netlink_packet_core::DecodeError;
use thiserror::Error;

use super::names::{IfIndex, NameError};

/// A failure of the plumbing. [`NetnsError::kind`] sorts it for callers that react to it.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// The system refused.
    #[error("{op} {object}: {source}")]
    System {
        /// What was tried, as a verb: `create veth`.
        op: &'static str,
        /// What it was tried on.
        object: String,
        /// Why not.
        source: SystemError,
    },
    /// The interface index that the caller chose belongs to another interface; another index may do.
    #[error("create {object}: interface index {index} is already in use")]
    IndexTaken {
        /// What was to get the index.
        object: String,
        /// The index.
        index: IfIndex,
    },
    /// An IPv6 address for an interface without IPv6.
    #[error("add {object}: IPv6 is off there (net.ipv6.conf.*.disable_ipv6)")]
    Ipv6Off {
        /// The address and the interface.
        object: String,
    },
    /// The kernel's answer could not be read.
    #[error("{op} {object}: the kernel's answer cannot be read: {source}")]
    Decode {
        /// What was tried.
        op: &'static str,
        /// What it was tried on.
        object: String,
        /// Which part of the answer.
        source: DecodeError,
    },
    /// The kernel sent something other than what was asked for.
    #[error("{op} {object}: the kernel answered with something else")]
    Unexpected {
        /// What was tried.
        op: &'static str,
        /// What it was tried on.
        object: String,
    },
    /// A file that was named as a network namespace is something else.
    #[error("open namespace {object}: it is not a network namespace")]
    NotANamespace {
        /// The file.
        object: String,
    },
    /// The namespace is the one that the switch itself runs in.
    #[error("{object} is the host's own network namespace: an endpoint needs another one")]
    HostNamespace {
        /// The namespace as it was named.
        object: String,
    },
    /// A name that no interface or namespace may have.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// What a caller can tell apart about a [`NetnsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such namespace, address, route, neighbour or setting.
    NotFound,
    /// No such interface.
    NoDevice,
    /// The object is already there.
    Exists,
    /// The chosen interface index is in use.
    IndexTaken,
    /// The object is in use.
    Busy,
    /// A privilege is missing.
    Permission,
    /// The caller's input can never work: a bad name, a file that is no namespace, the host's own namespace.
    Invalid,
    /// The kernel or the device does not have the feature, or it is off.
    Unsupported,
    /// Everything else.
    Other,
}

impl NetnsError {
    /// Sorts the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::System { source, .. } => source.kind(),
            Self::IndexTaken { .. } => ErrorKind::IndexTaken,
            Self::Ipv6Off { .. } => ErrorKind::Unsupported,
            Self::NotANamespace { .. } | Self::HostNamespace { .. } | Self::Name(_) => ErrorKind::Invalid,
            Self::Decode { .. } | Self::Unexpected { .. } => ErrorKind::Other,
        }
    }

    pub(crate) fn system(
        op: &'static str,
        object: impl fmt::Display,
        source: impl Into<SystemError>,
    ) -> Self {
        Self::System { op, object: object.to_string(), source: source.into() }
    }

    pub(crate) fn decode(op: &'static str, object: impl fmt::Display, source: DecodeError) -> Self {
        Self::Decode { op, object: object.to_string(), source }
    }

    pub(crate) fn unexpected(op: &'static str, object: impl fmt::Display) -> Self {
        Self::Unexpected { op, object: object.to_string() }
    }
}

/// An errno, with the sentence that the kernel gave for it where it gave one.
#[derive(Debug, Error)]
pub struct SystemError {
    source: io::Error,
    explanation: Option<String>,
}

impl SystemError {
    pub(crate) fn explained(errno: i32, explanation: Option<String>) -> Self {
        Self { source: io::Error::from_raw_os_error(errno), explanation }
    }

    /// The errno, 0 where the failure has none.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or(0)
    }

    fn kind(&self) -> ErrorKind {
        match self.errno() {
            libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL => ErrorKind::NotFound,
            libc::ENODEV | libc::ENXIO => ErrorKind::NoDevice,
            libc::EEXIST => ErrorKind::Exists,
            libc::EBUSY => ErrorKind::Busy,
            libc::EPERM | libc::EACCES => ErrorKind::Permission,
            libc::EOPNOTSUPP => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        }
    }
}

impl From<io::Error> for SystemError {
    fn from(source: io::Error) -> Self {
        Self { source, explanation: None }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.explanation {
            Some(text) => write!(f, "{}: {text}", self.source),
            None => self.source.fmt(f),
        }
    }
}
