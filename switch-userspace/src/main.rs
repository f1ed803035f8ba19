//! The `wye` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    switch_userspace::cli::run()
}
