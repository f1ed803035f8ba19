//! `wye down`: stops the daemon and waits until it is gone.

use clap::Args;

use super::{error::CliError, output::say, place::Place, wishes::DirWishes};
use crate::{
    api::{
        client::ClientError,
        routes,
        types::{Stop, Stopped},
    },
    daemon,
};

const EXAMPLES: &str = "\
Examples:
  wye down
  wye down --purge";

/// Stop the daemon. Traffic goes on, unless everything is purged.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct DownArgs {
    /// Also remove every interface, namespace and pin of the instance and forget its state, whether a daemon runs or not.
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    dirs: DirWishes,
}
