//! The relay pair: a veth pair that long floods take between chunks (`switch-ebpf/src/flood.rs` says why).

use aya::programs::{SchedClassifier, TcAttachType};
use switch_common::abi::{addr::PortId, names::PROG_FLOOD_RESUME};

use super::{attach, pins::Pins};
use crate::{
    datapath::DatapathError,
    netns::{ErrorKind, Family, IfName, LinkSettings, Netlink, NetnsError, Sysctl},
};

/// Larger than any frame, so that every frame that a port takes fits through.
const RELAY_MTU: u32 = 65_535;

/// Makes the pair where it is missing, attaches the program at its far end, and returns its near end.
///
/// # Errors
/// The pair could not be made or attached; then it was removed.
pub(super) fn ensure(
    netlink: &Netlink,
    prefix: &str,
    pins: &Pins,
    resume: &mut SchedClassifier,
) -> Result<PortId, DatapathError> {
    let (near, far) = names(prefix)?;
    match netlink.link_by_name(near.as_str()) {
        Ok(link) if pins.relay_link().exists() => return Ok(PortId(link.index.into())),
        Ok(_) => remove(netlink, prefix, pins)?,
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let made = make(netlink, near, far, pins, resume);
    if made.is_err() {
        // The first failure is the one to tell.
        let _second = remove(netlink, prefix, pins);
    }
    made
}

/// Removes the pair and its link.
///
/// # Errors
/// Something could not be removed.
pub(super) fn remove(netlink: &Netlink, prefix: &str, pins: &Pins) -> Result<(), DatapathError> {
    attach::unpin(&pins.relay_link())?;
    let (near, _) = names(prefix)?;
    match netlink.link_by_name(near.as_str()) {
        Ok(link) => Ok(netlink.delete_link(link.index)?),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn make(
    netlink: &Netlink,
    near: IfName,
    far: IfName,
    pins: &Pins,
    resume: &mut SchedClassifier,
) -> Result<PortId, DatapathError> {
    let end = |name: &IfName| LinkSettings {
        name: Some(name.clone()),
        mtu: Some(RELAY_MTU),
        arp: Some(false),
        ..LinkSettings::default()
    };
    netlink.create_veth(&end(&near), &end(&far))?;
    for name in [&near, &far] {
        Sysctl::interface(Family::Ipv6, name, "disable_ipv6").set_if_there("1")?;
        let link = netlink.link_by_name(name.as_str())?;
        netlink.set_link(link.index, &LinkSettings { up: Some(true), ..LinkSettings::default() })?;
    }
    attach::attach(resume, PROG_FLOOD_RESUME, far.as_str(), TcAttachType::Ingress, &pins.relay_link())?;
    Ok(PortId(netlink.link_by_name(near.as_str())?.index.into()))
}

fn names(prefix: &str) -> Result<(IfName, IfName), DatapathError> {
    let name = |end: char| IfName::new(format!("{prefix}flood{end}")).map_err(NetnsError::from);
    Ok((name('0')?, name('1')?))
}

fn is_missing(error: &NetnsError) -> bool {
    matches!(error.kind(), ErrorKind::NoDevice | ErrorKind::NotFound)
}
