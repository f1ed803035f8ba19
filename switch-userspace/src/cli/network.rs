//! `wye network`: bridge domains with their subnets.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use ipnet::IpNet;

use super::{
    error::CliError,
    objects::{Inspect, Ls, Rm, print_removed},
    output::{self, Listed, joined},
    parse,
    place::Place,
};
use crate::api::{
    routes,
    types::{Connect, Endpoint, Network, NetworkCreate},
};

const EXAMPLES: &str = "\
Examples:
  wye network create red
  wye network create blue --subnet 10.2.0.0/24 --subnet fd00:2::/64 --mtu 9000
  wye network create lan --opt uplink=eth1
  wye network create video --opt querier=on
  wye network ls -o wide
  wye network rm red blue";

/// Make, show and remove networks.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct NetworkArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(Create),
    /// List networks.
    Ls(Ls),
    /// Show everything about networks.
    Inspect(Inspect),
    /// Remove networks that have no endpoint.
    Rm(Rm),
    Prune(Prune),
    Connect(ConnectArgs),
    Disconnect(Disconnect),
}

/// Make a network.
#[derive(Debug, Args)]
struct Create {
    /// Its name, which has to be a possible interface name.
    name: String,
    /// A subnet, of either family; repeatable. Without any, a free IPv4 one is chosen.
    #[arg(long = "subnet", value_name = "CIDR")]
    subnets: Vec<IpNet>,
    /// The gateway's address in a subnet, which the endpoints' default route leads to; by default the subnet's first.
    #[arg(long = "gateway", value_name = "IP")]
    gateways: Vec<IpAddr>,
    /// Where automatic addresses are taken from; by default the whole subnet.
    #[arg(long = "ip-range", value_name = "CIDR")]
    ip_ranges: Vec<IpNet>,
    /// Give its endpoints no default route.
    #[arg(long)]
    internal: bool,
    /// Sort frames by VLAN; ports that say nothing are in this one.
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    vlan: Option<u16>,
    /// Keep its endpoints from each other: every port is isolated.
    #[arg(long)]
    isolated: bool,
    /// Largest packet in bytes, without Ethernet header.
    #[arg(long, allow_negative_numbers = true, value_name = "BYTES")]
    mtu: Option<u32>,
    /// An option: uplink=IFACE, gateway=on|off, ageing=SECS, suppress=on|off, loop-guard=on|off, unknown-neighbours=flood|drop,
    /// snooping=on|off, querier=on|off, query-interval=SECS.
    #[arg(long = "opt", value_name = "KEY=VALUE", value_parser = parse::key_value)]
    options: Vec<(String, String)>,
}

/// Remove every network that has no endpoint.
#[derive(Debug, Args)]
struct Prune {}

/// Give an endpoint an interface on another network.
#[derive(Debug, Args)]
struct ConnectArgs {
    /// The network.
    network: String,
    /// The endpoint.
    endpoint: String,
    #[command(flatten)]
    how: AttachmentArgs,
}

/// How an endpoint's interface is to be.
#[derive(Debug, Args)]
pub(super) struct AttachmentArgs {
    /// An address, at most one a subnet; a free one is chosen otherwise.
    #[arg(long = "ip", value_name = "IP")]
    ips: Vec<IpAddr>,
    /// MAC address.
    #[arg(long, value_name = "MAC", value_parser = parse::mac)]
    mac: Option<String>,
    /// Name of the interface inside the endpoint; eth0, eth1… by default.
    #[arg(long, value_name = "NAME")]
    ifname: Option<String>,
}

impl From<&AttachmentArgs> for Connect {
    fn from(args: &AttachmentArgs) -> Self {
        Self { ips: args.ips.clone(), mac: args.mac.clone(), ifname: args.ifname.clone() }
    }
}

/// Take an endpoint's interface on a network away.
#[derive(Debug, Args)]
struct Disconnect {
    /// The network.
    network: String,
    /// The endpoint.
    endpoint: String,
}

impl Listed for Network {
    const COLUMNS: &'static [&'static str] = &["NAME", "SUBNETS", "GATEWAYS", "MTU", "ENDPOINTS"];
    const WIDE: &'static [&'static str] =
        &["DOMAIN", "IP-RANGES", "AGEING", "INTERNAL", "ISOLATED", "UPLINKS", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            joined(&self.subnets),
            joined(&self.gateways),
            self.mtu.to_string(),
            self.endpoints.len().to_string(),
            self.domain.to_string(),
            joined(&self.ip_ranges),
            format!("{}s", self.ageing_secs),
            self.internal.to_string(),
            self.isolated.to_string(),
            joined(&self.uplinks),
            self.created.clone(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

pub(super) fn run(args: &NetworkArgs, place: &Place) -> Result<(), CliError> {
    let client = place.client()?;
    match &args.verb {
        Verb::Create(create) => {
            let network: Network = client.post(routes::NETWORKS, &request(create)?)?;
            output::line(network.name)
        }
        Verb::Ls(ls) => ls.run::<Network>(&client, routes::NETWORKS),
        Verb::Inspect(inspect) => inspect.run::<Network>(&client, routes::NETWORK),
        Verb::Rm(rm) => rm.run(&client, routes::NETWORK),
        Verb::Prune(_) => print_removed(&client.post(routes::NETWORK_PRUNE, &())?),
        Verb::Connect(connect) => {
            let path = routes::fill(routes::ATTACHMENT, &[&connect.network, &connect.endpoint]);
            let endpoint: Endpoint = client.post(&path, &Connect::from(&connect.how))?;
            let made = endpoint.attachments.iter().filter(|attachment| attachment.network == connect.network);
            output::line(joined(made.map(|attachment| &attachment.port)))
        }
        Verb::Disconnect(disconnect) => {
            let path = routes::fill(routes::ATTACHMENT, &[&disconnect.network, &disconnect.endpoint]);
            let endpoint: Endpoint = client.delete(&path)?;
            output::line(endpoint.name)
        }
    }
}

fn request(create: &Create) -> Result<NetworkCreate, CliError> {
    let options =
        parse::distinct(&create.options).map_err(|why| CliError::Usage { command: "network create", why })?;
    Ok(NetworkCreate {
        name: create.name.clone(),
        subnets: create.subnets.clone(),
        gateways: create.gateways.clone(),
        ip_ranges: create.ip_ranges.clone(),
        internal: create.internal,
        isolated: create.isolated,
        mtu: create.mtu,
        vlan: create.vlan,
        options,
    })
}
