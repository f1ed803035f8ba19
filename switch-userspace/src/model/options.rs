//! Options of a network: `--opt KEY=VALUE`.

use std::collections::BTreeMap;

use super::{
    error::ModelError,
    multicast::{DEFAULT_QUERY_INTERVAL_SECS, MAX_QUERY_INTERVAL_SECS},
};
use crate::netns::IfName;

/// Lifetime of a learned FDB entry where nothing is said, as with a Linux bridge.
pub const DEFAULT_AGEING_SECS: u32 = 300;

/// A year: beyond it a typing error is likelier than a wish.
const MAX_AGEING_SECS: u32 = 365 * 24 * 3600;

/// The options, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Interfaces of the host that become ports: `uplink=IFACE[,IFACE…]`.
    pub uplinks: Vec<IfName>,
    /// Whether the host has a port on a network without uplinks: `gateway=on|off`.
    pub gateway: bool,
    /// Lifetime of a learned FDB entry in seconds, 0 for ever: `ageing=SECS`.
    pub ageing_secs: u32,
    /// Whether the switch answers for the neighbours that it knows: `suppress=on|off`.
    pub suppress: bool,
    /// Whether ports that are cabled together are found: `loop-guard=on|off`.
    pub loop_guard: bool,
    /// Whether questions for neighbours that nobody knows are dropped: `unknown-neighbours=flood|drop`.
    pub drop_unknown: bool,
    /// Whether multicast goes where membership messages say: `snooping=on|off`.
    pub snooping: bool,
    /// Whether the switch asks for members: `querier=on|off`.
    pub querier: bool,
    /// Seconds between two general queries: `query-interval=SECS`.
    pub query_interval_secs: u32,
}

impl Options {
    /// Reads options as they were given.
    ///
    /// # Errors
    /// A key that is no option, or a value that the option does not take.
    pub fn read(given: &BTreeMap<String, String>) -> Result<Self, ModelError> {
        let mut options = Self {
            uplinks: Vec::new(),
            gateway: true,
            ageing_secs: DEFAULT_AGEING_SECS,
            suppress: true,
            loop_guard: true,
            drop_unknown: false,
            snooping: true,
            querier: false,
            query_interval_secs: DEFAULT_QUERY_INTERVAL_SECS,
        };
        for (key, value) in given {
            let bad = |allowed: &'static str| ModelError::BadOption {
                key: key.clone(),
                value: value.clone(),
                allowed,
            };
            match key.as_str() {
                "uplink" => {
                    options.uplinks = interfaces(value)
                        .ok_or_else(|| bad("one or more different interface names with commas between"))?
                }
                "gateway" => {
                    options.gateway = one_of(value, "on", "off").ok_or_else(|| bad("on or off"))?;
                }
                "ageing" => {
                    options.ageing_secs =
                        seconds(value).ok_or_else(|| bad("whole seconds up to a year, 0 for no ageing"))?
                }
                "suppress" => {
                    options.suppress = one_of(value, "on", "off").ok_or_else(|| bad("on or off"))?;
                }
                "loop-guard" => {
                    options.loop_guard = one_of(value, "on", "off").ok_or_else(|| bad("on or off"))?;
                }
                "unknown-neighbours" => {
                    options.drop_unknown =
                        one_of(value, "drop", "flood").ok_or_else(|| bad("flood or drop"))?;
                }
                "snooping" => {
                    options.snooping = one_of(value, "on", "off").ok_or_else(|| bad("on or off"))?;
                }
                "querier" => {
                    options.querier = one_of(value, "on", "off").ok_or_else(|| bad("on or off"))?;
                }
                "query-interval" => {
                    let secs = value.parse().ok().filter(|secs| (1..=MAX_QUERY_INTERVAL_SECS).contains(secs));
                    options.query_interval_secs = secs.ok_or_else(|| bad("whole seconds from 1 to 31744"))?;
                }
                _ => return Err(ModelError::UnknownOption { key: key.clone() }),
            }
        }
        if options.drop_unknown && !options.suppress {
            return Err(ModelError::BadOption {
                key: String::from("unknown-neighbours"),
                value: String::from("drop"),
                allowed: "flood with suppress=off: who answers nothing must not drop the questions",
            });
        }
        if options.querier && !options.snooping {
            return Err(ModelError::BadOption {
                key: String::from("querier"),
                value: String::from("on"),
                allowed: "off with snooping=off: nobody would listen to the answers",
            });
        }
        Ok(options)
    }
}

