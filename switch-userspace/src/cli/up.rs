//! `wye up`: starts the daemon in the background and returns when it is ready.

use std::{
    env,
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    daemon::{BEATEN, READY},
    error::CliError,
    output::say,
    place::Place,
    style,
    wishes::{Chosen, Wishes},
};
use crate::{
    api::{
        client::ClientError,
        routes,
        types::{ExitClass, Status},
    },
    daemon::DaemonError,
    datapath::Mode,
    dirs, sys,
};

const EXAMPLES: &str = "\
Examples:
  wye up
  wye up --datapath userspace
  wye up --instance lab --state-dir /tmp/lab";

/// Start the daemon in the background; returns when it is ready.
///
/// What the daemon has to say goes to the file wye.log beside its socket.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct UpArgs {
    #[command(flatten)]
    wishes: Wishes,
}

/// How long a daemon may take until it is ready: one with thousands of ports takes some seconds.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How long to wait before another try where somebody else's daemon starts or ends just now.
const RETRY: Duration = Duration::from_millis(100);

/// What came of a start.
enum Started {
    Ready {
        pid: u32,
    },
    /// Another daemon has the instance's lock.
    Beaten,
}

pub(super) fn run(args: &UpArgs, place: &Place) -> Result<(), CliError> {
    let chosen = args.wishes.choose(place)?;
    let begun = Instant::now();
    loop {
        if let Some(status) = ask(place)? {
            refuse_other_datapath(args, &status)?;
            say(format!("instance {} runs already, pid {}", status.instance, status.pid));
            warn(&status);
            return Ok(());
        }
        if let Started::Ready { pid } = start(&chosen, place)? {
            say(format!("instance {} is ready, pid {pid}", place.instance));
            ask(place)?.iter().for_each(warn);
            return Ok(());
        }
        if begun.elapsed() > START_TIMEOUT {
            return Err(CliError::NotReady { after: START_TIMEOUT });
        }
        thread::sleep(RETRY);
    }
}

/// A daemon that runs does not change its datapath.
fn refuse_other_datapath(args: &UpArgs, status: &Status) -> Result<(), CliError> {
    let running = [Mode::Ebpf, Mode::Userspace].into_iter().find(|mode| mode.word() == status.mode);
    match (args.wishes.datapath(), running) {
        (Some(wanted), Some(mode)) if wanted != mode => {
            let source = Box::new(DaemonError::OtherMode { instance: status.instance.clone(), mode });
            Err(CliError::Daemon { op: "start", source })
        }
        _ => Ok(()),
    }
}

/// The status that a daemon answers with; nothing where none runs.
fn ask(place: &Place) -> Result<Option<Status>, CliError> {
    match place.client()?.get::<Status>(routes::STATUS) {
        Ok(status) => Ok(Some(status)),
        Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. } | ClientError::Broken { .. }) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says what the daemon found to be wrong.
fn warn(status: &Status) {
    for warning in &status.warnings {
        say(format!("{} {warning}", style::error("warning:")));
    }
}

fn start(chosen: &Chosen, place: &Place) -> Result<Started, CliError> {
    let mut child = spawn(chosen, place)?;
    let said = listen(&mut child, START_TIMEOUT)?;
    if said == READY {
        return Ok(Started::Ready { pid: child.id() });
    }
    let status = child.wait().map_err(|source| failed("wait for", source))?;
    if said == BEATEN {
        return Ok(Started::Beaten);
    }
    let code =
        status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(ExitClass::Failed.exit_code());
    Err(CliError::DaemonFailed { code, said })
}

fn spawn(chosen: &Chosen, place: &Place) -> Result<Child, CliError> {
    let log = open_log(place).map_err(|source| CliError::File {
        op: "open",
        object: place.log().display().to_string(),
        source,
    })?;
    // The daemon outlives whoever called, and has no business with what they have open.
    sys::process::keep_descriptors().map_err(|source| failed("keep descriptors from", source))?;
    let wye = env::current_exe().map_err(|source| failed("find the program of", source))?;
    Command::new(wye)
        .args(["daemon", "--detached"])
        .args(chosen.arguments())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|source| failed("start", source))
}

fn open_log(place: &Place) -> io::Result<File> {
    dirs::make(&place.dir())?;
    File::options().append(true).create(true).mode(0o600).open(place.log())
}

/// What the daemon says up to the moment when it is ready, or ends.
fn listen(child: &mut Child, patience: Duration) -> Result<String, CliError> {
    let Some(pipe) = child.stdout.take() else { return Ok(String::new()) };
    let (heard, wait) = mpsc::channel();
    // Where the daemon says nothing in time, the thread ends with the process.
    thread::spawn(move || heard.send(read_word(pipe)));
    let said = wait.recv_timeout(patience).map_err(|_| CliError::NotReady { after: patience })?;
    said.map_err(|source| failed("hear from", source))
}

fn read_word(mut pipe: impl Read) -> io::Result<String> {
    let mut said = Vec::new();
    let mut part = [0; 4_096];
    while said != READY.as_bytes() {
        match pipe.read(&mut part)? {
            0 => break,
            length => said.extend_from_slice(&part[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn failed(op: &'static str, source: io::Error) -> CliError {
    CliError::File { op, object: "the daemon".to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_says_nothing_is_not_waited_for_without_end() {
        let mut silent =
            Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().expect("sleep can be started");
        let patience = Duration::from_millis(20);
        let heard = listen(&mut silent, patience);
        silent.kill().expect("it was running");
        silent.wait().expect("it ends");
        assert!(matches!(heard, Err(CliError::NotReady { after }) if after == patience), "{heard:?}");
    }
}
