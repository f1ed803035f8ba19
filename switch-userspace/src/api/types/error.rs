//! How every failure is told.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failure, which is the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitClass {
    /// It did not work.
    Failed,
    /// The request makes no sense.
    Usage,
    /// What it names is not there.
    NotFound,
    /// What it asks for collides with what is there.
    Conflict,
    /// No daemon answers.
    Unreachable,
    /// The caller, or the daemon, may not do it.
    Permission,
    /// It took too long.
    Timeout,
    /// A check or comparison found differences.
    Difference,
}

impl ExitClass {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 5,
            Self::Permission => 6,
            Self::Timeout => 7,
            Self::Difference => 8,
        }
    }

    /// The HTTP status that an answer of this class has.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Failed | Self::Difference => 500,
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unreachable => 503,
            Self::Permission => 403,
            Self::Timeout => 504,
        }
    }
}

/// The body of every answer that is no success. Each part is a phrase without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The class of the failure.
    pub code: ExitClass,
    /// What was tried: `create network`.
    pub failed: String,
    /// On what: `blue`; empty where the operation has no object.
    pub object: String,
    /// Why it did not work: `subnet 10.1.0.0/24 overlaps 10.1.0.0/16 of network red`.
    pub why: String,
    /// What stayed as it was: `nothing was changed`.
    pub unchanged: String,
    /// What to do next, where there is something: `use --subnet 10.2.0.0/24, which is free`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failed)?;
        if !self.object.is_empty() {
            write!(f, " {}", self.object)?;
        }
        write!(f, ": {}; {}", self.why, self.unchanged)?;
        if let Some(next) = &self.next {
            write!(f, "; {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ErrorBody {}