fn interfaces(value: &str) -> Option<Vec<IfName>> {
    let names: Vec<IfName> = value.split(',').map(IfName::new).collect::<Result<_, _>>().ok()?;
    let is_set = names.iter().enumerate().all(|(position, name)| !names[..position].contains(name));
    is_set.then_some(names)
}

/// Whether a value is `yes` rather than `no`; `None` where it is neither.
fn one_of(value: &str, yes: &str, no: &str) -> Option<bool> {
    (value == yes || value == no).then_some(value == yes)
}

fn seconds(value: &str) -> Option<u32> {
    value.parse().ok().filter(|secs| *secs <= MAX_AGEING_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Options, ModelError> {
        Options::read(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn options_have_defaults_and_are_read() {
        assert_eq!(read(&[]).expect("defaults").ageing_secs, DEFAULT_AGEING_SECS);
        let plain = read(&[]).expect("defaults");
        assert_eq!((plain.suppress, plain.drop_unknown), (true, false));
        let flooding = read(&[("suppress", "off"), ("unknown-neighbours", "flood")]).expect("options");
        assert_eq!((flooding.suppress, flooding.drop_unknown), (false, false));
        assert!(read(&[("unknown-neighbours", "drop")]).expect("options").drop_unknown);
        let options = read(&[("ageing", "0"), ("uplink", "eth1,eth2")]).expect("options");
        assert_eq!(options.ageing_secs, 0);
        assert!(plain.gateway && !read(&[("gateway", "off")]).expect("options").gateway);
        assert_eq!(options.uplinks.iter().map(IfName::as_str).collect::<Vec<_>>(), ["eth1", "eth2"]);
    }

    #[test]
    fn a_network_that_answers_nothing_does_not_drop_the_questions() {
        let error =
            read(&[("suppress", "off"), ("unknown-neighbours", "drop")]).expect_err("a contradiction");
        assert!(error.to_string().contains("unknown-neighbours"), "{error}");
    }

    #[test]
    fn a_network_that_does_not_listen_does_not_ask() {
        let error = read(&[("snooping", "off"), ("querier", "on")]).expect_err("a contradiction");
        assert!(error.to_string().contains("querier"), "{error}");
        let asking = read(&[("querier", "on"), ("query-interval", "1")]).expect("options");
        assert_eq!((asking.snooping, asking.querier, asking.query_interval_secs), (true, true, 1));
    }

    #[test]
    fn unknown_options_and_bad_values_say_what_is_allowed() {
        for (key, value, said) in [
            (
                "colour",
                "red",
                "ageing, gateway, loop-guard, querier, query-interval, snooping, suppress, unknown-neighbours, uplink",
            ),
            ("snooping", "yes", "on or off"),
            ("querier", "", "on or off"),
            ("query-interval", "0", "whole seconds from 1"),
            ("query-interval", "31745", "to 31744"),
            ("suppress", "yes", "on or off"),
            ("loop-guard", "1", "on or off"),
            ("gateway", "10.0.0.1", "on or off"),
            ("unknown-neighbours", "on", "flood or drop"),
            ("ageing", "-1", "whole seconds"),
            ("ageing", "5m", "whole seconds"),
            ("uplink", "", "interface names"),
            ("uplink", "eth1,eth1", "interface names"),
            ("uplink", "a/b", "interface names"),
        ] {
            let error = read(&[(key, value)]).expect_err(key).to_string();
            assert!(error.contains(said) && error.contains(key), "{error}");
        }
    }
}
