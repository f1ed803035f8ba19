//! Which class, and so which exit code, a failure of the lower layers has: the one place that sorts them.

use std::io;

use crate::{
    api::types::ExitClass,
    datapath::DatapathError,
    netns::{ErrorKind, NetnsError},
    store::StoreError,
};

/// A system call that the caller named no object for.
#[must_use]
pub(crate) fn of_system(error: &io::Error) -> ExitClass {
    if error.kind() == io::ErrorKind::PermissionDenied { ExitClass::Permission } else { ExitClass::Failed }
}

/// A system call on a file that the caller named.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has many reasons; these have an exit code of their own"
)]
pub(crate) fn of_file(error: &io::Error) -> ExitClass {
    match error.kind() {
        io::ErrorKind::NotFound => ExitClass::NotFound,
        io::ErrorKind::AlreadyExists => ExitClass::Conflict,
        _ => of_system(error),
    }
}

/// The plumbing.
#[must_use]
pub(crate) fn of_netns(error: &NetnsError) -> ExitClass {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NoDevice => ExitClass::NotFound,
        ErrorKind::Exists | ErrorKind::IndexTaken | ErrorKind::Busy => ExitClass::Conflict,
        ErrorKind::Permission => ExitClass::Permission,
        ErrorKind::Invalid => ExitClass::Usage,
        ErrorKind::Unsupported | ErrorKind::Other => ExitClass::Failed,
    }
}

/// The datapath.
#[must_use]
pub(crate) fn of_datapath(error: &DatapathError) -> ExitClass {
    match error {
        DatapathError::Netns(error) => of_netns(error),
        DatapathError::ForeignPin { .. } | DatapathError::IndexTaken { .. } => ExitClass::Conflict,
        error if error.is_permission() => ExitClass::Permission,
        DatapathError::NoObject
        | DatapathError::Load { .. }
        | DatapathError::Program { .. }
        | DatapathError::Missing { .. }
        | DatapathError::Map { .. }
        | DatapathError::Unsupported { .. }
        | DatapathError::Full { .. }
        | DatapathError::Pin { .. }
        | DatapathError::Link { .. }
        | DatapathError::Io { .. }
        | DatapathError::IndexTooHigh { .. } => ExitClass::Failed,
    }
}

/// The store.
#[must_use]
pub(crate) fn of_store(error: &StoreError) -> ExitClass {
    match error {
        StoreError::Io { source, .. } => of_system(source),
        StoreError::Encode(_) => ExitClass::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_same_class_whoever_tells_of_it() {
        use crate::{control::ControlError, daemon::DaemonError};
        let foreign =
            || DatapathError::ForeignPin { path: "/sys/fs/bpf/x".into(), difference: String::new() };
        assert_eq!(DaemonError::from(foreign()).class(), ExitClass::Conflict);
        assert_eq!(ControlError::from(foreign()).told("", "").code, ExitClass::Conflict);
        let no_device = || NetnsError::system("find", "eth9", io::Error::from_raw_os_error(libc::ENODEV));
        assert_eq!(DaemonError::from(no_device()).class(), ExitClass::NotFound);
        assert_eq!(ControlError::from(no_device()).told("", "").code, ExitClass::NotFound);
    }
}
