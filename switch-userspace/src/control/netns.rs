//! Endpoints' network namespaces: opened, made, removed.

use std::path::Path;

use super::{error::ControlError, kernel::Kernel, plug::failure};
use crate::{
    model::{EndpointNetns, Model},
    netns::{
        ErrorKind, LinkSettings, Netlink, Netns, NetnsError, NetnsId, TeardownFailure, Undo, named_path,
    },
    run_dir,
};

impl Kernel {
    /// Opens a namespace that exists: a path where it has a `/`, otherwise a name. The daemon's own is refused.
    pub(super) fn open_netns(&self, text: &str) -> Result<(Netns, EndpointNetns), ControlError> {
        let netns = Netns::open(text).map_err(|error| {
            let missing = ControlError::NoNetns { label: text.to_owned() };
            if error.kind() == ErrorKind::NotFound { missing } else { error.into() }
        })?;
        netns.refuse_host(&self.own)?;
        let path = if text.contains('/') { Path::new(text).to_path_buf() } else { named_path(text)? };
        let id = netns.id();
        Ok((netns, EndpointNetns { path, owned: false, dev: id.dev, ino: id.ino }))
    }

    /// Makes a namespace called `name` for an endpoint that owns it, with its loopback interface up. Until the endpoint is in
    /// the state, the run directory says whose it is.
    pub(super) fn create_netns<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        name: String,
        run_dir: &Path,
    ) -> Result<(Netns, EndpointNetns), ControlError> {
        let netns = Netns::anonymous()?;
        let NetnsId { dev, ino } = netns.id();
        let place = EndpointNetns { path: named_path(&name)?, owned: true, dev, ino };
        run_dir::begin_netns(run_dir, &place)
            .map_err(|source| NetnsError::system("note a namespace in", run_dir.display(), source))?;
        let netns = netns.into_named(&name).map_err(|error| {
            let taken = ControlError::NetnsExists { name: name.clone() };
            if error.kind() == ErrorKind::Exists { taken } else { error.into() }
        })?;
        undo.push(format!("delete namespace {name}"), move || Netns::delete_named(&name));
        let netlink = Netlink::open_in(&netns)?;
        let loopback = netlink.link_by_name("lo")?;
        netlink.set_link(loopback.index, &LinkSettings { up: Some(true), ..LinkSettings::default() })?;
        Ok((netns, place))
    }
}

/// Removes the namespace that a daemon was making for an endpoint when it was killed, unless an endpoint of the model has it.
pub(super) fn remove_unfinished(run_dir: &Path, model: &Model) -> Option<TeardownFailure> {
    let netns = run_dir::unfinished_netns(run_dir)?;
    let is_used = model.endpoints.values().any(|endpoint| endpoint.netns.id() == netns.id());
    if is_used {
        run_dir::keep_netns(run_dir, &netns);
        return None;
    }
    let failed = remove_owned(&netns);
    if failed.is_none() {
        run_dir::end_netns(run_dir);
    }
    failed
}

/// Opens the namespace of an endpoint, if it is still that one.
pub(super) fn reopen(netns: &EndpointNetns) -> Result<Netns, ControlError> {
    let gone = || ControlError::NetnsGone { label: netns.path.display().to_string() };
    match Netns::open_path(&netns.path) {
        Ok(open) if open.id() == netns.id() => Ok(open),
        Ok(_) => Err(gone()),
        Err(error) if is_gone(&error) => Err(gone()),
        Err(error) => Err(error.into()),
    }
}

/// Removes the namespace of an endpoint where the endpoint owns it. One that is gone is no failure.
pub(super) fn remove_owned(netns: &EndpointNetns) -> Option<TeardownFailure> {
    if !netns.owned {
        return None;
    }
    let name = netns.path.file_name().unwrap_or_default().to_string_lossy();
    let removed = match reopen(netns) {
        Ok(_) => Netns::delete_named(&name).map_err(ControlError::from),
        Err(ControlError::NetnsGone { .. }) => Ok(()),
        Err(error) => Err(error),
    };
    failure(format!("delete namespace {name}"), removed)
}

/// A file that is no namespace is what is left of a name whose mount is gone.
fn is_gone(error: &NetnsError) -> bool {
    matches!(error, NetnsError::NotANamespace { .. }) || error.kind() == ErrorKind::NotFound
}
