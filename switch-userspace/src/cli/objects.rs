//! The verbs that networks and endpoints have alike: list, show and remove objects by name.

use clap::Args;
use serde::de::DeserializeOwned;

use super::{
    error::CliError,
    for_each,
    output::{self, InspectOutput, Listed, Output},
};
use crate::api::{client::Client, routes, types::Removed};

#[derive(Debug, Args)]
pub(super) struct Ls {
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Their names.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    output: InspectOutput,
}

#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Their names.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Ls {
    /// Prints all objects of the list at `route`.
    pub(super) fn run<T: Listed + DeserializeOwned>(
        &self,
        client: &Client,
        route: &str,
    ) -> Result<(), CliError> {
        output::list::<T>(&client.get::<Vec<T>>(route)?, self.output.format)
    }
}

impl Inspect {
    /// Prints the objects whose place, but for the name, is `route`.
    pub(super) fn run<T: Listed + DeserializeOwned>(
        &self,
        client: &Client,
        route: &str,
    ) -> Result<(), CliError> {
        let get = |name: &str| Ok(client.get::<T>(&routes::fill(route, &[name]))?);
        output::found(&self.names, get, self.output.format)
    }
}

impl Rm {
    /// Removes the objects whose place, but for the name, is `route`.
    pub(super) fn run(&self, client: &Client, route: &str) -> Result<(), CliError> {
        let mut all = Vec::new();
        let tried = for_each(&self.names, |name| {
            let removed: Removed = client.delete(&routes::fill(route, &[name]))?;
            print_removed(&removed)?;
            all.extend(removed.names);
            Ok(())
        });
        tried.map_err(|error| error.beside(all))
    }
}

/// Prints the names of what was removed.
pub(super) fn print_removed(removed: &Removed) -> Result<(), CliError> {
    output::print(removed.names.iter().map(|name| name.clone() + "\n").collect::<String>())
}
