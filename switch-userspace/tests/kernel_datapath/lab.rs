//! A host with a switch and containers, in namespaces of their own.

use std::{
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, kernel::KernelDatapath},
    netns::{AddressFlags, IfName, LinkSettings, Netlink, Netns, NetnsError},
};

pub(crate) const BPFFS: &str = "/sys/fs/bpf";
pub(crate) const DOMAIN: DomainId = DomainId(1);
const MTU: u32 = 1500;
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A namespace that plays the host, with the datapath of an instance of its own; both go on drop.
pub(crate) struct Switch {
    pub(crate) instance: String,
    pub(crate) host: Netns,
    pub(crate) datapath: Option<Box<KernelDatapath>>,
    pub(crate) containers: Vec<Netns>,
}

impl Switch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let instance = format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let host = Netns::anonymous().expect("these tests make network namespaces and have to run as root");
        let mut switch = Self { instance, host, datapath: None, containers: Vec::new() };
        switch.open();
        switch.datapath().set_domain(DOMAIN, Nanos::from_secs(300), DomainFlags::NONE).expect("domain");
        switch
    }

    pub(crate) fn open(&mut self) {
        let opened = inside(&self.host, || KernelDatapath::open(&self.instance, Path::new(BPFFS)));
        self.datapath = Some(Box::new(opened.expect("datapath")));
    }

    pub(crate) fn datapath(&mut self) -> &mut KernelDatapath {
        self.datapath.as_mut().expect("open")
    }

    /// A container with 10.0.0.N on port N.
    pub(crate) fn add_container(&mut self, flags: PortFlags) -> (PortId, PortConfig) {
        let number = u16::try_from(self.containers.len() + 1).expect("few");
        let container = Netns::anonymous().expect("container");
        let mac = mac(number);
        let at_host = Netlink::open_in(&self.host).expect("netlink");
        let host_end = LinkSettings {
            name: Some(name(&format!("p{number}"))),
            up: Some(true),
            ..LinkSettings::default()
        };
        let peer = LinkSettings {
            name: Some(name("eth0")),
            mac: Some(mac),
            netns: Some(&container),
            ..LinkSettings::default()
        };
        at_host.create_veth(&host_end, &peer).expect("veth");
        let port = PortId(at_host.link_by_name(&format!("p{number}")).expect("host end").index.into());
        let config = PortConfig::new(DOMAIN, Slot(number), mac, MTU, 0, flags.with(PortFlags::READY, true));
        let datapath = self.datapath.as_mut().expect("open");
        inside(&self.host, || datapath.attach_port(port, config)).expect("attach");
        let entry = FdbEntry::new(port, FdbKind::Endpoint, Nanos(0));
        self.datapath().put_fdb(FdbKey::new(DOMAIN, mac), entry).expect("fdb");
        let at_container = Netlink::open_in(&container).expect("netlink");
        let eth0 = at_container.link_by_name("eth0").expect("eth0").index;
        for address in [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")] {
            let flags = AddressFlags { nodad: true, ..AddressFlags::default() };
            at_container.add_address(eth0, address.parse().expect("address"), flags).expect("address");
        }
        at_container.set_link(eth0, &LinkSettings { up: Some(true), ..LinkSettings::default() }).expect("up");
        self.containers.push(container);
        (port, config)
    }

    pub(crate) fn ping(&self, from: usize, to: usize) -> Output {
        let target = format!("10.0.0.{}", to + 1);
        let ping = || Command::new("ping").args(["-c", "3", "-i", "0.05", "-W", "1", &target]).output();
        inside(&self.containers[from], ping).expect("ping runs")
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let purged = inside(&self.host, || KernelDatapath::purge_leftovers(&self.instance, Path::new(BPFFS)));
        if !std::thread::panicking() {
            purged.expect("purged");
        }
    }
}

/// Does something on a thread that is in the namespace.
pub(crate) fn inside<T: Send>(netns: &Netns, work: impl FnOnce() -> T + Send) -> T {
    netns.run(|| Ok::<_, NetnsError>(work())).expect("entering a namespace")
}

fn name(text: &str) -> IfName {
    IfName::new(text).expect("a legal name")
}

pub(crate) fn mac(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}
