//! Links: attaching a program to an interface so that it stays attached without this process.

use std::{fs, io, path::Path};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType,
    links::{FdLink, LinkError},
    tc::TcAttachOptions,
};

use super::{object::program_error, pins::io_error};
use crate::datapath::DatapathError;

/// Attaches at tcx and pins the link.
///
/// # Errors
/// The kernel refuses; then nothing is attached.
pub(super) fn attach(
    program: &mut SchedClassifier,
    name: &'static str,
    interface: &str,
    hook: TcAttachType,
    pin: &Path,
) -> Result<(), DatapathError> {
    unpin(pin)?;
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let id = program
        .attach_with_options(interface, hook, options)
        .map_err(|error| if is_unknown_hook(&error) { no_tcx() } else { program_error(name)(error) })?;
    let link = program.take_link(id).map_err(program_error(name))?;
    let link: FdLink = link.try_into().map_err(link_error(pin))?;
    link.pin(pin)
        .map(drop)
        .map_err(|source| DatapathError::Pin { path: pin.to_path_buf(), source: Box::new(source) })
}

/// Removes a link's pin, and with it the link. A pin that is gone already is no error.
///
/// # Errors
/// The pin cannot be removed.
pub(super) fn unpin(pin: &Path) -> Result<(), DatapathError> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", pin)(error)),
        _ => Ok(()),
    }
}

/// A link operation that failed.
pub(super) fn link_error(pin: &Path) -> impl Fn(LinkError) -> DatapathError + '_ {
    move |source| DatapathError::Link { path: pin.to_path_buf(), source: Box::new(source) }
}

/// Kernels that do not know a kind of link call its number invalid.
fn is_unknown_hook(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(failed) if failed.io_error.raw_os_error() == Some(libc::EINVAL))
}

fn no_tcx() -> DatapathError {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    DatapathError::Unsupported { feature: "tcx hook", needs: "6.6", release: release.trim_end().to_owned() }
}
