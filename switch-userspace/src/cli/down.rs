//! `wye down`: stops the daemon and waits until it is gone.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

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
    let end = End::of(&settings.run_dir)?;
    match place.client()?.post::<Stopped>(routes::STOP, &Stop { purge: args.purge }) {
        Ok(Stopped { .. }) => end.wait()?,
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. } | ClientError::Broken { .. })
            if args.purge =>
        {
            // One that was killed just now may still hold its lock.
            end.wait()?;
            daemon::purge(&settings)
                .map_err(|source| CliError::Daemon { op: "purge", source: Box::new(source) })?;
        }
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. }) => {
            say(format!("no daemon of instance {instance} runs"));
            return Ok(());
        }
        Err(ClientError::Broken { .. }) => end.wait()?,
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

/// The end of a daemon, which holds its lock for as long as it lives.
struct End {
    path: PathBuf,
    /// Opened while the daemon lived: a purge takes the file away. Nothing where there was none.
    lock: Option<File>,
}

impl End {
    /// Has an eye on the daemon that runs at present.
    fn of(run_dir: &Path) -> Result<Self, CliError> {
        let path = run_dir.join(run_dir::LOCK_NAME);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, lock: None }),
            Err(source) => Err(failed(&path, source)),
            Ok(lock) => Ok(Self { path, lock: Some(lock) }),
        }
    }

    fn wait(self) -> Result<(), CliError> {
        let Some(lock) = self.lock else { return Ok(()) };
        let (ended, wait) = mpsc::channel();
        thread::spawn(move || {
            let locked = lock.lock();
            // Whoever waits wants the lock itself.
            drop(lock);
            ended.send(locked)
        });
        let locked =
            wait.recv_timeout(END_TIMEOUT).map_err(|_| CliError::StillRunning { after: END_TIMEOUT })?;
        locked.map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: io::Error) -> CliError {
    CliError::File { op: "wait for", object: path.display().to_string(), source }
}
