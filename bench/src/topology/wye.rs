//! wye without its control plane: a datapath in a namespace that plays the host.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey, FdbKind},
        neighbour::NeighbourKey,
        port::{PortConfig, PortFlags},
        storm::StormLimits,
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, kernel::KernelDatapath, userspace::UserspaceDatapath},
    netns::{IfIndex, Netns},
};

use super::{Container, new_host};

const BPFFS: &str = "/sys/fs/bpf";
const DOMAIN: DomainId = DomainId(1);
const AGEING: Nanos = Nanos::from_secs(300);
const MTU: u32 = 1500;

/// What a new endpoint's port has: `wye endpoint add` without options.
const PORT_FLAGS: PortFlags = PortFlags::DEFAULT.union(PortFlags::READY).union(PortFlags::GUARD);

/// A datapath; it is taken out of the system on drop. Ports and domain are as they are when nobody says otherwise.
pub(crate) struct Wye {
    host: Netns,
    datapath: Option<Box<dyn Datapath>>,
    programs: Option<PathBuf>,
    ports: PortFlags,
    domain: DomainFlags,
    limits: StormLimits,
}

impl Wye {
    /// The eBPF datapath.
    ///
    /// # Errors
    /// It does not load.
    pub(crate) fn ebpf() -> Result<Self> {
        let mut wye = Self::closed()?;
        let datapath = wye.host.run(|| {
            KernelDatapath::open(&new_instance(), Path::new(BPFFS)).context("cannot open the eBPF datapath")
        })?;
        wye.programs = Some(datapath.programs_dir());
        wye.start(Box::new(datapath))?;
        Ok(wye)
    }

    /// The userspace switch. Its threads inherit the CPUs and the priority that `prepare` gives the thread which starts them.
    ///
    /// # Errors
    /// Those of `prepare`; the switch does not start.
    pub(crate) fn userspace(prepare: impl FnOnce() -> Result<()> + Send) -> Result<Self> {
        let mut wye = Self::closed()?;
        let datapath = wye.host.run(|| {
            prepare()?;
            UserspaceDatapath::open(&new_instance()).context("cannot start the userspace switch")
        })?;
        wye.start(Box::new(datapath))?;
        Ok(wye)
    }

    /// Guards the ports that are attached from now on, or not: `wye port set --guard`.
    pub(super) fn guard_ports(&mut self, on: bool) {
        self.ports = self.ports.with(PortFlags::GUARD, on);
    }

    /// The same with ports whose floods are limited: `wye port set --storm`.
    #[must_use]
    pub(crate) fn limited(mut self, limits: StormLimits) -> Self {
        self.ports = self.ports.with(PortFlags::STORM, true);
        self.limits = limits;
        self
    }

    /// The same with questions for neighbours flooded: `wye network create --opt suppress=off`.
    ///
    /// # Errors
    /// The domain cannot be changed.
    pub(crate) fn without_responder(mut self) -> Result<Self> {
        self.domain = self.domain.with(DomainFlags::SUPPRESS, false);
        self.set_domain(AGEING)?;
        Ok(self)
    }

    /// Where the interfaces that become ports have to be.
    #[must_use]
    pub(crate) fn port_netns(&self) -> &Netns {
        self.datapath.as_ref().map_or(&self.host, |datapath| datapath.port_netns())
    }

    /// Makes the host's end of a container's veth pair a port, and the container's MAC and addresses known.
    ///
    /// # Errors
    /// The datapath refuses.
    pub(crate) fn attach(&mut self, container: &Container, interface: IfIndex) -> Result<()> {
        let slot = Slot(container.number().into());
        let (mac, ipv4, ipv6) = (container.mac(), container.ip(), container.ipv6());
        let (ports, limits) = (self.ports, self.limits);
        let config = PortConfig::new(DOMAIN, slot, mac, MTU, 0, ports).with_addresses(ipv4, ipv6);
        let (host, datapath) = self.opened()?;
        datapath.set_storm(slot, limits);
        host.run(|| datapath.attach_port(interface.into(), config)).context("cannot attach a port")?;
        let entry = FdbEntry::new(interface.into(), FdbKind::Endpoint, Nanos(0));
        datapath.put_fdb(FdbKey::new(DOMAIN, mac), entry).context("cannot make the MAC known")?;
        let addresses = [(NeighbourKey::ipv4(DOMAIN, ipv4), mac), (NeighbourKey::ipv6(DOMAIN, ipv6), mac)];
        datapath.set_neighbours(interface.into(), &addresses).context("cannot make the addresses known")
    }

    /// Enters MACs as learned behind the port `interface`.
    ///
    /// # Errors
    /// The FDB has no room.
    pub(super) fn learn(&mut self, macs: impl Iterator<Item = MacAddr>, interface: IfIndex) -> Result<()> {
        // They are to stay for as long as the measurement takes.
        self.set_domain(Nanos(0))?;
        let (_, datapath) = self.opened()?;
        for mac in macs {
            let entry = FdbEntry::new(interface.into(), FdbKind::Learned, Nanos(0));
            datapath.put_fdb(FdbKey::new(DOMAIN, mac), entry).context("cannot fill the FDB")?;
        }
        Ok(())
    }

    /// Where the programs are pinned.
    ///
    /// # Errors
    /// A userspace switch has none.
    pub(crate) fn programs_dir(&self) -> Result<&Path> {
        self.programs.as_deref().context("this datapath has no programs")
    }

    fn closed() -> Result<Self> {
        Ok(Self {
            host: new_host()?,
            datapath: None,
            programs: None,
            ports: PORT_FLAGS,
            domain: DomainFlags::SUPPRESS,
            limits: StormLimits::NONE,
        })
    }

    fn start(&mut self, datapath: Box<dyn Datapath>) -> Result<()> {
        self.datapath = Some(datapath);
        self.set_domain(AGEING)
    }

    fn set_domain(&mut self, ageing: Nanos) -> Result<()> {
        let flags = self.domain;
        let (_, datapath) = self.opened()?;
        datapath.set_domain(DOMAIN, ageing, flags).context("cannot make the domain, or change it")
    }

    fn opened(&mut self) -> Result<(&Netns, &mut Box<dyn Datapath>)> {
        let datapath = self.datapath.as_mut().context("the datapath is closed")?;
        Ok((&self.host, datapath))
    }
}

/// A name that no other switch on this machine has.
fn new_instance() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("bench-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Drop for Wye {
    fn drop(&mut self) {
        let Some(datapath) = self.datapath.take() else { return };
        for error in datapath.purge().err().unwrap_or_default() {
            eprintln!("left behind: {error}");
        }
    }
}
