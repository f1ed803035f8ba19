//! Offload switches of an interface, those that `ethtool -K` has short names for.
//!
//! They are ioctls, which the kernel takes on any socket and applies in that socket's namespace; the netlink socket is one.

use std::{fmt, os::fd::AsFd, str::FromStr};

use thiserror::Error;

use super::{client::Netlink, error::NetnsError, names::IfName};
use crate::sys::ifreq;

/// A feature that can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offload {
    /// Received checksums are trusted.
    RxChecksum,
    /// Checksums of sent packets are left to the device.
    TxChecksum,
    /// Packets may be sent in pieces.
    ScatterGather,
    /// TCP super-frames are left to the device.
    Tso,
    /// Super-frames are cut as late as possible.
    Gso,
    /// Received frames are merged into super-frames.
    Gro,
}

impl Offload {
    /// Every feature.
    pub const ALL: [Self; 6] =
        [Self::RxChecksum, Self::TxChecksum, Self::ScatterGather, Self::Tso, Self::Gso, Self::Gro];

    /// The name that `ethtool -K` has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RxChecksum => "rx",
            Self::TxChecksum => "tx",
            Self::ScatterGather => "sg",
            Self::Tso => "tso",
            Self::Gso => "gso",
            Self::Gro => "gro",
        }
    }

    /// The commands that get and set it (`linux/ethtool.h`).
    fn commands(self) -> (u32, u32) {
        match self {
            Self::RxChecksum => (0x14, 0x15),
            Self::TxChecksum => (0x16, 0x17),
            Self::ScatterGather => (0x18, 0x19),
            Self::Tso => (0x1e, 0x1f),
            Self::Gso => (0x23, 0x24),
            Self::Gro => (0x2b, 0x2c),
        }
    }
}

impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a feature that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not an offload: use rx, tx, sg, tso, gso or gro")]
pub struct OffloadError(String);

impl FromStr for Offload {
    type Err = OffloadError;

    fn from_str(text: &str) -> Result<Self, OffloadError> {
        Self::ALL
            .into_iter()
            .find(|offload| offload.name() == text)
            .ok_or_else(|| OffloadError(text.to_owned()))
    }
}

impl Netlink {
    /// Whether `offload` is in force on `interface`.
    ///
    /// # Errors
    /// No such interface.
    pub fn offload(&self, interface: &IfName, offload: Offload) -> Result<bool, NetnsError> {
        let (get, _) = offload.commands();
        ifreq::ethtool_value(self.as_fd(), interface.raw(), get, 0).map(|value| value != 0).map_err(
            |source| NetnsError::system("query offload", format_args!("{offload} of {interface}"), source),
        )
    }

    /// Switches `offload` of `interface` on or off. One that builds on another, as `tso` on `tx`, comes into force with it.
    ///
    /// # Errors
    /// No such interface; [`ErrorKind::Unsupported`](super::ErrorKind::Unsupported) where the device cannot switch it.
    pub fn set_offload(&self, interface: &IfName, offload: Offload, on: bool) -> Result<(), NetnsError> {
        let (_, set) = offload.commands();
        ifreq::ethtool_value(self.as_fd(), interface.raw(), set, on.into()).map(|_| ()).map_err(|source| {
            NetnsError::system("set offload", format_args!("{offload} of {interface}"), source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offload_is_found_by_its_name() {
        for offload in Offload::ALL {
            assert_eq!(offload.to_string().parse(), Ok(offload));
        }
        assert!("lro".parse::<Offload>().is_err());
    }
}
