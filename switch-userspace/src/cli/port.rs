//! `wye port`: the switch's attachment points, their switches and their counters.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use switch_common::DropReason;

use super::{
    error::CliError,
    output::{self, Format, Listed, Output, joined, size},
    parse::{Allowed, StormWord, Switch},
    place::Place,
    table::{Table, pairs},
};
use crate::api::{
    client::Client,
    routes,
    types::{McastRouter, MdbEntry, MdbKind, MdbQuery, Port, PortChange, PortKind, PortSettings, VlanChange},
};

const EXAMPLES: &str = "\
Examples:
  wye port ls
  wye port show web
  wye port set web --isolated on --max-macs 4
  wye port set web:eth1 --flood off --learning off
  wye port set router --allow 02:00:00:00:00:07/10.0.0.7 --allow 02:00:00:00:00:08
  wye port set bridge --guard off
  wye port set web --vlan access=10
  wye port set eth1 --vlan trunk=10,20-29,native=1
  wye port set web --storm bcast=100/200 --storm unicast=1000
  wye port set web --fast-leave on
  wye port mdb --network red";

/// Show ports and their counters, and set their switches.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct PortArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Ls(Ls),
    Show(Show),
    Set(Set),
    Mdb(Mdb),
}

/// List ports with their counters.
#[derive(Debug, Args)]
struct Ls {
    #[command(flatten)]
    output: Output,
}

/// Show a port: switches, counters, drops by reason.
#[derive(Debug, Args)]
struct Show {
    /// EP, or EP:IFNAME where the endpoint has several; an uplink's interface.
    port: String,
    #[command(flatten)]
    output: Output,
}

/// List multicast groups with their members, router ports and queriers.
#[derive(Debug, Args)]
struct Mdb {
    /// About this port only.
    port: Option<String>,
    /// Of this network only.
    #[arg(long, value_name = "NET")]
    network: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Set a port's switches; those that are not named stay.
#[derive(Debug, Args)]
struct Set {
    /// EP, or EP:IFNAME where the endpoint has several; an uplink's interface; a network, for its gateway.
    port: String,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Learn the source MACs of its frames.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    learning: Option<Switch>,
    /// Flood unknown unicast to it.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    flood: Option<Switch>,
    /// Flood broadcast to it.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    bcast_flood: Option<Switch>,
    /// Flood multicast to it.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    mcast_flood: Option<Switch>,
    /// Keep it from other isolated ports.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    isolated: Option<Switch>,
    /// Let frames leave through the port that they came in on.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    hairpin: Option<Switch>,
    /// Most MACs that may be learned at it, besides the endpoint's own; 0 is no cap.
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    max_macs: Option<u32>,
    /// Judge what it sends: its own MAC and addresses only, no router, no DHCP server.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    guard: Option<Switch>,
    /// Take frames only from MACs that are in the FDB for it.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    locked: Option<Switch>,
    /// A source it may use beside its own: a MAC with one address, or with any address at all; repeatable, in place of those allowed
    /// before. `none` takes all of them back.
    #[arg(long, value_name = "MAC[/IP]|none")]
    allow: Vec<Allowed>,
    /// At most RATE flooded frames a second of this kind (unicast: to unknown MACs) from it, and BURST at once (a second's worth unless said); RATE 0 takes the limit
    /// off. Repeatable.
    #[arg(long, value_name = "bcast|mcast|unicast=RATE[/BURST]")]
    storm: Vec<StormWord>,
    /// Only one host is behind it: end a group as soon as that leaves it.
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    fast_leave: Option<Switch>,
    /// Multicast routers are behind it: always, never, or as queries tell (auto), which a guarded port may not send.
    #[arg(long, value_name = "on|off|auto", hide_possible_values = true)]
    mcast_router: Option<McastRouter>,
    /// Sort its frames by VLAN; `none` leaves that to the network. The first port of a network that does makes all of them do, in
    /// VLAN 1 where they say nothing; after the last one no port does, unless the network was made with --vlan.
    #[arg(long, value_name = "access=N|trunk=LIST[,native=N][,proto=802.1ad]|none")]
    vlan: Option<VlanChange>,
}

impl From<&Change> for PortChange {
    fn from(change: &Change) -> Self {
        Self {
            learning: change.learning.map(bool::from),
            flood: change.flood.map(bool::from),
            bcast_flood: change.bcast_flood.map(bool::from),
            mcast_flood: change.mcast_flood.map(bool::from),
            isolated: change.isolated.map(bool::from),
            hairpin: change.hairpin.map(bool::from),
            max_macs: change.max_macs,
            vlan: change.vlan.clone(),
            guard: change.guard.map(bool::from),
            locked: change.locked.map(bool::from),
            allow: (!change.allow.is_empty())
                .then(|| change.allow.iter().filter_map(|allowed| allowed.0).collect()),
            storm: StormWord::change(&change.storm),
            fast_leave: change.fast_leave.map(bool::from),
            mcast_router: change.mcast_router,
        }
    }
}

impl Listed for Port {
    const COLUMNS: &'static [&'static str] = &[
        "NAME",
        "NETWORK",
        "STATE",
        "RX-FRAMES",
        "RX-BYTES",
        "TX-FRAMES",
        "TX-BYTES",
        "DROPS",
        "DROPS-BY-REASON",
    ];
    const WIDE: &'static [&'static str] = &["KIND", "INTERFACE", "MAC", "MTU", "MACS", "SWITCHES"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.network.clone(),
            state(self),
            self.counters.rx_frames.to_string(),
            size(self.counters.rx_bytes),
            self.counters.tx_frames.to_string(),
            size(self.counters.tx_bytes),
            self.drops.values().sum::<u64>().to_string(),
            joined(self.drops.iter().map(|(reason, frames)| format!("{reason}={frames}"))),
            kind(self.kind).to_owned(),
            format!("{}({})", self.ifname, self.ifindex),
            self.mac.clone(),
            self.mtu.to_string(),
            learned(self),
            switches_on(&self.settings),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Listed for MdbEntry {
    const COLUMNS: &'static [&'static str] =
        &["NETWORK", "VLAN", "FAMILY", "TYPE", "GROUP", "PORT", "ADDRESS", "EXPIRES"];

    fn cells(&self) -> Vec<String> {
        let kind = match self.kind {
            MdbKind::Member => "member",
            MdbKind::Router => "router",
            MdbKind::Querier => "querier",
        };
        vec![
            self.network.clone(),
            self.vlan.map(|vlan| vlan.to_string()).unwrap_or_default(),
            format!("ipv{}", self.family),
            kind.to_owned(),
            self.group.map(|group| group.to_string()).unwrap_or_default(),
            self.port.clone().unwrap_or_default(),
            self.address.map(|address| address.to_string()).unwrap_or_default(),
            self.expires_secs.map(|secs| format!("{secs}s")).unwrap_or_default(),
        ]
    }

    fn name(&self) -> String {
        self.group.map_or_else(|| self.port.clone().unwrap_or_default(), |group| group.to_string())
    }
}

