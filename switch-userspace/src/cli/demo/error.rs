//! Why the demo can stop, and how that is told.

use std::io;

use thiserror::Error;

use crate::{
    api::types::{ErrorBody, ExitClass},
    class,
    cli::error::CliError,
    netns::{NetnsError, TeardownErrors},
};

/// Why the demo could not go on, or did not end as it should.
#[derive(Debug, Error)]
pub(in crate::cli) enum DemoError {
    /// Programs that the demo runs are not installed.
    #[error("not installed: {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// The namespaces of an earlier demo are there.
    #[error("namespaces of another demo are here: {}", .0.join(", "))]
    Leftovers(Vec<String>),
    /// A command did not succeed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// A program's report is not what it should be.
    #[error("the report of {program} has no {what}")]
    Report {
        /// The program.
        program: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The system refused.
    #[error("{op} {object}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        object: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Interfaces or namespaces could not be looked at.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Not everything could be removed.
    #[error(transparent)]
    Teardown(#[from] TeardownErrors),
    /// Nothing could be printed.
    #[error(transparent)]
    Output(#[from] Box<CliError>),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Something was not as it should be.
    #[error("{0} of the expectations did not hold; they are marked FAILED")]
    Unexpected(usize),
}

impl From<CliError> for DemoError {
    fn from(error: CliError) -> Self {
        Self::Output(Box::new(error))
    }
}

impl DemoError {
    /// The error as it is told.
    pub(in crate::cli) fn body(&self) -> ErrorBody {
        let (code, next) = match self {
            Self::Missing(_) => (
                ExitClass::Failed,
                Some("install them (Debian: iproute2 iperf3 iputils-ping socat coreutils mount)"),
            ),
            Self::Leftovers(_) => {
                (ExitClass::Conflict, Some("end the other demo, or remove them with `ip netns delete NAME`"))
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                (ExitClass::Permission, Some("run the demo as root"))
            }
            Self::Netns(error) => (class::of_netns(error), None),
            Self::Io { .. }
            | Self::Command { .. }
            | Self::Report { .. }
            | Self::Teardown(_)
            | Self::Output(_)
            | Self::Interrupted
            | Self::Unexpected(_) => (ExitClass::Failed, None),
        };
        ErrorBody {
            code,
            failed: "show".to_owned(),
            object: "the demo".to_owned(),
            why: self.to_string(),
            unchanged: "the machine's own interfaces were not touched".to_owned(),
            next: next.map(str::to_owned),
        }
    }
}
