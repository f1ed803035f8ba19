//! `wye version`: of this program, and of the daemon where one answers.

use clap::Args;
use serde::Serialize;
use switch_common::abi::SCHEMA;

use super::{
    error::CliError,
    output::{self, Listed, Output},
    place::Place,
};
use crate::api::{client::ClientError, routes, types::Version};

const EXAMPLES: &str = "\
Examples:
  wye version
  wye version -o json";

/// Show the versions of this program and of the daemon.
///
/// SCHEMA is the version of what the kernel stores: a daemon takes over pins of its own schema only.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct VersionArgs {
    #[command(flatten)]
    output: Output,
}

/// One program's version.
#[derive(Serialize)]
struct Row {
    program: &'static str,
    #[serde(flatten)]
    version: Version,
}

impl Listed for Row {
    const COLUMNS: &'static [&'static str] = &["PROGRAM", "VERSION", "SCHEMA"];

    fn cells(&self) -> Vec<String> {
        vec![self.program.to_owned(), self.version.version.clone(), self.version.schema.to_string()]
    }

    fn name(&self) -> String {
        self.program.to_owned()
    }
}

pub(super) fn run(args: &VersionArgs, place: &Place) -> Result<(), CliError> {
    let own = Version { version: env!("CARGO_PKG_VERSION").to_owned(), schema: SCHEMA };
    let mut rows = vec![Row { program: "client", version: own }];
    match place.client()?.get::<Version>(routes::VERSION) {
        Ok(version) => rows.push(Row { program: "daemon", version }),
        Err(
            ClientError::NoSocket { .. } | ClientError::NotListening { .. } | ClientError::NotAllowed { .. },
        ) => {}
        Err(error) => return Err(error.into()),
    }
    output::list(&rows, args.output.format)
}
