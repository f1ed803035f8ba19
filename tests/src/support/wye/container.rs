//! Containers: namespaces of a test's own that are endpoints of a switch.

use std::process::{Child, Command};

use switch_userspace::{api::types::Endpoint, netns::Netns};

use super::Wye;
use crate::support::netns;

impl Wye {
    /// A container on a network: a namespace of the test's, made an endpoint called `name`.
    ///
    /// # Panics
    /// When it cannot be added.
    #[must_use]
    pub fn container(&self, name: &str, network: &str) -> Container {
        self.container_with(name, network, &[])
    }

    /// A container whose `endpoint add` has further options.
    ///
    /// # Panics
    /// When it cannot be added.
    #[must_use]
    pub fn container_with(&self, name: &str, network: &str, options: &[&str]) -> Container {
        let namespace = Namespace::new(&format!("{}-{name}", self.instance));
        let add = ["endpoint", "add", name, "--network", network, "--netns", namespace.name()];
        self.ok(&[&add, options].concat());
        let [endpoint] = self.json::<[Endpoint; 1]>(&["endpoint", "inspect", name]);
        Container { endpoint, namespace }
    }
}

/// A named network namespace, which goes on drop.
pub struct Namespace {
    name: String,
    netns: Option<Netns>,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Panics
    /// When the name is taken.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let netns = Netns::create_named(name).expect("a namespace");
        Self { name: name.to_owned(), netns: Some(netns) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    ///
    /// # Panics
    /// Never: it is there until it is dropped.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.netns.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.netns = None;
        // A test may have taken the name away itself.
        let _gone = Netns::delete_named(&self.name);
    }
}

/// An endpoint in a namespace of the test's.
pub struct Container {
    /// What the daemon says of it.
    pub endpoint: Endpoint,
    namespace: Namespace,
}

impl Container {
    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.namespace.netns()
    }

    /// MAC of its first interface.
    #[must_use]
    pub fn mac(&self) -> &str {
        &self.endpoint.attachments[0].mac
    }

    /// Its address of a family on its first network.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn ip(&self, family: Family) -> String {
        let ips = self.endpoint.attachments[0].ips.iter().map(|net| net.addr());
        let mut of_family = ips.filter(|ip| ip.is_ipv4() == (family == Family::V4));
        of_family.next().expect("an address of the family").to_string()
    }

    /// Runs a program inside, which has to succeed, and returns what it prints.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        netns::run(self.netns(), program, args)
    }

    /// Whether three echo requests to `ip` are all answered.
    #[must_use]
    pub fn pings(&self, ip: &str) -> bool {
        let args = ["-c", "3", "-i", "0.02", "-W", "1", ip];
        netns::output(self.netns(), "ping", &args).status.success()
    }

    /// Starts a program inside.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(&self, command: &mut Command) -> Child {
        netns::inside(self.netns(), || command.spawn()).expect("the program can be started")
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}
