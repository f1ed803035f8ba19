//! Plumbing: namespaces, interfaces, addresses, routes and settings. Nothing else in wye speaks netlink.
//!
//! Everything here is synchronous and belongs on a control thread. A [`Netlink`] works on the namespace that it was opened in;
//! settings that the kernel ties to the calling thread's namespace (sysctls, TAP interfaces) are reached with
//! [`Netns::run`]. Changes are made in steps whose undoing is put on an [`Undo`] as they succeed.

mod addr;
mod client;
mod error;
mod link;
mod monitor;
mod names;
mod neigh;
mod ns;
mod offload;
pub mod outlook;
mod plan;
mod route;
mod sweep;
mod sysctl;
mod tap;
mod veth;

pub use self::{
    addr::{Address, AddressFlags},
    client::Netlink,
    error::{ErrorKind, NetnsError, SystemError},
    link::{Link, LinkSettings},
    monitor::{LinkEvent, Monitor},
    names::{IF_NAME_MAX, IfIndex, IfName, NameError, check_netns_name},
    neigh::{NeighState, Neighbour},
    ns::{NETNS_DIR, Netns, NetnsId, named_path},
    offload::{Offload, OffloadError},
    plan::{TeardownErrors, TeardownFailure, Undo},
    route::{Route, TABLE_MAIN},
    sysctl::{Family, Sysctl, SysctlChange},
    tap::{Tap, TapSettings},
};
