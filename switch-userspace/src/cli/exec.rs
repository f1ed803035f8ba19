//! `wye exec`: runs a command inside an endpoint's namespace.

use std::{
    ffi::OsString,
    os::{fd::AsFd, unix::process::CommandExt},
    path::Path,
    process::Command,
};

use clap::Args;

use super::{error::CliError, place::Place};
use crate::{
    api::{routes, types::Endpoint},
    netns::{NETNS_DIR, Netns, NetnsId, outlook},
    sys,
};

const EXAMPLES: &str = "\
Examples:
  wye exec web -- ip addr
  wye exec web -- ping -c 1 10.1.0.3";

/// Run a command inside an endpoint's network namespace.
///
/// As with `ip netns exec`, /sys shows the namespace's interfaces, and files of /etc/netns/NAME, where the namespace has a name,
/// take the place of those in /etc.
///
/// The exit code is the command's; 127 where there is no such command, 126 where it cannot be run.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct ExecArgs {
    /// The endpoint.
    endpoint: String,
    /// The command and its arguments, after `--`.
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Returns only where the command could not be run: it takes the place of this process.
pub(super) fn run(args: &ExecArgs, place: &Place) -> Result<(), CliError> {
    let endpoint: Endpoint = place.client()?.get(&routes::fill(routes::ENDPOINT, &[&args.endpoint]))?;
    let netns = Netns::open_path(&endpoint.netns.path)?;
    if netns.id() != (NetnsId { dev: endpoint.netns.dev, ino: endpoint.netns.ino }) {
        return Err(CliError::OtherNetns { endpoint: endpoint.name, path: netns.label().to_owned() });
    }
    enter(&netns)?;
    outlook::show_own(own_name(&endpoint.netns.path))?;
    let Some((program, arguments)) = args.command.split_first() else { return Ok(()) };
    let source = Command::new(program).args(arguments).exec();
    Err(CliError::Run { program: program.to_string_lossy().into_owned(), source })
}

/// The name of a namespace among those that have one.
fn own_name(path: &Path) -> Option<&str> {
    if path.parent() == Some(Path::new(NETNS_DIR)) { path.file_name()?.to_str() } else { None }
}

/// Moves this thread, the only one of the process, into the namespace.
fn enter(netns: &Netns) -> Result<(), CliError> {
    sys::ns::enter(netns.as_fd()).map_err(|source| CliError::File {
        op: "enter",
        object: netns.label().to_owned(),
        source,
    })
}
