//! What is told of an error beside itself: its class, what stayed as it was, and what to do next.

use std::io;

use super::{error::CliError, place::Place};
use crate::{
    api::{
        client::ClientError,
        types::{ErrorBody, ExitClass},
    },
    class,
    daemon::DaemonError,
};

const NOTHING_CHANGED: &str = "nothing was changed";

/// What is told of an error: what failed, on which object, why, what stayed as it was, and the next command.
pub(super) fn body(error: &CliError, place: &Place) -> ErrorBody {
    let why = error.to_string();
    let told = |code, failed: &str, object: String, next: Option<String>| ErrorBody {
        code,
        failed: failed.to_owned(),
        object,
        why: why.clone(),
        unchanged: NOTHING_CHANGED.to_owned(),
        next,
    };
    match error {
        CliError::Client(error) => client_body(error, place),
        CliError::Usage { command, .. } => {
            told(ExitClass::Usage, command, String::new(), Some(format!("see `wye {command} --help`")))
        }
        CliError::Netns(error) => {
            told(class::of_netns(error), "enter", "the endpoint's namespace".into(), None)
        }
        CliError::OtherNetns { endpoint, .. } => told(
            ExitClass::Conflict,
            "enter endpoint",
            endpoint.clone(),
            Some(format!(
                "remove it with `{}` and add it anew",
                place.command(&format!("endpoint rm {endpoint}"))
            )),
        ),
        CliError::Run { program, .. } => told(ExitClass::Failed, "run", program.clone(), None),
        CliError::File { op, object, source } => {
            told(class::of_file(source), op, object.clone(), root_hint(source))
        }
        CliError::Config { file, .. } => told(ExitClass::Usage, "read", file.clone(), None),
        CliError::Daemon { op, source } => daemon_body(op, source, place),
        CliError::DaemonFailed { .. } => told(
            ExitClass::Failed,
            "start",
            format!("instance {}", place.instance),
            Some(format!("see {}", place.log().display())),
        ),
        CliError::NotReady { .. } => ErrorBody {
            unchanged: "it goes on starting".to_owned(),
            ..told(
                ExitClass::Timeout,
                "start",
                format!("instance {}", place.instance),
                Some(format!("see {}", place.log().display())),
            )
        },
        CliError::StillRunning { .. } => ErrorBody {
            unchanged: "it was told to stop".to_owned(),
            ..told(
                ExitClass::Timeout,
                "stop",
                format!("instance {}", place.instance),
                Some(format!("see {}", place.log().display())),
            )
        },
        CliError::Kernel { .. } => ErrorBody {
            unchanged: String::new(),
            ..told(ExitClass::Difference, "check", "this machine".into(), Some("see the column FIX".into()))
        },
        CliError::Demo(error) => error.body(),
        CliError::Output(_) => told(ExitClass::Failed, "write", "the output".into(), None),
        CliError::Several { .. } => told(ExitClass::Failed, "do", "everything".into(), None),
    }
}

fn client_body(error: &ClientError, place: &Place) -> ErrorBody {
    let (code, next) = match error {
        ClientError::Refused(body) => return on_lines_of_their_own(body),
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
        ClientError::Connect { source, .. } if is_no_place(source) => (
            ExitClass::Usage,
            "name a directory for sockets with --run-dir, its path not much longer than 80 bytes".into(),
        ),
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
        DaemonError::OtherMode { mode, .. } => format!(
            "go on with it by `{}`, or remove it by `{}`",
            place.command(&format!("up --datapath {mode}")),
            place.command("down --purge")
        ),
        _ if code == ExitClass::Permission => "run the command as root".to_owned(),
        DaemonError::Io { .. }
        | DaemonError::Privilege { .. }
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

/// Whether no socket can be where it was looked for: below a file, or at the end of too long a path.
fn is_no_place(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory};
    matches!(error.kind(), NotADirectory | InvalidInput | InvalidFilename)
}

/// What the daemon says, without line ends from names that it repeats.
fn on_lines_of_their_own(body: &ErrorBody) -> ErrorBody {
    let flat = |text: &str| text.replace('\n', "\\n");
    ErrorBody {
        code: body.code,
        failed: flat(&body.failed),
        object: flat(&body.object),
        why: flat(&body.why),
        unchanged: flat(&body.unchanged),
        next: body.next.as_deref().map(flat),
    }
}

fn root_hint(error: &io::Error) -> Option<String> {
    (error.kind() == io::ErrorKind::PermissionDenied).then(|| "run the command as root".to_owned())
}
