//! `wye down`: stops the daemon and waits until it is gone.

use std::{fs::File, io, path::Path, sync::mpsc, thread, time::Duration};

use clap::Args;

use super::{
    error::CliError,
    output::say,
    place::Place,
    wishes::{DirWishes, forget_directories},
};
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

/// How long a daemon may take to end once it has answered.
const END_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn run(args: &DownArgs, place: &Place) -> Result<(), CliError> {
    let instance = &place.instance;
    let settings = args.dirs.choose(place)?.settings();
    match place.client()?.post::<Stopped>(routes::STOP, &Stop { purge: args.purge }) {
        Ok(Stopped { .. }) => wait_for_end(&settings.run_dir)?,
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. }) if args.purge => {
            // One that was killed may still hold its lock.
            wait_for_end(&settings.run_dir)?;
            daemon::purge(&settings)
                .map_err(|source| CliError::Daemon { op: "purge", source: Box::new(source) })?;
        }
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. }) => {
            say(format!("no daemon of instance {instance} runs"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    if args.purge {
        forget_directories(&settings).map_err(|source| CliError::File {
            op: "remove",
            object: settings.run_dir.display().to_string(),
            source,
        })?;
        say(format!("instance {instance} is gone with everything it had"));
    } else {
        say(format!("instance {instance} has stopped; its traffic goes on"));
    }
    Ok(())
}

/// The daemon holds its lock for as long as it lives.
fn wait_for_end(run_dir: &Path) -> Result<(), CliError> {
    let path = run_dir.join(daemon::LOCK_NAME);
    let failed = |source| CliError::File { op: "wait for", object: path.display().to_string(), source };
    let lock = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    let (ended, wait) = mpsc::channel();
    thread::spawn(move || {
        let locked = lock.lock();
        // Whoever waits wants the lock itself.
        drop(lock);
        ended.send(locked)
    });
    let locked = wait.recv_timeout(END_TIMEOUT).map_err(|_| CliError::StillRunning { after: END_TIMEOUT })?;
    locked.map_err(failed)
}
