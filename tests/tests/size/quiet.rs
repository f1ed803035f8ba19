//! Containers that say nothing by themselves, so that every frame that they get is counted for.

use std::{collections::BTreeMap, fs};

use switch_common::abi::addr::MacAddr;
use switch_userspace::{
    api::{
        client::Client,
        routes,
        types::{Connect, Endpoint, EndpointAdd, NetnsChoice},
    },
    netns::{Family, Netns, Sysctl},
};
use wye_tests::support::{netns, wye::Wye};

/// An endpoint whose container says nothing by itself: it has no IPv6.
pub(crate) struct Quiet {
    /// The endpoint's name.
    pub(crate) name: String,
    /// What the daemon said of it.
    pub(crate) endpoint: Endpoint,
    namespace: String,
}

impl Quiet {
    /// Makes one on the network `red`.
    pub(crate) fn add(wye: &Wye, api: &Client, name: &str) -> Self {
        let namespace = format!("{}-{name}", wye.instance());
        let netns = Netns::create_named(&namespace).expect("a namespace");
        netns
            .run(|| Sysctl::family(Family::Ipv6, "conf/default/disable_ipv6").set("1"))
            .expect("IPv6 is switched off");
        let wish = EndpointAdd {
            name: name.to_owned(),
            network: "red".to_owned(),
            netns: NetnsChoice::Existing(namespace.clone()),
            namespace: None,
            labels: BTreeMap::new(),
            connect: Connect::default(),
        };
        let endpoint = api.post(routes::ENDPOINTS, &wish).expect("an endpoint");
        Self { name: name.to_owned(), namespace, endpoint }
    }

    /// Its namespace.
    pub(crate) fn netns(&self) -> Netns {
        Netns::open_name(&self.namespace).expect("the container's namespace")
    }

    /// MAC of `eth0`.
    pub(crate) fn mac(&self) -> MacAddr {
        self.endpoint.attachments[0].mac.parse().expect("a MAC")
    }

    /// Frames that came in through `eth0`.
    pub(crate) fn received(&self) -> u64 {
        let table = netns::inside(&self.netns(), || fs::read_to_string("/proc/thread-self/net/dev"));
        let table = table.expect("statistics of interfaces");
        let numbers = table.lines().find_map(|line| line.trim().strip_prefix("eth0:")).expect("eth0");
        numbers
            .split_whitespace()
            .nth(1)
            .and_then(|packets| packets.parse().ok())
            .expect("a count of packets")
    }

    /// Whether an echo request to the other is answered.
    pub(crate) fn pings(&self, other: &Self) -> bool {
        let ip = other.endpoint.attachments[0].ips[0].addr().to_string();
        netns::output(&self.netns(), "ping", &["-c", "1", "-W", "5", &ip]).status.success()
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _gone = Netns::delete_named(&self.namespace);
    }
}
