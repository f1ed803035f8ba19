//! `wye down`: stops the daemon and waits until it is gone.

use std::{fs::File, io, path::Path, sync::mpsc, thread, time::Duration};

use clap::Args;

use super::{error::CliError, output::say, place::Place, wishes::DirWishes};
use crate::{
    api::{
        client::ClientError,
        routes,
        types::{Stop, Stopped},
    },
    daemon,
    datapath::Mode,
    run_dir,
};

const EXAMPLES: &str = "\
Examples:
  wye down
  wye down --purge";

/// Stop the daemon. Traffic of the ebpf datapath goes on, unless everything is purged; the userspace datapath rests.
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
    let settings = args.dirs.choose_started(place)?.settings();
    match place.client()?.post::<Stopped>(routes::STOP, &Stop { purge: args.purge }) {
        Ok(Stopped { .. }) => wait_for_end(&settings.run_dir)?,
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. } | ClientError::Broken { .. })
            if args.purge =>
        {
            // One that was killed just now may still hold its lock.
            wait_for_end(&settings.run_dir)?;
            daemon::purge(&settings)
                .map_err(|source| CliError::Daemon { op: "purge", source: Box::new(source) })?;
        }
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. }) => {
            say(format!("no daemon of instance {instance} runs"));
            return Ok(());
        }
        Err(ClientError::Broken { .. }) => wait_for_end(&settings.run_dir)?,
        Err(error) => return Err(error.into()),
    }
    if args.purge {
        say(format!("instance {instance} is gone with everything it had"));
    } else {
        let traffic = match settings.mode {
            Mode::Ebpf => "its traffic goes on",
            Mode::Userspace => "no traffic passes until the next start",
        };
        say(format!("instance {instance} has stopped; {traffic}"));
    }
    Ok(())
}

/// The daemon holds its lock for as long as it lives.
fn wait_for_end(run_dir: &Path) -> Result<(), CliError> {
    let path = run_dir.join(run_dir::LOCK_NAME);
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
