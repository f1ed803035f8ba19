//! `wye fdb`: the forwarding database, with the words of `bridge fdb`.

use clap::{Args, Subcommand};

use super::{
    error::CliError,
    output::{self, Listed, Output},
    parse,
    place::Place,
};
use crate::api::{
    routes,
    types::{FdbAdd, FdbDelete, FdbEntry, FdbFilter, FdbFlush, FdbQuery, FdbType, Flushed, SetType},
};

const EXAMPLES: &str = "\
Examples:
  wye fdb show
  wye fdb show --network red dev web dynamic
  wye fdb add 02:00:5e:10:00:01 dev web sticky
  wye fdb del 02:00:5e:10:00:01
  wye fdb flush dev web";

/// Show and change the forwarding database.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct FdbArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(Show),
    Add(Add),
    Del(Del),
    Flush(Flush),
}

/// List entries.
#[derive(Debug, Args)]
#[command(visible_alias = "ls")]
struct Show {
    /// Of this network only.
    #[arg(long, value_name = "NET")]
    network: Option<String>,
    #[command(flatten)]
    output: Output,
    /// Only entries behind a port (dev PORT), only learned ones (dynamic), or only the others (static).
    #[arg(value_name = "dev PORT|dynamic|static")]
    words: Vec<String>,
}

/// Set an entry by hand; it does not age.
#[derive(Debug, Args)]
struct Add {
    /// The address.
    #[arg(value_parser = parse::mac)]
    mac: String,
    /// The port that the address is behind; a sticky entry stays where it is when the address is seen elsewhere.
    #[arg(required = true, value_name = "dev PORT|static|sticky")]
    words: Vec<String>,
    /// The network, to be sure of it.
    #[arg(long, value_name = "NET")]
    network: Option<String>,
    /// The VLAN; without it that of the port's untagged frames.
    #[arg(long, value_name = "N")]
    vlan: Option<u16>,
    /// Take the place of another entry that was set for the address.
    #[arg(long)]
    replace: bool,
}

/// Delete an entry.
#[derive(Debug, Args)]
struct Del {
    /// The address.
    #[arg(value_parser = parse::mac)]
    mac: String,
    /// The network; needed where the address is in several.
    #[arg(long, value_name = "NET")]
    network: Option<String>,
    /// The VLAN; needed where the address is in several.
    #[arg(long, value_name = "N")]
    vlan: Option<u16>,
}

/// Delete the learned entries.
#[derive(Debug, Args)]
struct Flush {
    /// Of this network only.
    #[arg(long, value_name = "NET")]
    network: Option<String>,
    /// The static and sticky ones, too.
    #[arg(long)]
    all: bool,
    /// Only entries behind a port.
    #[arg(value_name = "dev PORT")]
    words: Vec<String>,
}

impl Listed for FdbEntry {
    const COLUMNS: &'static [&'static str] = &["NETWORK", "MAC", "PORT", "TYPE", "VLAN", "AGE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.network.clone(),
            self.mac.clone(),
            self.port.clone(),
            kind(self.kind).to_owned(),
            self.vlan.map(|vlan| vlan.to_string()).unwrap_or_default(),
            self.age_secs.map(|age| format!("{age}s")).unwrap_or_default(),
        ]
    }

    fn name(&self) -> String {
        self.mac.clone()
    }
}

fn kind(kind: FdbType) -> &'static str {
    match kind {
        FdbType::Learned => "learned",
        FdbType::Static => "static",
        FdbType::Sticky => "sticky",
        FdbType::Endpoint => "endpoint",
    }
}

