//! What the control plane does to the kernel: the datapath and the host's interfaces behind one door.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use switch_common::{
    abi::{
        MAX_PORTS,
        addr::{DomainId, MacAddr, PortId, Slot},
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
        source::{SourceKey, SourceScope},
        storm::StormLimits,
        vlan::VlanSet,
    },
    units::Nanos,
    wire::vlan::VlanId,
};

use super::{condition::Condition, error::ControlError, loops::LoopGuard};
use crate::{
    datapath::{Datapath, DatapathError, naming},
    model::{HostSide, InstanceName, Model, Network, Occupied, PortSettings, PortVlans},
    netns::{ErrorKind, IfName, Link, Netlink, Netns, NetnsError, TABLE_MAIN, Undo},
};

/// Indexes of ports are chosen from here on: those below are left to interfaces that choose none.
const FIRST_INDEX: u32 = 1_000;
/// How many ports an instance has room for before it meets the indexes that the next one begins with.
const INDEX_STRIDE: u32 = 4_096;

/// The door to the kernel.
pub(super) struct Kernel {
    /// Nothing once the datapath was taken out.
    datapath: RefCell<Option<Box<dyn Datapath>>>,
    /// Works in the namespace of the ports.
    pub(super) ports: Netlink,
    /// Works in the daemon's own namespace.
    pub(super) host: Netlink,
    /// The daemon's own namespace.
    pub(super) own: Netns,
    /// What names of host-side interfaces begin with.
    prefix: String,
    next_index: Cell<u32>,
}

/// What the datapath is told of a port.
#[derive(Clone, Debug)]
pub(super) struct PortRecord<'a> {
    pub(super) id: PortId,
    pub(super) domain: DomainId,
    pub(super) slot: Slot,
    pub(super) mac: MacAddr,
    pub(super) condition: Condition,
    pub(super) settings: PortSettings,
    /// The port's own addresses.
    pub(super) addresses: Cow<'a, [IpNet]>,
    /// How it sorts frames by VLAN; `None` where its network knows none.
    pub(super) vlans: Option<PortVlans>,
    pub(super) role: Role,
}

/// What a port is to the datapath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An endpoint's.
    Endpoint,
    /// An interface of the host.
    Uplink,
    /// The host's own. It is always guarded: the host would be a way in for everybody otherwise.
    Gateway,
}

impl Role {
    fn flags(self) -> PortFlags {
        match self {
            Self::Endpoint => PortFlags::NONE,
            Self::Uplink => PortFlags::UPLINK,
            Self::Gateway => PortFlags::GATEWAY.union(PortFlags::GUARD),
        }
    }
}

impl PortRecord<'_> {
    /// As the datapath keeps it.
    pub(super) fn config(&self) -> PortConfig {
        let flags = self
            .settings
            .flags()
            .union(self.role.flags())
            .with(PortFlags::MORE_SOURCES, !self.sources().is_empty())
            .with(PortFlags::READY, true)
            .with(PortFlags::BLOCKED, self.condition.is_blocked)
            .with(PortFlags::DOWN, self.condition.is_down)
            .union(self.vlans.as_ref().map_or(PortFlags::NONE, PortVlans::flags));
        PortConfig::new(self.domain, self.slot, self.mac, self.condition.mtu, self.settings.max_macs, flags)
            .with_native_vlan(self.native_vlan())
            .with_addresses(
                self.ipv4().next().unwrap_or(Ipv4Addr::UNSPECIFIED).octets(),
                self.ipv6().next().unwrap_or(Ipv6Addr::UNSPECIFIED).octets(),
            )
    }

    /// The FDB entries that it has as long as it is a port: its own MAC, and those that were set for it.
    pub(super) fn fixed(&self, network: &Network) -> BTreeMap<FdbKey, FdbKind> {
        network.fixed_entries(self.slot, self.mac, &self.settings)
    }

    /// The VLANs that it carries as a trunk.
    pub(super) fn carried(&self) -> VlanSet {
        self.vlans.as_ref().map(PortVlans::carried).unwrap_or_default()
    }

    fn native_vlan(&self) -> VlanId {
        self.vlans.as_ref().map_or(VlanId::NONE, PortVlans::native)
    }

    /// The sources that the port may use beside those that `config` says.
    pub(super) fn sources(&self) -> Vec<(SourceKey, SourceScope)> {
        let own_v4 = self.ipv4().skip(1).map(|ip| SourceKey::ipv4(self.slot, self.mac, ip.octets()));
        let own_v6 = self.ipv6().skip(1).map(|ip| SourceKey::ipv6(self.slot, self.mac, ip.octets()));
        let own = own_v4.chain(own_v6).map(|key| (key, SourceScope::Listed));
        own.chain(self.settings.allow.iter().flat_map(|pair| pair.records(self.slot))).collect()
    }

    /// The limits to the port's floods.
    pub(super) fn storm(&self) -> StormLimits {
        self.settings.storm.limits()
    }

    fn ipv4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().filter_map(|net| match net {
            IpNet::V4(net) => Some(net.addr()),
            IpNet::V6(_) => None,
        })
    }

    fn ipv6(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.addresses.iter().filter_map(|net| match net {
            IpNet::V6(net) => Some(net.addr()),
            IpNet::V4(_) => None,
        })
    }
}

