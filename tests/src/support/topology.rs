//! A datapath without its control plane, with containers at its ports.

use std::{
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use switch_common::{
    DropReason,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        counters::PortCounters,
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, Mode, kernel::KernelDatapath, userspace::UserspaceDatapath},
    netns::{IfName, LinkSettings, Netlink, Netns},
};

use super::netns;

/// The BPF file system of the machine.
pub const BPFFS: &str = "/sys/fs/bpf";
/// The domain of every container.
pub const DOMAIN: DomainId = DomainId(1);
/// MTU of every port; the interfaces carry longer packets, so that it is the switch that refuses them.
pub const MTU: u32 = 1500;
/// MTU of the interfaces.
pub const LINK_MTU: u32 = 9000;
/// How long something may take that should be there at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A name for a switch that no other test uses.
#[must_use]
pub fn unique_instance() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("wt-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `is_done`.
///
/// # Panics
/// When that takes longer than [`PATIENCE`].
pub fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// A datapath in a namespace that plays the host; all of it goes on drop.
pub struct Lab {
    datapath: Option<Box<dyn Datapath>>,
    host: Netns,
    containers: u8,
}

/// A namespace with one interface, `eth0`, at a port. It has no addresses and says nothing by itself.
pub struct Container {
    /// The namespace.
    pub netns: Netns,
    /// The port.
    pub port: PortId,
    /// Its record.
    pub config: PortConfig,
}

impl Container {
    /// MAC of `eth0`.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.config.mac()
    }

    /// Where the port is counted.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.config.slot()
    }
}

impl Lab {
    /// Starts a datapath.
    ///
    /// # Panics
    /// Without the privileges, or without the eBPF object.
    #[must_use]
    pub fn start(mode: Mode) -> Self {
        let host = netns::new_silent();
        let instance = unique_instance();
        let datapath = netns::inside(&host, || -> Box<dyn Datapath> {
            match mode {
                Mode::Ebpf => {
                    let opened = KernelDatapath::open(&instance, Path::new(BPFFS));
                    Box::new(opened.expect("the eBPF datapath"))
                }
                Mode::Userspace => {
                    Box::new(UserspaceDatapath::open(&instance).expect("the userspace datapath"))
                }
            }
        });
        let mut lab = Self { datapath: Some(datapath), host, containers: 0 };
        lab.datapath_mut().set_domain(DOMAIN, Nanos::from_secs(300), DomainFlags::NONE).expect("a domain");
        lab
    }

    /// A container at a new port, with `max_macs` and with `flags` beside being ready.
    ///
    /// # Panics
    /// When it cannot be plugged in.
    pub fn container(&mut self, max_macs: u32, flags: PortFlags) -> Container {
        self.containers += 1;
        let number = self.containers;
        let (netns, mac) = (netns::new_silent(), MacAddr::new([2, 0, 0, 0, 0xff, number]));
        let name = |text: &str| IfName::new(text).expect("a short name");
        let host_name = format!("p{number}");
        let near = LinkSettings {
            name: Some(name(&host_name)),
            mtu: Some(LINK_MTU),
            up: Some(true),
            ..LinkSettings::default()
        };
        let far = LinkSettings {
            name: Some(name("eth0")),
            mtu: Some(LINK_MTU),
            mac: Some(mac),
            netns: Some(&netns),
            ..LinkSettings::default()
        };
        let at_switch = Netlink::open_in(self.datapath().port_netns()).expect("netlink");
        at_switch.create_veth(&near, &far).expect("a veth pair");
        let at_container = Netlink::open_in(&netns).expect("netlink");
        let eth0 = at_container.link_by_name("eth0").expect("the container's end").index;
        at_container.set_link(eth0, &LinkSettings { up: Some(true), ..LinkSettings::default() }).expect("up");

        let port = PortId::from(at_switch.link_by_name(&host_name).expect("the switch's end").index);
        let flags = flags.with(PortFlags::READY, true);
        let config = PortConfig::new(DOMAIN, Slot(u16::from(number)), mac, MTU, max_macs, flags);
        let datapath = self.datapath.as_mut().expect("it runs until it is dropped");
        netns::inside(&self.host, || datapath.attach_port(port, config)).expect("a port");
        let own = FdbEntry::new(port, FdbKind::Endpoint, Nanos(0));
        datapath.put_fdb(FdbKey::new(DOMAIN, mac), own).expect("the container's own MAC");
        Container { netns, port, config }
    }

    /// Traffic of a port.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn traffic(&self, container: &Container) -> PortCounters {
        self.datapath().counters(container.slot()).expect("counters")
    }

    /// Drops at a port.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn drops(&self, container: &Container) -> Vec<(DropReason, u64)> {
        self.datapath().drops(container.slot()).expect("drops")
    }

    /// The datapath.
    ///
    /// # Panics
    /// Never: it is there until the lab is dropped.
    #[must_use]
    pub fn datapath(&self) -> &dyn Datapath {
        self.datapath.as_deref().expect("it runs until it is dropped")
    }

    /// The datapath, to be changed.
    ///
    /// # Panics
    /// As [`Lab::datapath`].
    pub fn datapath_mut(&mut self) -> &mut dyn Datapath {
        self.datapath.as_deref_mut().expect("it runs until it is dropped")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(datapath) = self.datapath.take() {
            let purged = netns::inside(&self.host, || datapath.purge());
            if !thread::panicking() {
                purged.expect("nothing of the datapath stays");
            }
        }
    }
}
