//! Links: attaching a program to an interface so that it stays attached without this process.

use std::{fs, io, path::Path};

use aya::programs::{
    LinkOrder, SchedClassifier, TcAttachType,
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
    let id = program.attach_with_options(interface, hook, options).map_err(program_error(name))?;
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