pub(super) fn run(args: &PortArgs, place: &Place) -> Result<(), CliError> {
    let client = place.client()?;
    match &args.verb {
        Verb::Ls(ls) => output::list::<Port>(&client.get::<Vec<_>>(routes::PORTS)?, ls.output.format),
        Verb::Show(show) => {
            let port: Port = client.get(&routes::fill(routes::PORT, &[&show.port]))?;
            match show.output.format {
                Format::Table | Format::Wide => output::print(page(&port)),
                other @ (Format::Json | Format::Yaml | Format::Name) => output::one(&port, other),
            }
        }
        Verb::Set(set) => set_port(&client, set),
        Verb::Mdb(mdb) => {
            let query = MdbQuery { network: mdb.network.clone(), port: mdb.port.clone() };
            output::list::<MdbEntry>(&client.query::<Vec<_>>(routes::MDB, &query)?, mdb.output.format)
        }
    }
}

fn set_port(client: &Client, set: &Set) -> Result<(), CliError> {
    let path = routes::fill(routes::PORT, &[&set.port]);
    let port: Port = client.patch(&path, &PortChange::from(&set.change))?;
    output::line(port.name)
}

/// Everything about one port on one screen.
fn page(port: &Port) -> String {
    let counters = &port.counters;
    let facts = pairs(&[
        ("PORT", port.name.clone()),
        ("KIND", kind(port.kind).to_owned()),
        ("NETWORK", port.network.clone()),
        ("STATE", state(port)),
        ("INTERFACE", format!("{} (index {})", port.ifname, port.ifindex)),
        ("MAC", port.mac.clone()),
        ("MTU", port.mtu.to_string()),
        ("SWITCHES", switches_on(&port.settings)),
        ("ALLOWED", joined(port.settings.allow.iter().map(ToString::to_string))),
        ("STORM", joined(port.settings.storm.named().map(|(kind, rate)| format!("{kind}={rate}")))),
        ("VLAN", port.settings.vlan.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("MACS", learned(port)),
        ("GROUPS", groups(port)),
        ("MCAST-ROUTER", port.settings.mcast_router.word().to_owned()),
        ("RX", format!("{} frames, {} bytes", counters.rx_frames, counters.rx_bytes)),
        ("TX", format!("{} frames, {} bytes", counters.tx_frames, counters.tx_bytes)),
    ]);
    format!("{facts}\n{}", drops(&port.drops))
}

fn drops(drops: &BTreeMap<String, u64>) -> Table {
    let mut table = Table::new(&["DROPS", "REASON", "MEANING"]);
    for (reason, frames) in drops {
        let meaning =
            DropReason::ALL.iter().find(|known| known.name() == reason).map_or("", |known| known.text());
        table.row([frames.to_string(), reason.clone(), meaning.to_owned()]);
    }
    table
}

/// The switches that are on, by the names of their flags.
fn switches_on(settings: &PortSettings) -> String {
    let switches = [
        ("learning", settings.learning),
        ("flood", settings.flood),
        ("bcast-flood", settings.bcast_flood),
        ("mcast-flood", settings.mcast_flood),
        ("isolated", settings.isolated),
        ("hairpin", settings.hairpin),
        ("guard", settings.guard),
        ("locked", settings.locked),
        ("fast-leave", settings.fast_leave),
    ];
    joined(switches.iter().filter(|(_, on)| *on).map(|(name, _)| name))
}

/// Groups that are joined, and how many joins were refused.
fn groups(port: &Port) -> String {
    match port.groups_refused {
        0 => port.groups.to_string(),
        refused => format!("{} ({refused} refused)", port.groups),
    }
}

/// Learned MACs, and how many there may be where there is a cap.
fn learned(port: &Port) -> String {
    match port.settings.max_macs {
        0 => port.learned.to_string(),
        cap => format!("{}/{cap}", port.learned),
    }
}

fn state(port: &Port) -> String {
    match &port.blocked_by {
        _ if !port.attached => "missing".to_owned(),
        Some(by) => format!("blocked: loop with {by}"),
        None if port.up => "attached".to_owned(),
        None => "attached, interface down".to_owned(),
    }
}

fn kind(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Endpoint => "endpoint",
        PortKind::Uplink => "uplink",
        PortKind::Gateway => "gateway",
    }
}