impl Kernel {
    /// Opens the door for the calling thread's namespace.
    pub(super) fn open(instance: &InstanceName, datapath: Box<dyn Datapath>) -> Result<Self, ControlError> {
        let prefix = naming::interface_prefix(instance.as_str());
        let strides = (MAX_PORTS - FIRST_INDEX) / INDEX_STRIDE;
        let stride = crc32fast::hash(instance.as_str().as_bytes()) % strides;
        Ok(Self {
            ports: Netlink::open_in(datapath.port_netns())?,
            host: Netlink::open()?,
            own: Netns::current()?,
            datapath: RefCell::new(Some(datapath)),
            prefix,
            next_index: Cell::new(FIRST_INDEX + stride * INDEX_STRIDE),
        })
    }

    /// Asks the datapath.
    pub(super) fn datapath<T>(
        &self,
        ask: impl FnOnce(&mut dyn Datapath) -> Result<T, DatapathError>,
    ) -> Result<T, ControlError> {
        match self.datapath.borrow_mut().as_deref_mut() {
            Some(datapath) => Ok(ask(datapath)?),
            None => Err(ControlError::Stopping),
        }
    }

    /// Takes the datapath out of the door: nothing can be asked of it any more.
    pub(super) fn take_datapath(&self) -> Option<Box<dyn Datapath>> {
        self.datapath.borrow_mut().take()
    }

