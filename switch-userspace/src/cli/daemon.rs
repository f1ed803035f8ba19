//! `wye daemon`: the switch's control plane in the foreground.

use std::{
    io::{self, IsTerminal, Write},
    process,
};

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{error::CliError, output::say, place::Place, wishes::Wishes};
use crate::{
    daemon::{self, DaemonError},
    sys,
};

const EXAMPLES: &str = "\
Examples:
  wye daemon
  wye daemon --datapath userspace --instance lab
  wye daemon --config /etc/wye.toml";

/// What a daemon in the background says on stdout when it is ready; anything but this and [`BEATEN`] is why it ends.
pub(super) const READY: &str = "ready\n";
/// What it says where another one was faster.
pub(super) const BEATEN: &str = "beaten\n";

/// Run the daemon in the foreground, until Ctrl-C or `wye down`. Traffic of the ebpf datapath goes on without it.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct DaemonArgs {
    #[command(flatten)]
    wishes: Wishes,
    /// Started by `wye up`: leave its terminal, and tell it on stdout how the start went.
    #[arg(long, hide = true)]
    detached: bool,
}

pub(super) fn run(args: &DaemonArgs, place: &Place) -> Result<(), CliError> {
    let settings = args.wishes.choose(place)?.settings();
    log_to_stderr();
    if args.detached {
        sys::process::new_session().map_err(|source| CliError::File {
            op: "leave",
            object: "the terminal".to_owned(),
            source,
        })?;
    }
    let ready = || {
        if args.detached {
            return io::stdout().write_all(READY.as_bytes());
        }
        say(format!("instance {} is ready, pid {}", settings.instance, process::id()));
        Ok(())
    };
    let ended = daemon::run(&settings, ready);
    let is_beaten = matches!(ended, Err(DaemonError::Running { .. }));
    let ended = ended.map_err(|source| CliError::Daemon { op: "run", source: Box::new(source) });
    if let Err(error) = &ended
        && args.detached
    {
        let word = if is_beaten { BEATEN.to_owned() } else { error.told(place).1 };
        // The log has it, too: where `wye up` has gone away, nobody else reads this.
        let _ = io::stdout().write_all(word.as_bytes());
    }
    ended
}

/// `RUST_LOG` chooses what is logged.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
