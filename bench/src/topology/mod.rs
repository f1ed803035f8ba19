//! Two containers and what connects them. Everything lives in network namespaces without names, and is gone when the lane
//! is dropped.

mod bridge;
mod container;
mod wye;

use anyhow::{Context, Result, bail};
use switch_userspace::netns::{IfIndex, LinkSettings, Netlink, Netns};

pub(crate) use self::{bridge::Netfilter, container::Container, wye::Wye};
use crate::{frame, probe::Entry};

/// Containers of a lane: each has an FDB entry of its own.
const CONTAINERS: u32 = 2;

/// A way from one container to another.
pub(crate) struct Lane {
    /// What it is called in reports.
    pub(crate) name: String,
    sender: Container,
    receiver: Container,
    entry: IfIndex,
    medium: Medium,
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
        let (sender, entry) = Container::behind(&host, 1)?;
        let (receiver, _) = Container::behind(&host, 2)?;
        bridge::connect(&host, &[&sender, &receiver], netfilter)?;
        Ok(Self::new(name, sender, receiver, entry, Medium::Bridge(host)))
    }

    /// wye.
    ///
    /// # Errors
    /// The switch cannot be made; nothing stays.
    pub(crate) fn wye(name: &str, mut wye: Wye) -> Result<Self> {
        let (sender, entry) = Container::behind(wye.port_netns(), 1)?;
        let (receiver, out) = Container::behind(wye.port_netns(), 2)?;
        wye.attach(&sender, entry)?;
        wye.attach(&receiver, out)?;
        Ok(Self::new(name, sender, receiver, entry, Medium::Wye(wye)))
    }

    /// Where frames are put so that they go from the sender to the receiver.
    #[must_use]
    pub(crate) fn entry(&self) -> Entry<'_> {
        let netns = match &self.medium {
            Medium::Cable => self.receiver.netns(),
            Medium::Bridge(host) => host,
            Medium::Wye(wye) => wye.port_netns(),
        };
        Entry { netns, interface: self.entry, frame: &self.frame, destinations: self.destinations }
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

    fn new(name: &str, sender: Container, receiver: Container, entry: IfIndex, medium: Medium) -> Self {
        let frame = frame::udp(sender.mac(), receiver.mac(), sender.ip(), receiver.ip());
        Self { name: name.to_owned(), sender, receiver, entry, medium, frame, destinations: 1 }
    }
}

/// A namespace that plays the host, in which nothing but what is measured speaks.
fn new_host() -> Result<Netns> {
    let host =
        Netns::anonymous().context("cannot make a network namespace; measurements have to run as root")?;
    container::silence(&host)?;
    Ok(host)
}
