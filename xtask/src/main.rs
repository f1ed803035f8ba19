//! `cargo xtask`: the one door for developers. Every subcommand is one file.

mod bench;
mod build;
mod build_ebpf;
mod demo;
mod fuzz;
mod lint;
mod paths;
mod process;
mod setup;
mod tally;
mod test;
mod verifier_budget;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of wye. Each one first sets up what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Args),
    Build(build::Args),
    BuildEbpf(build_ebpf::Args),
    Lint(lint::Args),
    Test(test::Args),
    Demo(demo::Args),
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    VerifierBudget(verifier_budget::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Build(args) => build::run(&args),
        Command::BuildEbpf(args) => build_ebpf::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Test(args) => return test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::VerifierBudget(args) => verifier_budget::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::report(&error);
            ExitCode::FAILURE
        }
    }
}
