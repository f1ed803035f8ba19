//! wye without its control plane: a datapath in a namespace that plays the host.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
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

/// A datapath; it is taken out of the system on drop.
pub(crate) struct Wye {
    host: Netns,
    datapath: Option<Box<dyn Datapath>>,
    programs: Option<PathBuf>,
}

impl Wye {
    /// The eBPF datapath.
    ///
    /// # Errors
    /// It does not load.
    pub(crate) fn ebpf() -> Result<Self> {
        let mut wye = Self { host: new_host()?, datapath: None, programs: None };
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
        let mut wye = Self { host: new_host()?, datapath: None, programs: None };
        let datapath = wye.host.run(|| {
            prepare()?;
            UserspaceDatapath::open(&new_instance()).context("cannot start the userspace switch")
        })?;
        wye.start(Box::new(datapath))?;
        Ok(wye)
    }

    /// Where the interfaces that become ports have to be.
    #[must_use]
    pub(crate) fn port_netns(&self) -> &Netns {
        self.datapath.as_ref().map_or(&self.host, |datapath| datapath.port_netns())
    }

    /// Makes the host's end of a container's veth pair a port, and the container's MAC known.
    ///
    /// # Errors
    /// The datapath refuses.
    pub(crate) fn attach(&mut self, container: &Container, interface: IfIndex) -> Result<()> {
        let slot = Slot(container.number().into());
        let flags = PortFlags::DEFAULT.with(PortFlags::READY, true);
        let config = PortConfig::new(DOMAIN, slot, container.mac(), MTU, 0, flags);
        let (host, datapath) = self.opened()?;
        host.run(|| datapath.attach_port(interface.into(), config)).context("cannot attach a port")?;
        let entry = FdbEntry::new(interface.into(), FdbKind::Endpoint, Nanos(0));
        datapath.put_fdb(FdbKey::new(DOMAIN, container.mac()), entry).context("cannot make the MAC known")
    }

    /// Enters MACs as learned behind the port `interface`.
    ///
    /// # Errors
    /// The FDB has no room.
    pub(super) fn learn(&mut self, macs: impl Iterator<Item = MacAddr>, interface: IfIndex) -> Result<()> {
        let (_, datapath) = self.opened()?;
        // They are to stay for as long as the measurement takes.
        datapath.set_domain(DOMAIN, Nanos(0), DomainFlags::NONE).context("cannot turn ageing off")?;
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

    fn start(&mut self, mut datapath: Box<dyn Datapath>) -> Result<()> {
        let made = datapath.set_domain(DOMAIN, AGEING, DomainFlags::NONE).context("cannot make the domain");
        self.datapath = Some(datapath);
        made
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
