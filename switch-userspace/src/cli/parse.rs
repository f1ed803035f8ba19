//! Argument values that clap does not know by itself.

use std::{collections::BTreeMap, str::FromStr};

use switch_common::abi::addr::MacAddr;

use crate::{
    api::types::StormChange,
    model::{ModelError, SourcePair, StormRate},
};

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// Enabled.
    On,
    /// Disabled.
    Off,
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

/// `KEY=VALUE`; only the first `=` divides.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Pairs by their keys.
///
/// # Errors
/// A key is there twice.
pub(super) fn distinct(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, String> {
    let mut by_key = BTreeMap::new();
    for (key, value) in pairs.iter().cloned() {
        if by_key.contains_key(&key) {
            return Err(format!("{key} is given twice"));
        }
        by_key.insert(key, value);
    }
    Ok(by_key)
}

/// What `endpoint label` does with one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LabelWord {
    /// `KEY=VALUE`: put it on.
    Set(String, String),
    /// `KEY-`: take it off.
    Remove(String),
}

impl LabelWord {
    /// The label that it is about.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Remove(key) => key,
        }
    }
}

impl FromStr for LabelWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok((key, value)) = key_value(text) {
            return Ok(Self::Set(key, value));
        }
        match text.strip_suffix('-') {
            Some(key) if !key.is_empty() => Ok(Self::Remove(key.to_owned())),
            _ => Err("write KEY=VALUE to put a label on, KEY- to take it off".to_owned()),
        }
    }
}

/// A source that a port may use beside its own; nothing for `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed(pub(super) Option<SourcePair>);

impl FromStr for Allowed {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// `bcast|mcast|unicast=RATE[/BURST]`: one limit of storm control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StormWord {
    kind: StormKind,
    rate: StormRate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StormKind {
    Bcast,
    Mcast,
    Unicast,
}

impl StormWord {
    /// What all of them change; of two for the same kind the later one counts.
    pub(super) fn change(words: &[Self]) -> StormChange {
        let last = |kind| words.iter().rev().find(|word| word.kind == kind).map(|word| word.rate);
        StormChange {
            bcast: last(StormKind::Bcast),
            mcast: last(StormKind::Mcast),
            unicast: last(StormKind::Unicast),
        }
    }
}

impl FromStr for StormWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rate) = text.split_once('=').unwrap_or((text, ""));
        let kind = match kind {
            "bcast" => StormKind::Bcast,
            "mcast" => StormKind::Mcast,
            "unicast" => StormKind::Unicast,
            _ => {
                return Err("write bcast=RATE[/BURST], mcast=RATE[/BURST] or unicast=RATE[/BURST]".to_owned());
            }
        };
        Ok(Self { kind, rate: rate.parse().map_err(|error: ModelError| error.to_string())? })
    }
}

/// A MAC address in any case, printed in lower case.
pub(super) fn mac(text: &str) -> Result<String, String> {
    text.parse::<MacAddr>().map(|mac| mac.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_equals_sign_divides_key_and_value() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        assert!(key_value("=b").is_err());
        assert!(key_value("a").is_err());
    }

    #[test]
    fn a_trailing_dash_takes_a_label_off() {
        assert_eq!("app=web".parse(), Ok(LabelWord::Set("app".into(), "web".into())));
        assert_eq!("app-".parse(), Ok(LabelWord::Remove("app".into())));
        assert_eq!("app=x-".parse(), Ok(LabelWord::Set("app".into(), "x-".into())));
        assert!("app".parse::<LabelWord>().is_err());
        assert!("-".parse::<LabelWord>().is_err());
    }

    #[test]
    fn of_two_storm_limits_of_a_kind_the_later_counts_and_other_kinds_stay() {
        let words = ["bcast=5", "unicast=0", "bcast=7/2"].map(|word| word.parse().expect(word));
        let rate = |text: &str| Some(text.parse().expect("a rate"));
        let change = StormChange { bcast: rate("7/2"), mcast: None, unicast: rate("0") };
        assert_eq!(StormWord::change(&words), change);
        for text in ["", "5", "bcast", "bcast=", "bcast=-5", "all=5", "BCAST=5", "bcast=5/"] {
            assert!(text.parse::<StormWord>().is_err(), "{text}");
        }
    }

    #[test]
    fn macs_are_taken_in_any_case() {
        assert_eq!(mac("02:00:5E:10:00:01"), Ok("02:00:5e:10:00:01".into()));
        assert!(mac("02:00").is_err());
    }
}