pub(super) fn run(args: &FdbArgs, place: &Place) -> Result<(), CliError> {
    match &args.verb {
        Verb::Show(show) => {
            let words = Words::read("fdb show", &show.words, &["dynamic", "static"])?;
            let query = FdbQuery {
                network: show.network.clone(),
                port: words.port,
                filter: words.kind.and_then(filter),
            };
            let entries: Vec<FdbEntry> = place.client()?.query(routes::FDB, &query)?;
            output::list(&entries, show.output.format)
        }
        Verb::Add(add) => {
            let words = Words::read("fdb add", &add.words, &["static", "sticky"])?;
            let port =
                words.port.ok_or_else(|| usage("fdb add", "the port is missing: say `dev PORT`".into()))?;
            let kind = if words.kind == Some("sticky") { SetType::Sticky } else { SetType::Static };
            let (mac, network) = (add.mac.clone(), add.network.clone());
            let wanted = FdbAdd { mac, port, network, kind, vlan: add.vlan, replace: add.replace };
            let entry: FdbEntry = place.client()?.post(routes::FDB, &wanted)?;
            output::line(entry.mac)
        }
        Verb::Del(del) => {
            let wanted = FdbDelete { mac: del.mac.clone(), network: del.network.clone(), vlan: del.vlan };
            let entry: FdbEntry = place.client()?.post(routes::FDB_DELETE, &wanted)?;
            output::line(entry.mac)
        }
        Verb::Flush(flush) => {
            let words = Words::read("fdb flush", &flush.words, &[])?;
            let wanted = FdbFlush { network: flush.network.clone(), port: words.port, all: flush.all };
            let flushed: Flushed = place.client()?.post(routes::FDB_FLUSH, &wanted)?;
            output::line(format!("{} entries deleted", flushed.removed))
        }
    }
}

fn filter(word: &str) -> Option<FdbFilter> {
    match word {
        "dynamic" => Some(FdbFilter::Dynamic),
        "static" => Some(FdbFilter::Static),
        _ => None,
    }
}

/// The words after a verb, in any order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    /// After `dev`.
    port: Option<String>,
    /// One of the kinds that the verb knows.
    kind: Option<&'static str>,
}

impl Words {
    fn read(command: &'static str, words: &[String], kinds: &[&'static str]) -> Result<Self, CliError> {
        let mut read = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let known = kinds.iter().find(|kind| *kind == word).copied();
            match (word.as_str(), known) {
                ("dev", _) if read.port.is_none() => {
                    let port =
                        words.next().ok_or_else(|| usage(command, "after `dev` comes a port".into()))?;
                    read.port = Some(port.clone());
                }
                (_, Some(_)) if read.kind.is_none() => read.kind = known,
                ("dev", _) | (_, Some(_)) => {
                    return Err(usage(command, format!("{word:?} says the same thing again")));
                }
                (_, None) => {
                    let known = ["dev PORT"].iter().chain(kinds).copied().collect::<Vec<_>>().join(", ");
                    return Err(usage(command, format!("{word:?} is none of: {known}")));
                }
            }
        }
        Ok(read)
    }
}

fn usage(command: &'static str, why: String) -> CliError {
    CliError::Usage { command, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str, kinds: &[&'static str]) -> Result<Words, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Words::read("fdb show", &words, kinds).map_err(|error| error.to_string())
    }

    #[test]
    fn the_words_of_bridge_fdb_are_taken_in_any_order() {
        let wanted = Words { port: Some("web".into()), kind: Some("dynamic") };
        assert_eq!(read("dev web dynamic", &["dynamic", "static"]).as_ref(), Ok(&wanted));
        assert_eq!(read("dynamic dev web", &["dynamic", "static"]).as_ref(), Ok(&wanted));
        assert_eq!(read("", &[]), Ok(Words::default()));
    }

    #[test]
    fn a_port_may_have_the_name_of_a_kind() {
        assert_eq!(read("dev static", &["static"]), Ok(Words { port: Some("static".into()), kind: None }));
    }

    #[test]
    fn other_words_are_refused_with_those_that_are_known() {
        assert_eq!(read("brport web", &["static"]), Err(r#""brport" is none of: dev PORT, static"#.into()));
        assert_eq!(read("dev", &[]), Err("after `dev` comes a port".into()));
        assert_eq!(read("dev a dev b", &[]), Err(r#""dev" says the same thing again"#.into()));
        assert_eq!(
            read("static dynamic", &["dynamic", "static"]),
            Err(r#""dynamic" says the same thing again"#.into())
        );
    }
}
