//! Names and numbers of interfaces: validated here, so that nothing behind has to.

use std::{fmt, str::FromStr};

use switch_common::abi::addr::PortId;
use thiserror::Error;

use crate::sys::ifreq::RawName;

/// The longest interface name in bytes.
pub const IF_NAME_MAX: usize = libc::IFNAMSIZ - 1;

/// The longest namespace name in bytes (that of a file name).
const NETNS_NAME_MAX: usize = 255;

/// The index of an interface within its network namespace. 0 is no interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(u32);

impl From<u32> for IfIndex {
    fn from(index: u32) -> Self {
        Self(index)
    }
}

impl From<IfIndex> for u32 {
    fn from(index: IfIndex) -> Self {
        index.0
    }
}

impl From<PortId> for IfIndex {
    fn from(port: PortId) -> Self {
        Self(port.0)
    }
}

impl From<IfIndex> for PortId {
    fn from(index: IfIndex) -> Self {
        Self(index.0)
    }
}

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an interface that wye makes or takes as a port: 1 to 15 printable ASCII characters, none of them `/`, `:` or
/// `%`, and not one of `.`, `..`, `lo`, `all`, `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

impl IfName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`NameError::Interface`] says what is allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let length_fits = (1..=IF_NAME_MAX).contains(&text.len());
        let characters_fit =
            text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%'));
        let reserved = matches!(text.as_str(), "." | ".." | "lo" | "all" | "default");
        if length_fits && characters_fit && !reserved {
            Ok(Self(text))
        } else {
            Err(NameError::Interface { text })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn raw(&self) -> RawName {
        let mut raw = [0; libc::IFNAMSIZ];
        raw[..self.0.len()].copy_from_slice(self.0.as_bytes());
        raw
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IfName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for IfName {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// Checks the name of a namespace under `/run/netns`: a file name of at most 255 bytes, not `.` or `..`.
///
/// # Errors
/// [`NameError::Netns`] says what is allowed.
pub fn check_netns_name(text: &str) -> Result<(), NameError> {
    let length_fits = (1..=NETNS_NAME_MAX).contains(&text.len());
    let characters_fit = text.chars().all(|character| character != '/' && !character.is_control());
    if length_fits && characters_fit && !matches!(text, "." | "..") {
        Ok(())
    } else {
        Err(NameError::Netns { text: text.to_owned() })
    }
}

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not the name of an interface.
    #[error(
        "{text:?} cannot name an interface: use 1 to {IF_NAME_MAX} printable ASCII characters without `/`, `:`, `%` and spaces, \
         and none of `.`, `..`, `lo`, `all`, `default`"
    )]
    Interface {
        /// What was given.
        text: String,
    },
    /// Not the name of a namespace.
    #[error(
        "{text:?} cannot name a network namespace: use 1 to {NETNS_NAME_MAX} bytes without `/` and control characters, and \
         neither `.` nor `..`"
    )]
    Netns {
        /// What was given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_interface_names_are_taken() {
        for text in ["e", "eth0", "wye-0123456789a", "eth0.100", "br_net", "Web-1@x"] {
            assert_eq!(IfName::new(text).map(|name| name.as_str().to_owned()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn names_that_the_kernel_or_a_path_would_misread_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "lo",
            "all",
            "default",
            "eth%d",
            "%",
            "a/b",
            "a:b",
            "a b",
            "a\tb",
            "a\n",
            "a\0b",
            "ünder",
            "sixteen-letters-",
        ] {
            let error = IfName::new(text).expect_err(text);
            assert!(error.to_string().contains("1 to 15"), "{error}");
        }
    }

    #[test]
    fn a_raw_name_ends_with_nul_even_at_full_length() {
        let name = IfName::new("fifteen-letters").expect("15 characters");
        assert_eq!(&name.raw(), b"fifteen-letters\0");
    }

    #[test]
    fn namespace_names_are_file_names() {
        for text in ["red", "with space", "ünder", "a.b"] {
            assert_eq!(check_netns_name(text), Ok(()), "{text}");
        }
        for text in ["", ".", "..", "a/b", "/run/netns/a", "a\n", &"x".repeat(256)] {
            assert!(check_netns_name(text).is_err(), "{text}");
        }
    }
}
