//! How a port sorts frames by VLAN.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};
use switch_common::{
    abi::{port::PortFlags, vlan::VlanSet},
    wire::vlan::VlanId,
};

use super::{error::ModelError, network::Network, port::PortSettings};

/// The VLAN of ports that say nothing, on a network whose first VLAN setting was a port's.
const DEFAULT_VLAN: u16 = 1;

/// Numbers that a VLAN can have.
pub(crate) const VLANS: RangeInclusive<u16> = 1..=VlanId::MAX;

/// How a port sorts frames by VLAN. Written `access=N` or `trunk=N,N-N[,native=N][,proto=802.1ad]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PortVlans {
    /// Untagged frames only, all in one VLAN.
    Access(u16),
    /// Tagged frames of several VLANs.
    Trunk {
        /// The VLANs, as ranges.
        carried: Vec<RangeInclusive<u16>>,
        /// The VLAN of untagged frames; without it there are none.
        native: Option<u16>,
        /// The tags are 802.1ad service tags.
        service: bool,
    },
}

impl PortVlans {
    /// The VLAN of untagged frames; [`VlanId::NONE`] where there is none.
    #[must_use]
    pub fn native(&self) -> VlanId {
        let native = match self {
            Self::Access(vlan) => Some(*vlan),
            Self::Trunk { native, .. } => *native,
        };
        native.and_then(VlanId::new).unwrap_or(VlanId::NONE)
    }

    /// The datapath's word for it.
    #[must_use]
    pub fn flags(&self) -> PortFlags {
        let (is_trunk, is_service) = match self {
            Self::Access(_) => (false, false),
            Self::Trunk { service, .. } => (true, *service),
        };
        PortFlags::VLAN.with(PortFlags::TRUNK, is_trunk).with(PortFlags::SERVICE_TAGS, is_service)
    }

    /// The VLANs of tagged frames.
    #[must_use]
    pub fn carried(&self) -> VlanSet {
        match self {
            Self::Access(_) => VlanSet::default(),
            Self::Trunk { carried, .. } => carried
                .iter()
                .cloned()
                .flatten()
                .filter_map(VlanId::new)
                .fold(VlanSet::default(), VlanSet::with),
        }
    }
}

impl Network {
    /// How a port with these settings sorts frames; `None` where the network knows no VLANs.
    #[must_use]
    pub fn vlans_of(&self, settings: &PortSettings) -> Option<PortVlans> {
        let default = self.default_vlan?;
        Some(settings.vlan.clone().unwrap_or(PortVlans::Access(default)))
    }

    /// The VLAN of the untagged frames of a port with these settings.
    #[must_use]
    pub fn native_vlan(&self, settings: &PortSettings) -> VlanId {
        self.vlans_of(settings).map_or(VlanId::NONE, |vlans| vlans.native())
    }

    /// Sorts frames by VLAN because ports have VLANs, or because it was made so.
    pub(super) fn sort_by_vlan(&mut self, has_vlans: bool) {
        if has_vlans && self.default_vlan.is_none() {
            self.default_vlan = Some(DEFAULT_VLAN);
            self.is_sorted_for_ports = true;
        } else if !has_vlans && self.is_sorted_for_ports {
            self.default_vlan = None;
            self.is_sorted_for_ports = false;
        }
    }
}

impl FromStr for PortVlans {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ModelError::BadVlans { text: text.to_owned() };
        if let Some(vlan) = text.strip_prefix("access=") {
            return number(vlan).map(Self::Access).ok_or_else(bad);
        }
        let words = text.strip_prefix("trunk=").ok_or_else(bad)?;
        let (mut carried, mut native, mut service) = (Vec::new(), None, false);
        for word in words.split(',') {
            match word.split_once('=') {
                None => carried.push(range(word).ok_or_else(bad)?),
                Some(("native", vlan)) if native.is_none() => native = Some(number(vlan).ok_or_else(bad)?),
                Some(("proto", "802.1ad")) => service = true,
                Some(("proto", "802.1q")) => service = false,
                Some(_) => return Err(bad()),
            }
        }
        if carried.is_empty() { Err(bad()) } else { Ok(Self::Trunk { carried, native, service }) }
    }
}

fn number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|vlan| is_number && VLANS.contains(vlan))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some(first..=last)
}

impl fmt::Display for PortVlans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Trunk { carried, native, service } = self else {
            return write!(formatter, "access={}", self.native().get());
        };
        for (position, range) in carried.iter().enumerate() {
            formatter.write_str(if position == 0 { "trunk=" } else { "," })?;
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(formatter, "{first}")?,
                (first, last) => write!(formatter, "{first}-{last}")?,
            }
        }
        if let Some(native) = native {
            write!(formatter, ",native={native}")?;
        }
        formatter.write_str(if *service { ",proto=802.1ad" } else { "" })
    }
}

impl TryFrom<String> for PortVlans {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PortVlans> for String {
    fn from(vlans: PortVlans) -> Self {
        vlans.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlan(id: u16) -> VlanId {
        VlanId::new(id).expect("a VLAN")
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        for text in ["access=1", "access=4094", "trunk=5", "trunk=1-10,20,native=3", "trunk=7,proto=802.1ad"]
        {
            assert_eq!(text.parse::<PortVlans>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_trunk_carries_its_ranges() {
        let trunk: PortVlans = "trunk=2-4,9,native=7".parse().expect("a trunk");
        let carried = trunk.carried();
        let found: Vec<u16> = (0..=VlanId::MAX).filter(|id| carried.has(vlan(*id))).collect();
        assert_eq!((found, trunk.native()), (vec![2, 3, 4, 9], vlan(7)));
    }

    #[test]
    fn nonsense_says_what_is_allowed() {
        for text in [
            "",
            "access",
            "access=",
            "access=0",
            "access=4095",
            "access=-1",
            "access=1,2",
            "trunk=",
            "trunk=0",
            "trunk=9-3",
            "trunk=native=3",
            "trunk=5,native=4095",
            "trunk=5,native=1,native=2",
            "trunk=5,proto=x",
            "5",
        ] {
            let error = text.parse::<PortVlans>().expect_err(text).to_string();
            assert!(error.contains("1 to 4094"), "{error}");
        }
    }
}
