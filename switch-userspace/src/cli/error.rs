//! Everything a command can end with other than success, and how it is printed.

use std::{io, time::Duration};

use thiserror::Error;

use super::{advice::body, demo::DemoError, output::say, place::Place, style};
use crate::{
    api::{client::ClientError, types::ErrorBody},
    daemon::DaemonError,
    netns::NetnsError,
};

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
    /// Another namespace is where an endpoint's was.
    #[error("its network namespace is gone, and {path} is another one")]
    OtherNetns {
        /// The endpoint.
        endpoint: String,
        /// The file.
        path: String,
    },
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
    /// A daemon that was started has not become ready.
    #[error("the daemon is not ready after {} s", after.as_secs())]
    NotReady {
        /// How long the command waited.
        after: Duration,
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
    #[error("{} of several failed", errors.len())]
    Several {
        /// What became of them.
        errors: Vec<CliError>,
        /// The names of what was removed.
        removed: Vec<String>,
    },
    /// Nothing can be written to stdout.
    #[error("{0}")]
    Output(io::Error),
}

impl CliError {
    /// Success where there are no errors.
    pub(super) fn unless_empty(errors: Vec<Self>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Several { errors, removed: Vec::new() }) }
    }

    /// The same error of a command that has removed other objects.
    pub(super) fn beside(mut self, names: Vec<String>) -> Self {
        if let Self::Several { removed, .. } = &mut self {
            *removed = names;
        }
        self
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

    /// As [`told`](Self::told), where other objects were removed by the same command.
    fn told_beside(&self, removed: &[String], place: &Place) -> (u8, String) {
        if removed.is_empty() || !self.is_about_object() {
            return self.told(place);
        }
        let body = ErrorBody { unchanged: format!("removed: {}", removed.join(", ")), ..body(self, place) };
        (body.code.exit_code(), text_of(&body))
    }

    /// The exit code, and the text as it is to be printed.
    pub(super) fn told(&self, place: &Place) -> (u8, String) {
        match self {
            Self::Several { errors, removed } => {
                let both =
                    |(code, text): (u8, String), (_, more): (u8, String)| (code, format!("{text}\n{more}"));
                let told = errors.iter().map(|error| error.told_beside(removed, place));
                told.reduce(both).unwrap_or_default()
            }
            Self::DaemonFailed { code, said, .. } if !said.is_empty() => (*code, said.trim_end().to_owned()),
            Self::Run { source, .. } => (code_of_unrunnable(source), text_of(&body(self, place))),
            Self::Client(_)
            | Self::Usage { .. }
            | Self::Netns(_)
            | Self::OtherNetns { .. }
            | Self::File { .. }
            | Self::Config { .. }
            | Self::Kernel { .. }
            | Self::Daemon { .. }
            | Self::DaemonFailed { .. }
            | Self::NotReady { .. }
            | Self::StillRunning { .. }
            | Self::Demo(_)
            | Self::Output(_) => {
                let body = body(self, place);
                (body.code.exit_code(), text_of(&body))
            }
        }
    }
}

/// A text without control characters but line ends: it may repeat what a terminal would obey.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// An error in full: the first line alone says what is wrong.
fn text_of(body: &ErrorBody) -> String {
    let object = if body.object.is_empty() { String::new() } else { format!(" {}", body.object) };
    let object = printable(&object).replace('\n', "\\n");
    let why = printable(&without_numbers(body.why.trim_end()));
    let mut text = format!("{} {}{object}: {why}", style::error("error:"), body.failed);
    for more in
        [Some(&body.unchanged), body.next.as_ref()].into_iter().flatten().filter(|more| !more.is_empty())
    {
        text += &format!("\n  {}", printable(&without_numbers(more)));
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

/// What env(1), timeout(1) and docker exit with where they cannot run the command that they were given.
fn code_of_unrunnable(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("a\u{1b}[31m\tb\nc"), "a\\u{1b}[31m\\tb\nc");
    }

    #[test]
    fn the_systems_words_are_kept_and_its_numbers_are_not() {
        assert_eq!(
            without_numbers("a: No such device (os error 19); b: Busy (os error 16)"),
            "a: No such device; b: Busy"
        );
        assert_eq!(without_numbers("nothing to do"), "nothing to do");
    }
}
