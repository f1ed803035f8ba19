//! Endpoints and their attachments to networks.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Which network namespace an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetnsChoice {
    /// One that exists: a path where it has a `/`, otherwise a name under `/run/netns`.
    Existing(String),
    /// A new one, called as the endpoint (`EP@INSTANCE` beside the default instance) and removed with it.
    Create,
}

/// Asks for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointAdd {
    /// Its name, unique in the instance.
    pub name: String,
    /// The network that its first interface is on.
    pub network: String,
    /// Its network namespace.
    pub netns: NetnsChoice,
    /// The Kubernetes namespace that it belongs to; `default` where nothing is said.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How the first interface is to be.
    #[serde(default)]
    pub connect: Connect,
}

/// How an attachment is to be; what is not said is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connect {
    /// Addresses, at most one a subnet.
    pub ips: Vec<IpAddr>,
    /// MAC address.
    pub mac: Option<String>,
    /// Name of the interface inside the endpoint; `eth0`, `eth1`… by default.
    pub ifname: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The Kubernetes namespace that it belongs to.
    pub namespace: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Its network namespace.
    pub netns: NetnsRef,
    /// Whether its plumbing is whole.
    pub state: EndpointState,
    /// What is wrong, where it is not `ready`.
    pub reason: Option<String>,
    /// Its interfaces, in the order they were made.
    pub attachments: Vec<Attachment>,
    /// When it was made.
    pub created: String,
}

/// Where an endpoint's network namespace is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetnsRef {
    /// A file that opens it.
    pub path: PathBuf,
    /// Whether wye made it and removes it with the endpoint.
    pub owned: bool,
    /// Device of the file: with the inode, tells the namespace from another one at the same path.
    pub dev: u64,
    /// Inode of the file.
    pub ino: u64,
}

/// Whether an endpoint's plumbing is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It is.
    Ready,
    /// An interface is missing.
    Broken,
    /// Its network namespace is gone.
    Stale,
}

/// One interface of an endpoint on one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The network.
    pub network: String,
    /// The port's name: `EP`, or `EP:IFNAME` where the endpoint has several.
    pub port: String,
    /// The interface inside the endpoint.
    pub ifname: String,
    /// Its addresses with the prefix of their subnet.
    pub ips: Vec<IpNet>,
    /// The default gateways; none on an internal network.
    pub gateways: Vec<IpAddr>,
    /// Its MAC address.
    pub mac: String,
    /// Largest L3 packet in bytes that its port takes.
    pub mtu: u32,
    /// The interface on the host's side.
    pub host_ifname: String,
    /// Index of that interface.
    pub host_ifindex: u32,
    /// The port's dense number.
    pub slot: u16,
}

/// Changes labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelChange {
    /// Labels to put on, or to give another value.
    pub set: BTreeMap<String, String>,
    /// Keys of labels to take off.
    pub remove: Vec<String>,
}
