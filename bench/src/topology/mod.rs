//! Containers and what connects them. Everything lives in network namespaces without names, and is gone when the lane
//! is dropped.

mod bridge;
mod container;
mod wye;

use anyhow::{Context, Result, bail};
use switch_userspace::netns::{IfIndex, LinkSettings, Netlink, Netns};

pub(crate) use self::{bridge::Netfilter, container::Container, wye::Wye};
use crate::{
    frame,
    probe::{self, Entry, Origin},
};

/// Copies that a batch of frames makes at most: the kernel's backlog queue holds 1,000 and is emptied after a batch.
const COPIES_AT_ONCE: u32 = 512;

/// Sender and receiver of a lane: each has an FDB entry of its own.
const CONTAINERS: u32 = 2;

/// A way from one container to another, and others that are on the same switch.
pub(crate) struct Lane {
    /// What it is called in reports.
    pub(crate) name: String,
    /// Dropped before the containers, whose interfaces go with them.
    medium: Medium,
    sender: Container,
    receiver: Container,
    others: Vec<Container>,
    entry: IfIndex,
    frame: Vec<u8>,
    destinations: u32,
}

enum Medium {
    /// A veth pair between the two.
    Cable,
    /// A Linux bridge in a namespace that plays the host.
    Bridge(Netns),
    /// wye in a namespace that plays the host.
    Wye(Wye),
}

impl Lane {
    /// One veth pair whose two ends are the containers' interfaces. Frames are put on the receiver's own: nothing can be
    /// faster.
    ///
    /// # Errors
    /// The kernel refuses something; nothing stays.
    pub(crate) fn direct(name: &str) -> Result<Self> {
        let sender = Container::new(1)?;
        let receiver = Container::new(2)?;
        let netlink = Netlink::open_in(sender.netns())?;
        let far = LinkSettings { netns: Some(receiver.netns()), ..receiver.link()? };
        netlink.create_veth(&sender.link()?, &far).context("cannot make the veth pair")?;
        sender.bring_up()?;
        let entry = receiver.bring_up()?;
        Ok(Self::new(name, sender, receiver, entry, Medium::Cable))
    }

    /// A Linux bridge.
    ///
    /// # Errors
    /// The kernel refuses something; nothing stays.
    pub(crate) fn bridge(name: &str, netfilter: Netfilter) -> Result<Self> {
        let host = new_host()?;
        bridge::create(&host, netfilter)?;
        Self::switched(name, Medium::Bridge(host))
    }

    /// wye.
    ///
    /// # Errors
    /// The switch cannot be made; nothing stays.
    pub(crate) fn wye(name: &str, wye: Wye) -> Result<Self> {
        Self::switched(name, Medium::Wye(wye))
    }

    fn switched(name: &str, mut medium: Medium) -> Result<Self> {
        let (sender, entry) = medium.add_container(1)?;
        let (receiver, _) = medium.add_container(2)?;
        Ok(Self::new(name, sender, receiver, entry, medium))
    }

    /// Brings the containers on the switch to `count`.
    ///
    /// # Errors
    /// The kernel or the switch refuses something; there is no switch.
    pub(crate) fn crowd(mut self, count: u8) -> Result<Self> {
        for number in 3..=count {
            self.others.push(self.medium.add_container(number)?.0);
        }
        Ok(self)
    }

    /// Adds a container whose port is not guarded, as the last of [`Lane::others`].
    ///
    /// # Errors
    /// The kernel or the switch refuses something; it is not wye.
    pub(crate) fn with_unguarded(mut self) -> Result<Self> {
        let number = u8::try_from(self.others.len())? + 3;
        self.as_wye_mut()?.guard_ports(false);
        let added = self.medium.add_container(number);
        self.as_wye_mut()?.guard_ports(true);
        self.others.push(added?.0);
        Ok(self)
    }