    /// Does something on a thread that is in the namespace of the ports.
    pub(super) fn in_port_netns<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, NetnsError> + Send,
    ) -> Result<T, ControlError> {
        let datapath = self.datapath.borrow();
        let netns = datapath.as_deref().ok_or(ControlError::Stopping)?.port_netns();
        if *netns == self.own { Ok(work()?) } else { Ok(netns.run(work)?) }
    }

    /// A loop guard with sockets where the ports are.
    pub(super) fn open_loop_guard(&self) -> Result<LoopGuard, ControlError> {
        let datapath = self.datapath.borrow();
        let ports = datapath.as_deref().ok_or(ControlError::Stopping)?.port_netns();
        Ok(LoopGuard::open(ports, &self.own)?)
    }

    /// The interface that a new port gets on the host's side.
    pub(super) fn host_side(&self, model: &Model) -> Result<HostSide, ControlError> {
        let slot = model.free_slot()?;
        Ok(HostSide { ifname: self.host_ifname(slot)?, port: self.free_index(model)?, slot })
    }

    /// The name of the host-side interface of a slot.
    pub(super) fn host_ifname(&self, slot: Slot) -> Result<IfName, ControlError> {
        Ok(IfName::new(format!("{}p{}", self.prefix, slot.0)).map_err(NetnsError::from)?)
    }

    /// Whether an interface has the name of a host-side interface of this instance.
    pub(super) fn is_host_ifname(&self, name: &str) -> bool {
        let number = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('p'));
        number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// An index that no interface has. They are used in turn, so that one is not soon somebody else's.
    pub(super) fn free_index(&self, model: &Model) -> Result<PortId, ControlError> {
        for _ in FIRST_INDEX..MAX_PORTS {
            let index = self.next_index.get();
            self.next_index.set(if index + 1 < MAX_PORTS { index + 1 } else { FIRST_INDEX });
            let is_uplink = model.uplinks().any(|(.., uplink)| uplink.port == PortId(index));
            if !is_uplink && self.port_link(PortId(index))?.is_none() {
                return Ok(PortId(index));
            }
        }
        Err(ControlError::NoFreeIndex { limit: MAX_PORTS })
    }

    /// The interface of a port; `None` where there is none.
    pub(super) fn port_link(&self, port: PortId) -> Result<Option<Link>, ControlError> {
        existing(self.ports.link_by_index(port.into()))
    }

    /// An interface of the host by its name; `None` where there is none.
    pub(super) fn host_link(&self, name: &str) -> Result<Option<Link>, ControlError> {
        existing(self.host.link_by_name(name))
    }

    /// Makes an interface a port. Its addresses are known before it is one: frames to them are not flooded on the way.
    pub(super) fn add_port<'a>(
        &'a self,
        undo: &mut Undo<'a>,
        network: &Network,
        record: &PortRecord<'_>,
    ) -> Result<(), ControlError> {
        let id = record.id;
        for (key, kind) in record.fixed(network) {
            undo.push(format!("forget address {} of port {}", key.mac(), id.0), move || {
                self.datapath(|datapath| datapath.remove_fdb(key)).map(drop)
            });
            self.put_fdb(key, id, kind)?;
        }
        undo.push(format!("detach port {}", id.0), move || {
            self.datapath(|datapath| datapath.detach_port(id))
        });
        self.attach_port(record)
    }

    /// Tells the datapath all of a port and attaches it, unless it is attached. Attaching begins the counters and storm accounts of
    /// its slot anew; sources that are not told yet are refused.
    pub(super) fn attach_port(&self, record: &PortRecord<'_>) -> Result<(), ControlError> {
        self.datapath(|datapath| {
            datapath.set_vlans(record.slot, record.carried())?;
            datapath.attach_port(record.id, record.config())?;
            datapath.set_storm(record.slot, record.storm());
            datapath.set_sources(record.slot, &record.sources())
        })
    }

    /// Sets a fixed FDB entry. Where the table is full, what was learned makes room: it is learned again.
    pub(super) fn put_fdb(&self, key: FdbKey, port: PortId, kind: FdbKind) -> Result<(), ControlError> {
        let entry = FdbEntry::new(port, kind, Nanos(0));
        self.datapath(|datapath| match datapath.put_fdb(key, entry) {
            Err(DatapathError::Full { .. }) => {
                let all = datapath.list_fdb()?;
                let longest_silent = all.iter().filter(|(_, entry)| entry.is_learned());
                if let Some((learned, _)) = longest_silent.min_by_key(|(_, entry)| entry.last_seen()) {
                    datapath.remove_fdb(*learned)?;
                }
                datapath.put_fdb(key, entry)
            }
            done => done,
        })
    }

    /// Removes the learned entries that point to some ports.
    pub(super) fn forget_learned_at(&self, ports: &[PortId]) -> Result<(), ControlError> {
        self.datapath(|datapath| {
            for (key, entry) in datapath.list_fdb()? {
                if entry.is_learned() && ports.contains(&entry.port()) {
                    datapath.remove_fdb(key)?;
                }
            }
            Ok(())
        })
    }

    /// The addresses that the host uses: its own, and those that it has a route to.
    pub(super) fn occupied(&self) -> Result<Vec<Occupied>, ControlError> {
        let links = self.host.links()?;
        let name = |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        let on = |interface: &Option<String>| {
            interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default()
        };
        let mut occupied = Vec::new();
        for route in self.host.routes(TABLE_MAIN)? {
            if route.destination.prefix_len() > 0 {
                let interface = route.device.and_then(name);
                let by = format!("the host's route to {}{}", route.destination, on(&interface));
                occupied.push(Occupied { net: route.destination, by, interface });
            }
        }
        for address in self.host.addresses(None)? {
            let interface = name(address.index);
            let by = format!("the host's address {}{}", address.net.addr(), on(&interface));
            occupied.push(Occupied { net: IpNet::from(address.net.addr()), by, interface });
        }
        Ok(occupied)
    }
}

/// Turns "no such interface" into `None`.
pub(super) fn existing(link: Result<Link, NetnsError>) -> Result<Option<Link>, ControlError> {
    match link {
        Ok(link) => Ok(Some(link)),
        Err(error) if error.kind() == ErrorKind::NoDevice => Ok(None),
        Err(error) => Err(error.into()),
    }
}
