//! Sources that a guarded port may use beside its own MAC and addresses.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use switch_common::abi::{
    addr::{MacAddr, Slot},
    source::{SourceKey, SourceScope},
};

use super::{error::ModelError, mac::parse_mac};

/// A MAC, with one address or with any; written `MAC` or `MAC/IP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourcePair {
    /// The source MAC.
    pub mac: MacAddr,
    /// The source address; `None` is any.
    pub ip: Option<IpAddr>,
}

impl SourcePair {
    /// The records that let a port use the pair.
    pub(crate) fn records(self, slot: Slot) -> Vec<(SourceKey, SourceScope)> {
        let scope = if self.ip.is_some() { SourceScope::Listed } else { SourceScope::AnyAddress };
        let mac = (SourceKey::mac(slot, self.mac), scope);
        let address = self.ip.map(|ip| match ip {
            IpAddr::V4(ip) => SourceKey::ipv4(slot, self.mac, ip.octets()),
            IpAddr::V6(ip) => SourceKey::ipv6(slot, self.mac, ip.octets()),
        });
        std::iter::once(mac).chain(address.map(|key| (key, SourceScope::Listed))).collect()
    }
}

impl FromStr for SourcePair {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mac, ip) = match text.split_once('/') {
            Some((mac, ip)) => (mac, Some(ip)),
            None => (text, None),
        };
        let bad = || ModelError::BadSource { text: text.to_owned() };
        let ip: Option<IpAddr> = ip.map(|ip| ip.parse().map_err(|_not_an_address| bad())).transpose()?;
        if ip.is_some_and(|ip| ip.is_unspecified() || ip.is_multicast()) {
            return Err(bad());
        }
        Ok(Self { mac: parse_mac(mac).map_err(|_not_a_mac| bad())?, ip })
    }
}

impl fmt::Display for SourcePair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => write!(formatter, "{}/{ip}", self.mac),
            None => write!(formatter, "{}", self.mac),
        }
    }
}

impl TryFrom<String> for SourcePair {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SourcePair> for String {
    fn from(pair: SourcePair) -> Self {
        pair.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_they_are_written() {
        for text in ["02:00:00:00:00:01", "02:00:00:00:00:01/10.0.0.1", "02:00:00:00:00:01/fd00::1"] {
            assert_eq!(text.parse::<SourcePair>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_station_or_no_address_is_refused() {
        for text in [
            "",
            "10.0.0.1",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "02:00:00:00:00:01/",
            "02:00:00:00:00:01/10.0.0.0/24",
            "02:00:00:00:00:01/0.0.0.0",
            "02:00:00:00:00:01/ff02::1",
        ] {
            let error = text.parse::<SourcePair>().expect_err(text).to_string();
            assert!(error.contains("MAC/IP"), "{error}");
        }
    }
}