    /// Where frames are put so that they go from the sender to the receiver.
    #[must_use]
    pub(crate) fn entry(&self) -> Entry<'_> {
        let netns = match &self.medium {
            Medium::Cable => self.receiver.netns(),
            Medium::Bridge(host) => host,
            Medium::Wye(wye) => wye.port_netns(),
        };
        Entry {
            origin: Origin::Driver,
            netns,
            interface: self.entry,
            frame: &self.frame,
            destinations: self.destinations,
            batch: probe::BATCH,
            arrivals: 1,
            anew: false,
        }
    }

    /// Where frames are put so that they come from another container of the switch.
    ///
    /// # Errors
    /// Its port is gone.
    pub(crate) fn entry_from<'a>(&'a self, container: &Container, frame: &'a [u8]) -> Result<Entry<'a>> {
        let entry = self.entry();
        let port = container.port_name()?;
        let interface = Netlink::open_in(entry.netns)?.link_by_name(port.as_str())?.index;
        Ok(Entry { interface, frame, ..entry })
    }

    /// [`Lane::entry`] with another frame, of which the switch may make a copy for every container.
    #[must_use]
    pub(crate) fn flooding_entry<'a>(&'a self, frame: &'a [u8]) -> Entry<'a> {
        let others = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        Entry { frame, batch: (COPIES_AT_ONCE / (1 + others)).max(1), ..self.entry() }
    }

    /// Where the sender sends another frame itself, of which the switch may make a copy for every container.
    ///
    /// # Errors
    /// Its interface is gone.
    pub(crate) fn sending_entry<'a>(&'a self, frame: &'a [u8]) -> Result<Entry<'a>> {
        let netns = self.sender.netns();
        let interface = Netlink::open_in(netns)?.link_by_name(self.sender.interface())?.index;
        Ok(Entry { origin: Origin::Container, netns, interface, ..self.flooding_entry(frame) })
    }

    /// Fills the switch's FDB up to `entries`, those of the two containers included, with MACs behind the receiver.
    ///
    /// # Errors
    /// The FDB has no room.
    pub(crate) fn fill(mut self, entries: u32) -> Result<Self> {
        let macs = (0..entries - CONTAINERS).map(frame::numbered);
        match &mut self.medium {
            Medium::Cable => {}
            Medium::Bridge(host) => bridge::learn(host, macs, &self.receiver)?,
            Medium::Wye(wye) => {
                let port = self.receiver.port_name()?;
                let out = Netlink::open_in(wye.port_netns())?.link_by_name(port.as_str())?.index;
                wye.learn(macs, out)?;
            }
        }
        Ok(self)
    }

    /// Lets frames go, in turn, to as many MACs as [`Lane::fill`] made for `entries`.
    #[must_use]
    pub(crate) fn spread(mut self, entries: u32) -> Self {
        self.destinations = entries - CONTAINERS;
        self.frame = frame::udp(self.sender.mac(), frame::numbered(0), self.sender.ip(), self.receiver.ip());
        self
    }

    /// wye, where that is what connects the containers.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn as_wye(&self) -> Result<&Wye> {
        match &self.medium {
            Medium::Wye(wye) => Ok(wye),
            Medium::Cable | Medium::Bridge(_) => bail!("path {} is not wye", self.name),
        }
    }

    fn as_wye_mut(&mut self) -> Result<&mut Wye> {
        match &mut self.medium {
            Medium::Wye(wye) => Ok(wye),
            Medium::Cable | Medium::Bridge(_) => bail!("path {} is not wye", self.name),
        }
    }

    /// The container that frames come from.
    #[must_use]
    pub(crate) fn sender(&self) -> &Container {
        &self.sender
    }

    /// The container that frames go to.
    #[must_use]
    pub(crate) fn receiver(&self) -> &Container {
        &self.receiver
    }

    /// Containers beside sender and receiver.
    #[must_use]
    pub(crate) fn others(&self) -> &[Container] {
        &self.others
    }

    /// All containers but the sender.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = &Container> {
        std::iter::once(&self.receiver).chain(&self.others)
    }

    fn new(name: &str, sender: Container, receiver: Container, entry: IfIndex, medium: Medium) -> Self {
        let frame = frame::udp(sender.mac(), receiver.mac(), sender.ip(), receiver.ip());
        let others = Vec::new();
        Self { name: name.to_owned(), sender, receiver, others, entry, medium, frame, destinations: 1 }
    }
}

impl Medium {
    /// A new container on the switch, and the index of the host's end of its veth pair.
    fn add_container(&mut self, number: u8) -> Result<(Container, IfIndex)> {
        match self {
            Self::Cable => bail!("a cable has two ends"),
            Self::Bridge(host) => {
                let (container, index) = Container::behind(host, number)?;
                bridge::join(host, &container)?;
                Ok((container, index))
            }
            Self::Wye(wye) => {
                let (container, index) = Container::behind(wye.port_netns(), number)?;
                wye.attach(&container, index)?;
                Ok((container, index))
            }
        }
    }
}

/// A namespace that plays the host, in which nothing but what is measured speaks.
fn new_host() -> Result<Netns> {
    let host =
        Netns::anonymous().context("cannot make a network namespace; measurements have to run as root")?;
    container::silence(&host)?;
    Ok(host)
}
