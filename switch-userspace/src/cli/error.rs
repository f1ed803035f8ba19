//! Everything a command can end with other than success, and how it is told: what failed, on which object, why, what stayed
//! as it was, and the next command.

use std::{io, time::Duration};

use thiserror::Error;

use super::{demo::DemoError, output::say, place::Place, style};
use crate::{
    api::{
        client::ClientError,
        types::{ErrorBody, ExitClass},
    },
    daemon::DaemonError,
    netns::{ErrorKind, NetnsError},
};

const NOTHING_CHANGED: &str = "nothing was changed";

/// Why a command did not succeed.
#[derive(Debug, Error)]
pub(super) enum CliError {
    /// The daemon refused, or could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Words that make no sense together.
    #[error("{why}")]
    Usage {
        /// The command.
        command: &'static str,
        /// What is wrong with its words.
        why: String,
    },
    /// The namespace of an endpoint cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// A program cannot be run.
    #[error("{source}")]
    Run {
        /// The program.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file or directory cannot be used.
    #[error("{source}")]
    File {
        /// What was tried.
        op: &'static str,
        /// The file.
        object: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A configuration file makes no sense.
    #[error("{source}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        source: toml::de::Error,
    },
    /// The daemon did not start, had to stop, or could not purge.
    #[error("{source}")]
    Daemon {
        /// What was tried.
        op: &'static str,
        /// Why it failed.
        source: Box<DaemonError>,
    },
    /// A daemon that was started in the background has ended again.
    #[error("the daemon ended before it was ready")]
    DaemonFailed {
        /// Its exit code.
        code: u8,
        /// Why, as it is to be printed; empty where it did not say.
        said: String,
    },
    /// A daemon that was told to stop has not ended.
    #[error("the daemon has not ended within {} s", after.as_secs())]
    StillRunning {
        /// How long the command waited.
        after: Duration,
    },
    /// The kernel lacks what wye needs.
    #[error("missing on kernel {kernel}: {}", missing.join(", "))]
    Kernel {
        /// Its release.
        kernel: String,
        /// The features.
        missing: Vec<&'static str>,
    },
    /// The demo stopped, or showed something that is not as it should be.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Some of several objects; the others are done.
    #[error("{} of several failed", .0.len())]
    Several(Vec<CliError>),
    /// Nothing can be written to stdout.
    #[error("{0}")]
    Output(io::Error),
}

impl CliError {
    /// Success where there are no errors.
    pub(super) fn unless_empty(errors: Vec<Self>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Several(errors)) }
    }

    /// Whether it says something of the object only, so that the next one may be tried.
    pub(super) fn is_about_object(&self) -> bool {
        matches!(self, Self::Client(ClientError::Refused(_)))
    }

    /// Prints the error and returns the exit code that goes with it.
    pub(super) fn report(&self, place: &Place) -> u8 {
        let (code, text) = self.told(place);
        say(text);
        code
    }

    /// The exit code, and the text as it is to be printed.
    pub(super) fn told(&self, place: &Place) -> (u8, String) {
        match self {
            Self::Several(errors) => {
                let both =
                    |(code, text): (u8, String), (_, more): (u8, String)| (code, format!("{text}\n{more}"));
                errors.iter().map(|error| error.told(place)).reduce(both).unwrap_or_default()
            }
            Self::DaemonFailed { code, said, .. } if !said.is_empty() => (*code, said.trim_end().to_owned()),
            Self::Run { source, .. } => (code_of_unrunnable(source), text_of(&self.body(place))),
            Self::Client(_)
            | Self::Usage { .. }
            | Self::Netns(_)
            | Self::File { .. }
            | Self::Config { .. }
            | Self::Kernel { .. }
            | Self::Daemon { .. }
            | Self::DaemonFailed { .. }
            | Self::StillRunning { .. }
            | Self::Demo(_)
            | Self::Output(_) => {
                let body = self.body(place);
                (body.code.exit_code(), text_of(&body))
            }
        }
    }

    fn body(&self, place: &Place) -> ErrorBody {
        let why = self.to_string();
        let told = |code, failed: &str, object: String, next: Option<String>| ErrorBody {
            code,
            failed: failed.to_owned(),
            object,
            why: why.clone(),
            unchanged: NOTHING_CHANGED.to_owned(),
            next,
        };
        match self {
            Self::Client(error) => client_body(error, place),
            Self::Usage { command, .. } => {
                told(ExitClass::Usage, command, String::new(), Some(format!("see `wye {command} --help`")))
            }
            Self::Netns(error) => told(class_of(error), "enter", "the endpoint's namespace".into(), None),
            Self::Run { program, .. } => told(ExitClass::Failed, "run", program.clone(), None),
            Self::File { op, object, source } => {
                told(class_of_io(source), op, object.clone(), root_hint(source))
            }
            Self::Config { file, .. } => told(ExitClass::Usage, "read", file.clone(), None),
            Self::Daemon { op, source } => daemon_body(op, source, place),
            Self::DaemonFailed { .. } => told(
                ExitClass::Failed,
                "start",
                format!("instance {}", place.instance),
                Some(format!("see {}", place.log().display())),
            ),
            Self::StillRunning { .. } => ErrorBody {
                unchanged: "it was told to stop".to_owned(),
                ..told(
                    ExitClass::Timeout,
                    "stop",
                    format!("instance {}", place.instance),
                    Some(format!("see {}", place.log().display())),
                )
            },
            Self::Kernel { .. } => ErrorBody {
                unchanged: String::new(),
                ..told(
                    ExitClass::Difference,
                    "check",
                    "this machine".into(),
                    Some("see the column FIX".into()),
                )
            },
            Self::Demo(error) => demo_body(error),
            Self::Output(_) => told(ExitClass::Failed, "write", "the output".into(), None),
            Self::Several(_) => told(ExitClass::Failed, "do", "everything".into(), None),
        }
    }
}

