//! `wye man`: writes the manual pages, for packagers.

use std::{fs, path::PathBuf};

use clap::{Args, Command};

use super::error::CliError;

const EXAMPLES: &str = "\
Examples:
  wye man /usr/local/share/man/man1";

/// Write the manual pages into a directory.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// The directory; it is made where it is missing.
    directory: PathBuf,
}

pub(super) fn run(args: &ManArgs, command: Command) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        op: "write manual pages to",
        object: args.directory.display().to_string(),
        source,
    };
    fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(command, &args.directory).map_err(failed)
}
