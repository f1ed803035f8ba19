//! `wye monitor`: what happens in the switch, one line each, as it happens.

use std::ops::ControlFlow;

use clap::{Args, ValueEnum};

use super::{endpoint::state, error::CliError, output, place::Place};
use crate::api::{
    client::ClientError,
    routes,
    types::{Event, EventKind, EventQuery},
};

const EXAMPLES: &str = "\
Examples:
  wye monitor
  wye monitor --drops-only
  wye monitor -o jsonl | jq 'select(.event == \"drop\")'";

/// Show drops and changes as they happen, until Ctrl-C or until nobody reads them any more.
///
/// Drops are sampled: at most 100 a second of each reason are shown, with the number of those left out.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct MonitorArgs {
    /// Leave changes out.
    #[arg(long)]
    drops_only: bool,
    /// End after that many events.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How to print an event.
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum, default_value_t = StreamFormat::Table)]
    format: StreamFormat,
}

/// How a stream is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StreamFormat {
    /// One line of text an event.
    Table,
    /// One JSON object a line.
    Jsonl,
}

pub(super) fn run(args: &MonitorArgs, place: &Place) -> Result<(), CliError> {
    let mut left = args.count;
    let mut outcome = Ok(());
    place.client()?.lines(routes::EVENTS, &EventQuery { drops: true }, output::reader_gone(), |line| {
        match show(line, args) {
            Ok(false) => return ControlFlow::Continue(()),
            Ok(true) => left = left.map(|left| left.saturating_sub(1)),
            Err(error) => {
                outcome = Err(error);
                return ControlFlow::Break(());
            }
        }
        if left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    outcome
}

/// Prints an event, and says whether it was one to be printed.
fn show(line: &[u8], args: &MonitorArgs) -> Result<bool, CliError> {
    let event: Event = serde_json::from_slice(line)
        .map_err(|source| ClientError::Answer { path: routes::EVENTS.to_owned(), source })?;
    let told = match event.kind {
        EventKind::Drop { .. } | EventKind::Missed { .. } => true,
        EventKind::Listening => args.format == StreamFormat::Jsonl,
        EventKind::NetworkCreated { .. }
        | EventKind::NetworkRemoved { .. }
        | EventKind::EndpointAdded { .. }
        | EventKind::EndpointRemoved { .. }
        | EventKind::EndpointConnected { .. }
        | EventKind::EndpointDisconnected { .. }
        | EventKind::EndpointState { .. }
        | EventKind::EndpointLabelled { .. }
        | EventKind::PortSet { .. }
        | EventKind::PortMtu { .. }
        | EventKind::PortBlocked { .. }
        | EventKind::PortUnblocked { .. }
        | EventKind::FdbAdded { .. }
        | EventKind::FdbDeleted { .. }
        | EventKind::FdbFlushed { .. } => !args.drops_only,
    };
    if told {
        match args.format {
            StreamFormat::Table => output::line(format!("{}  {}", event.at, text(&event.kind)))?,
            StreamFormat::Jsonl => output::print([line, b"\n"].concat())?,
        }
    }
    Ok(told && event.kind != EventKind::Listening)
}

fn text(kind: &EventKind) -> String {
    match kind {
        EventKind::Listening => "listening".to_owned(),
        EventKind::Drop { port, reason, frame_len, head, unreported, .. } => {
            let before =
                if *unreported == 0 { String::new() } else { format!("  ({unreported} more before)") };
            format!("drop  {port}  {reason}  {}  {frame_len} bytes{before}", addresses(head))
        }
        EventKind::Missed { events } => format!("missed  {events} events"),
        EventKind::NetworkCreated { network } => format!("network  {network}  created"),
        EventKind::NetworkRemoved { network } => format!("network  {network}  removed"),
        EventKind::EndpointAdded { endpoint } => format!("endpoint  {endpoint}  added"),
        EventKind::EndpointRemoved { endpoint } => format!("endpoint  {endpoint}  removed"),
        EventKind::EndpointConnected { endpoint, network, port } => {
            format!("endpoint  {endpoint}  connected to {network} as port {port}")
        }
        EventKind::EndpointDisconnected { endpoint, network } => {
            format!("endpoint  {endpoint}  disconnected from {network}")
        }
        EventKind::EndpointState { endpoint, state: new, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("endpoint  {endpoint}  {}{reason}", state(*new))
        }
        EventKind::EndpointLabelled { endpoint } => format!("endpoint  {endpoint}  labels changed"),
        EventKind::PortSet { port, .. } => format!("port  {port}  switches set"),
        EventKind::PortMtu { port, mtu } => format!("port  {port}  mtu {mtu}"),
        EventKind::PortBlocked { port, by } => format!("port  {port}  blocked: loop with {by}"),
        EventKind::PortUnblocked { port } => format!("port  {port}  not blocked any more"),
        EventKind::FdbAdded { network, mac, port, .. } => {
            format!("fdb  {mac}  added on {network} behind port {port}")
        }
        EventKind::FdbDeleted { network, mac } => format!("fdb  {mac}  deleted from {network}"),
        EventKind::FdbFlushed { removed } => format!("fdb  flushed  {removed} entries"),
    }
}

/// `SOURCE > DESTINATION` of a frame whose beginning is `head`, in hex.
fn addresses(head: &str) -> String {
    let mac = |digits: &str| {
        let bytes: Vec<&str> = (0..6).filter_map(|byte| digits.get(2 * byte..2 * byte + 2)).collect();
        bytes.join(":")
    };
    match (head.get(..12), head.get(12..24)) {
        (Some(destination), Some(source)) => format!("{} > {}", mac(source), mac(destination)),
        (_, _) => "addresses cut off".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_one_line_with_port_reason_addresses_and_length() {
        let drop = EventKind::Drop {
            port: "web".into(),
            reason: "mac_limit".into(),
            text: "the port has learned as many MACs as it may".into(),
            frame_len: 60,
            head: "ffffffffffff02005e1000010806".into(),
            unreported: 3,
        };
        assert_eq!(
            text(&drop),
            "drop  web  mac_limit  02:00:5e:10:00:01 > ff:ff:ff:ff:ff:ff  60 bytes  (3 more before)"
        );
    }

    #[test]
    fn a_frame_without_addresses_says_so() {
        assert_eq!(addresses("ffff"), "addresses cut off");
    }
}