fn client_body(error: &ClientError, place: &Place) -> ErrorBody {
    let (code, next) = match error {
        ClientError::Refused(body) => return ErrorBody::clone(body),
        ClientError::NoSocket { .. } => {
            (ExitClass::Unreachable, format!("start it with `{}`", place.command("up")))
        }
        ClientError::NotListening { .. } => (
            ExitClass::Unreachable,
            format!(
                "start it again with `{}`; ports that it had are taken over as they are",
                place.command("up")
            ),
        ),
        ClientError::NotAllowed { .. } => (
            ExitClass::Permission,
            "run the command as root, or as a user who may write to the socket".into(),
        ),
        ClientError::Timeout { .. } => (ExitClass::Timeout, format!("see `{}`", place.command("status"))),
        ClientError::Connect { .. } | ClientError::Broken { .. } => {
            (ExitClass::Unreachable, format!("see {}", place.log().display()))
        }
        ClientError::Answer { .. } | ClientError::Foreign { .. } => {
            (ExitClass::Failed, format!("compare versions with `{}`", place.command("version")))
        }
        ClientError::Encode { .. }
        | ClientError::Query { .. }
        | ClientError::Request { .. }
        | ClientError::Runtime(_) => (ExitClass::Failed, format!("see `{}`", place.command("doctor"))),
    };
    let unchanged = match error {
        ClientError::Timeout { .. } | ClientError::Broken { .. } | ClientError::Answer { .. } => {
            "it is not known whether the request was carried out"
        }
        ClientError::Refused(_)
        | ClientError::NoSocket { .. }
        | ClientError::NotListening { .. }
        | ClientError::NotAllowed { .. }
        | ClientError::Connect { .. }
        | ClientError::Foreign { .. }
        | ClientError::Encode { .. }
        | ClientError::Query { .. }
        | ClientError::Request { .. }
        | ClientError::Runtime(_) => NOTHING_CHANGED,
    };
    ErrorBody {
        code,
        failed: "ask".to_owned(),
        object: format!("the daemon of instance {}", place.instance),
        why: error.to_string(),
        unchanged: unchanged.to_owned(),
        next: Some(next),
    }
}

