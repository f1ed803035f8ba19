//! Endpoints' network namespaces: opened, made, removed.

use std::path::Path;

use super::{error::ControlError, kernel::Kernel, plug::failure};
use crate::{
    model::{EndpointName, EndpointNetns},
    netns::{ErrorKind, LinkSettings, Netlink, Netns, NetnsError, TeardownFailure, Undo, named_path},
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

    /// Makes the namespace of an endpoint that owns it, with its loopback interface up.
    pub(super) fn create_netns<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        name: &EndpointName,
    ) -> Result<(Netns, EndpointNetns), ControlError> {
        let netns = Netns::create_named(name.as_str()).map_err(|error| {
            let taken = ControlError::NetnsExists { name: name.to_string() };
            if error.kind() == ErrorKind::Exists { taken } else { error.into() }
        })?;
        let owned = name.clone();
        undo.push(format!("delete namespace {name}"), move || Netns::delete_named(owned.as_str()));
        let netlink = Netlink::open_in(&netns)?;
        let loopback = netlink.link_by_name("lo")?;
        netlink.set_link(loopback.index, &LinkSettings { up: Some(true), ..LinkSettings::default() })?;
        let id = netns.id();
        let path = named_path(name.as_str())?;
        Ok((netns, EndpointNetns { path, owned: true, dev: id.dev, ino: id.ino }))
    }
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
pub(super) fn remove_owned(name: &EndpointName, netns: &EndpointNetns) -> Option<TeardownFailure> {
    if !netns.owned {
        return None;
    }
    let removed = match reopen(netns) {
        Ok(_) => Netns::delete_named(name.as_str()).map_err(ControlError::from),
        Err(ControlError::NetnsGone { .. }) => Ok(()),
        Err(error) => Err(error),
    };
    failure(format!("delete namespace {name}"), removed)
}

/// A file that is no namespace is what is left of a name whose mount is gone.
fn is_gone(error: &NetnsError) -> bool {
    matches!(error, NetnsError::NotANamespace { .. }) || error.kind() == ErrorKind::NotFound
}
