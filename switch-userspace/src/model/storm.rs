//! Storm control: how many broadcast, multicast and unknown unicast frames a port may send.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use switch_common::abi::storm::{StormLimit, StormLimits};

use super::error::ModelError;

/// The highest rate, and the largest burst: more than a port can send.
pub const MAX_STORM_RATE: u32 = 10_000_000;

/// A limit, or none; written `RATE` or `RATE/BURST`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct StormRate {
    /// Frames a second; 0 is any number.
    rate: u32,
    /// Frames that may come at once; 0 where there is no limit.
    burst: u32,
}

/// A limit as it comes in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    rate: u32,
    #[serde(default)]
    burst: Option<u32>,
}

impl StormRate {
    /// A limit of `rate` frames a second with a `burst`, which is a second's worth where nothing is said. A rate of 0 is no limit,
    /// and its burst means nothing.
    fn new(rate: u32, burst: Option<u32>) -> Option<Self> {
        let burst = burst.filter(|_| rate > 0);
        let is_whole =
            rate <= MAX_STORM_RATE && burst.is_none_or(|burst| (1..=MAX_STORM_RATE).contains(&burst));
        is_whole.then(|| Self { rate, burst: burst.unwrap_or(rate) })
    }

    fn limit(self) -> StormLimit {
        StormLimit::new(self.rate, self.burst)
    }
}

impl TryFrom<Unchecked> for StormRate {
    type Error = ModelError;

    fn try_from(Unchecked { rate, burst }: Unchecked) -> Result<Self, Self::Error> {
        // What a port without a limit is told as is also taken back.
        let burst = burst.filter(|_| rate > 0);
        Self::new(rate, burst).ok_or_else(|| ModelError::BadStorm {
            text: burst.map_or_else(|| rate.to_string(), |burst| format!("{rate}/{burst}")),
        })
    }
}

impl FromStr for StormRate {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number =
            |digits: &str| digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let rate = match text.split_once('/') {
            None => number(text).and_then(|rate| Self::new(rate, None)),
            Some((rate, burst)) => match (number(rate), number(burst)) {
                (Some(rate), Some(burst)) => Self::new(rate, Some(burst)),
                _ => None,
            },
        };
        rate.ok_or_else(|| ModelError::BadStorm { text: text.to_owned() })
    }
}

impl fmt::Display for StormRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.rate, self.burst)
    }
}

/// A port's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StormSettings {
    /// Broadcast.
    pub bcast: StormRate,
    /// Multicast.
    pub mcast: StormRate,
    /// Unicast to MACs that are not in the FDB.
    pub unicast: StormRate,
}

impl StormSettings {
    /// Whether there is a limit at all.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limits() != StormLimits::NONE
    }

    /// As the datapath keeps them.
    #[must_use]
    pub fn limits(&self) -> StormLimits {
        StormLimits {
            unknown_unicast: self.unicast.limit(),
            broadcast: self.bcast.limit(),
            multicast: self.mcast.limit(),
        }
    }

    /// The limits that there are, with the words for what they limit.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, StormRate)> {
        let all = [("bcast", self.bcast), ("mcast", self.mcast), ("unicast", self.unicast)];
        all.into_iter().filter(|(_, rate)| rate.rate > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written_and_without_a_burst_it_has_a_seconds_worth() {
        for (text, told) in [
            ("100/7", "100/7"),
            ("100", "100/100"),
            ("0", "0/0"),
            ("0/9", "0/0"),
            ("10000000/1", "10000000/1"),
        ] {
            assert_eq!(text.parse::<StormRate>().expect(text).to_string(), told);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "fast",
            "10/",
            "/10",
            "10/0",
            "10/-1",
            "10000001",
            "1/10000001",
            "4294967296",
        ] {
            let error = text.parse::<StormRate>().expect_err(text).to_string();
            assert!(error.contains("RATE/BURST") && error.contains("10000000"), "{error}");
        }
    }

    #[test]
    fn a_rate_in_json_is_held_to_the_same_bounds() {
        let read = |json: &str| serde_json::from_str::<StormRate>(json);
        assert_eq!(read(r#"{"rate":5}"#).expect("a rate").to_string(), "5/5");
        assert_eq!(read(r#"{"rate":0,"burst":0}"#).expect("none"), StormRate::default());
        for json in [r#"{"rate":5,"burst":0}"#, r#"{"rate":-5}"#, r#"{"rate":10000001}"#, r#"{"burst":5}"#] {
            assert!(read(json).is_err(), "{json}");
        }
        let limited = StormSettings { bcast: "7/3".parse().expect("a rate"), ..StormSettings::default() };
        let json = serde_json::to_string(&limited).expect("JSON");
        assert_eq!(serde_json::from_str::<StormSettings>(&json).expect("settings"), limited);
    }
}
