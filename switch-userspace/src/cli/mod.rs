//! The command line: one file a noun. It talks to the daemon's API and to nothing else.

mod advice;
mod completion;
mod daemon;
mod demo;
mod doctor;
mod down;
mod endpoint;
mod error;
mod exec;
mod fdb;
mod man;
mod monitor;
mod network;
mod objects;
mod output;
mod panic;
mod parse;
mod place;
mod port;
mod status;
mod style;
mod table;
mod up;
mod version;
mod wishes;

use std::{env, ffi::OsString, process::ExitCode};

use clap::{
    CommandFactory, Parser, Subcommand,
    builder::StyledStr,
    error::{ContextKind, ContextValue},
};

use self::{error::CliError, place::Place};

const EXAMPLES: &str = "\
Examples:
  wye up
  wye network create red
  wye endpoint add web --network red --create-netns
  wye exec web -- ip addr
  wye status";

const EXIT_CODES: &str = "\
Exit codes:
  0 done, 1 failed, 2 usage, 3 not found, 4 exists or conflict, 5 daemon unreachable, 6 permission, 7 timeout,
  8 a check found differences";

/// A packet switch for containers.
#[derive(Debug, Parser)]
#[command(name = "wye", version, before_help = EXAMPLES, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Daemon(daemon::DaemonArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Status(status::StatusArgs),
    Doctor(doctor::DoctorArgs),
    Version(version::VersionArgs),
    Network(network::NetworkArgs),
    Endpoint(endpoint::EndpointArgs),
    Exec(exec::ExecArgs),
    Port(port::PortArgs),
    Fdb(fdb::FdbArgs),
    Monitor(monitor::MonitorArgs),
    Demo(demo::DemoArgs),
    Completion(completion::CompletionArgs),
    Man(man::ManArgs),
}

/// Reads the words that the program was started with, does what they say, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    panic::told(|| {
        let cli = Cli::try_parse().unwrap_or_else(|error| explained(error).exit());
        match dispatch(&cli) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ExitCode::from(error.report(&cli.place)),
        }
    })
    .unwrap_or(ExitCode::FAILURE)
}

/// Gives an error the usage of the command that was typed: what variables say would be in it as if it had been typed.
fn explained(mut error: clap::Error) -> clap::Error {
    if error.get(ContextKind::Usage).is_some() {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage(env::args_os().skip(1))));
    }
    error
}

fn usage(words: impl Iterator<Item = OsString>) -> StyledStr {
    let mut command = Cli::command();
    command.build();
    let mut typed = &command;
    for word in words {
        typed = typed.find_subcommand(word).unwrap_or(typed);
    }
    typed.clone().render_usage()
}

fn dispatch(cli: &Cli) -> Result<(), CliError> {
    let place = &cli.place;
    match &cli.command {
        Command::Daemon(args) => daemon::run(args, place),
        Command::Up(args) => up::run(args, place),
        Command::Down(args) => down::run(args, place),
        Command::Status(args) => status::run(args, place),
        Command::Doctor(args) => doctor::run(args),
        Command::Version(args) => version::run(args, place),
        Command::Network(args) => network::run(args, place),
        Command::Endpoint(args) => endpoint::run(args, place),
        Command::Exec(args) => exec::run(args, place),
        Command::Port(args) => port::run(args, place),
        Command::Fdb(args) => fdb::run(args, place),
        Command::Monitor(args) => monitor::run(args, place),
        Command::Demo(args) => demo::run(args),
        Command::Completion(args) => completion::run(args, Cli::command()),
        Command::Man(args) => man::run(args, Cli::command()),
    }
}

/// Does the same with each of several objects; a refusal of one stops none of the others, what would hit all of them does.
fn for_each(names: &[String], mut act: impl FnMut(&str) -> Result<(), CliError>) -> Result<(), CliError> {
    let mut refusals = Vec::new();
    for name in names {
        if let Err(error) = act(name) {
            let is_about_object = error.is_about_object();
            refusals.push(error);
            if !is_about_object {
                break;
            }
        }
    }
    CliError::unless_empty(refusals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_instance_is_taken_before_and_after_the_noun() {
        for words in
            [["wye", "--instance", "lab", "network", "ls"], ["wye", "network", "ls", "--instance", "lab"]]
        {
            assert_eq!(Cli::parse_from(words).place.instance.as_str(), "lab");
        }
    }

    #[test]
    fn every_noun_begins_its_help_with_examples() {
        for noun in Cli::command().get_subcommands().filter(|noun| !noun.is_hide_set()) {
            let help = noun.get_before_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n  wye "), "{}", noun.get_name());
        }
    }

    #[test]
    fn every_example_is_a_command_that_is_understood() {
        let nouns = Cli::command();
        let helps =
            std::iter::once(&nouns).chain(nouns.get_subcommands()).filter_map(clap::Command::get_before_help);
        for example in
            helps.flat_map(|help| help.to_string().lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        {
            let command =
                example.split(" | ").next().and_then(|left| left.split(" > ").next()).expect("a command");
            let words = command.split_whitespace();
            assert!(Cli::try_parse_from(words).is_ok(), "{example}");
        }
    }
}