fn daemon_body(op: &str, error: &DaemonError, place: &Place) -> ErrorBody {
    if let DaemonError::Control(body) = error {
        return body.clone();
    }
    let code = error.class();
    let next = match error {
        DaemonError::Running { .. } => format!("stop it with `{}`", place.command("down")),
        _ if code == ExitClass::Permission => "run the command as root".to_owned(),
        DaemonError::Io { .. }
        | DaemonError::Start(_)
        | DaemonError::Gone(_)
        | DaemonError::Datapath(_)
        | DaemonError::Netns(_)
        | DaemonError::Store(_)
        | DaemonError::Control(_) => {
            format!("see what this machine offers with `{}`", place.command("doctor"))
        }
    };
    ErrorBody {
        code,
        failed: op.to_owned(),
        object: format!("instance {}", place.instance),
        why: error.to_string(),
        unchanged: NOTHING_CHANGED.to_owned(),
        next: Some(next),
    }
}

fn demo_body(error: &DemoError) -> ErrorBody {
    let (code, next) = match error {
        DemoError::Missing(_) => (
            ExitClass::Failed,
            "install them (Debian: iproute2 iperf3 iputils-ping socat coreutils mount)".to_owned(),
        ),
        DemoError::Leftovers(_) => {
            (ExitClass::Conflict, "end the other demo, or remove them with `ip netns delete NAME`".to_owned())
        }
        DemoError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            (ExitClass::Permission, "run the demo as root".to_owned())
        }
        DemoError::Netns(error) => (class_of(error), "see `wye doctor`".to_owned()),
        DemoError::Io { .. }
        | DemoError::Command { .. }
        | DemoError::Report { .. }
        | DemoError::Teardown(_)
        | DemoError::Output(_)
        | DemoError::Interrupted
        | DemoError::Unexpected(_) => (ExitClass::Failed, "see `wye doctor`".to_owned()),
    };
    ErrorBody {
        code,
        failed: "show".to_owned(),
        object: "the demo".to_owned(),
        why: error.to_string(),
        unchanged: "the machine's own interfaces were not touched".to_owned(),
        next: Some(next),
    }
}

/// An error in full: the first line alone says what is wrong.
fn text_of(body: &ErrorBody) -> String {
    let object = if body.object.is_empty() { String::new() } else { format!(" {}", body.object) };
    let mut text = format!(
        "{} {}{object}: {}",
        style::error("error:"),
        body.failed,
        without_numbers(body.why.trim_end())
    );
    for more in
        [Some(&body.unchanged), body.next.as_ref()].into_iter().flatten().filter(|more| !more.is_empty())
    {
        text += &format!("\n  {}", without_numbers(more));
    }
    text
}

/// Takes the number away that Rust puts behind the system's words: `Operation not permitted (os error 1)`.
pub(super) fn without_numbers(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        words.push_str(before);
        rest = after.trim_start_matches(|character: char| character.is_ascii_digit());
        rest = rest.strip_prefix(')').unwrap_or(rest);
    }
    words + rest
}

fn class_of(error: &NetnsError) -> ExitClass {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NoDevice => ExitClass::NotFound,
        ErrorKind::Exists | ErrorKind::IndexTaken | ErrorKind::Busy => ExitClass::Conflict,
        ErrorKind::Permission => ExitClass::Permission,
        ErrorKind::Invalid => ExitClass::Usage,
        ErrorKind::Unsupported | ErrorKind::Other => ExitClass::Failed,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has many reasons; these have an exit code of their own"
)]
fn class_of_io(error: &io::Error) -> ExitClass {
    match error.kind() {
        io::ErrorKind::NotFound => ExitClass::NotFound,
        io::ErrorKind::AlreadyExists => ExitClass::Conflict,
        io::ErrorKind::PermissionDenied => ExitClass::Permission,
        _ => ExitClass::Failed,
    }
}

fn root_hint(error: &io::Error) -> Option<String> {
    (error.kind() == io::ErrorKind::PermissionDenied).then(|| "run the command as root".to_owned())
}

/// What env(1), timeout(1) and docker exit with where they cannot run the command that they were given.
fn code_of_unrunnable(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_kept_and_its_numbers_are_not() {
        assert_eq!(
            without_numbers("a: No such device (os error 19); b: Busy (os error 16)"),
            "a: No such device; b: Busy"
        );
        assert_eq!(without_numbers("nothing to do"), "nothing to do");
    }
}
