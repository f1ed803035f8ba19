//! The userspace switch seen from the control plane.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    thread,
};

use crossbeam::channel::{self, Receiver, Sender};
use switch_common::{
    DropReason,
    abi::{
        MAX_FDB_ENTRIES, MAX_GROUPS, MAX_HOST_ADDRESSES, MAX_NEIGHBOURS, MAX_SOURCES,
        addr::{DomainId, MacAddr, PortId, Slot},
        counters::PortCounters,
        domain::DomainFlags,
        event::DropEvent,
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId},
        host::HostAddress,
        names,
        neighbour::NeighbourKey,
        port::{PortConfig, PortFlags, PortState},
        source::{SourceKey, SourceScope},
        storm::StormLimits,
        vlan::VlanSet,
    },
    stage::{env::Tables as _, pipeline::NO_SLOT, vlan::Membership},
    units::Nanos,
    wire::vlan::VlanId,
};

use super::{
    engine::originate,
    events::{ChannelEvents, EVENT_ROOM},
    namespace, rings,
    snoop::{ChannelSnoops, SNOOP_ROOM},
    tables::MemTables,
    tx::TxSockets,
    worker::{Equipment, Worker},
};
use crate::{
    datapath::{
        Datapath, DatapathError, EventSource, Group, Mode, PROBE_ROOM, Port, SeenProbe, SnoopSource, Snooped,
        TableUse,
    },
    netns::{Netlink, Netns, named_path},
    sys::packet_ring::PacketRing,
};

/// Most workers that share the frames of the ports.
const MAX_WORKERS: usize = 4;

/// The userspace switch of one instance. Its workers end when it is dropped; the namespace of its ports stays, with the ports
/// in it, for the next run.
pub struct UserspaceDatapath {
    /// What the namespace of the ports is called.
    name: String,
    ports: Netns,
    host: Netns,
    netlink: Netlink,
    tables: Arc<MemTables>,
    events: (Sender<DropEvent>, Receiver<DropEvent>),
    snooped: (Sender<Snooped>, Receiver<Snooped>),
    /// Where frames of the switch's own go out.
    sockets: TxSockets,
    probes: (Sender<SeenProbe>, Receiver<SeenProbe>),
    workers: Vec<Worker>,
    uplinks: HashMap<PortId, Worker>,
}

impl UserspaceDatapath {
    /// Starts the switch of `instance`; uplinks are interfaces of the calling thread's network namespace.
    ///
    /// # Errors
    /// A missing privilege; not enough memory, descriptors or threads.
    pub fn open(instance: &str) -> Result<Self, DatapathError> {
        let host = Netns::current()?;
        let name = namespace::name(instance, &host);
        let is_new = !named_path(&name)?.exists();
        let opened = namespace::ensure(&name)
            .map_err(DatapathError::from)
            .and_then(|ports| Self::open_with(name.clone(), ports, host));
        if is_new && opened.is_err() {
            // The first failure is the one to tell.
            let _second = namespace::remove(&name);
        }
        opened
    }

    fn open_with(name: String, ports: Netns, host: Netns) -> Result<Self, DatapathError> {
        let mut datapath = Self {
            name,
            netlink: Netlink::open_in(&ports)?,
            sockets: TxSockets::open(&ports, &host)?,
            ports,
            host,
            tables: Arc::default(),
            events: channel::bounded(EVENT_ROOM),
            snooped: channel::bounded(SNOOP_ROOM),
            probes: channel::bounded(PROBE_ROOM),
            workers: Vec::new(),
            uplinks: HashMap::new(),
        };
        let count = thread::available_parallelism().map_or(1, |cpus| cpus.get().min(MAX_WORKERS));
        for (number, ring) in rings::open_for_ports(&datapath.ports, count)?.into_iter().enumerate() {
            let worker = datapath.start_worker(format!("worker {number}"), ring, NO_SLOT)?;
            datapath.workers.push(worker);
        }
        Ok(datapath)
    }

    /// Whether an instance of the calling thread's network namespace has a namespace for its ports.
    #[must_use]
    pub fn has_namespace(instance: &str) -> bool {
        let path = Netns::current().and_then(|host| named_path(&namespace::name(instance, &host)));
        path.is_ok_and(|path| path.exists())
    }

    /// Removes the namespace of an instance whose daemon is gone, with the ports in it. The daemon was in the calling thread's
    /// network namespace.
    ///
    /// # Errors
    /// All that could not be removed; the rest was.
    pub fn purge_leftovers(instance: &str) -> Result<(), Vec<DatapathError>> {
        let host = Netns::current().map_err(|error| vec![error.into()])?;
        remove_namespace(&namespace::name(instance, &host))
    }

    fn start_worker(&self, name: String, ring: PacketRing, slot: Slot) -> Result<Worker, DatapathError> {
        let equipment = Equipment {
            ring,
            sockets: TxSockets::open(&self.ports, &self.host)?,
            tables: Arc::clone(&self.tables),
            events: self.events.0.clone(),
            snooped: self.snooped.0.clone(),
            probes: self.probes.0.clone(),
            slot,
        };
        Worker::start(name.clone(), equipment).map_err(|source| DatapathError::Io {
            op: "start",
            object: name,
            source,
        })
    }

    fn start_uplink(&mut self, uplink: PortId, slot: Slot) -> Result<(), DatapathError> {
        let ring = rings::open_for_uplink(&self.host, uplink)?;
        let worker = self.start_worker(format!("uplink {}", uplink.0), ring, slot)?;
        self.uplinks.insert(uplink, worker);
        Ok(())
    }

    /// Ports and uplinks are in different namespaces, so one of each could have the same index: then only the first can be a
    /// port.
    fn refuse_taken_index(&self, port: PortId, config: &PortConfig) -> Result<(), DatapathError> {
        match self.tables.view().port(port) {
            Some(known) if is_uplink(&known) != is_uplink(config) => {
                Err(DatapathError::IndexTaken { index: port.0 })
            }
            _ => Ok(()),
        }
    }
}

fn remove_namespace(name: &str) -> Result<(), Vec<DatapathError>> {
    namespace::remove(name).map_err(|errors| errors.into_iter().map(DatapathError::from).collect())
}

fn is_uplink(config: &PortConfig) -> bool {
    config.flags().has(PortFlags::UPLINK)
}

impl Datapath for UserspaceDatapath {
    fn mode(&self) -> Mode {
        Mode::Userspace
    }

    fn port_netns(&self) -> &Netns {
        &self.ports
    }

    fn set_domain(
        &mut self,
        domain: DomainId,
        ageing: Nanos,
        flags: DomainFlags,
    ) -> Result<(), DatapathError> {
        self.tables.set_domain(domain, ageing, flags);
        Ok(())
    }

    fn remove_domain(&mut self, domain: DomainId) -> Result<(), DatapathError> {
        self.tables.remove_domain(domain);
        Ok(())
    }

    fn attach_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        self.refuse_taken_index(port, &config)?;
        if !is_uplink(&config) {
            self.netlink.link_by_index(port.0.into())?;
        }
        self.tables.set_port(port, config);
        if !is_uplink(&config) || self.uplinks.contains_key(&port) {
            return Ok(());
        }
        let started = self.start_uplink(port, config.slot());
        if started.is_err() {
            self.tables.remove_port(port);
        }
        started
    }

    fn update_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        self.refuse_taken_index(port, &config)?;
        self.tables.set_port(port, config);
        Ok(())
    }

    fn detach_port(&mut self, port: PortId) -> Result<(), DatapathError> {
        drop(self.uplinks.remove(&port));
        self.tables.remove_port(port);
        Ok(())
    }

    fn set_sources(&mut self, slot: Slot, sources: &[(SourceKey, SourceScope)]) -> Result<(), DatapathError> {
        self.tables
            .set_sources(slot, sources)
            .map_err(|_full| DatapathError::Full { map: names::MAP_SOURCES, capacity: MAX_SOURCES.into() })
    }

    fn set_vlans(&mut self, slot: Slot, vlans: VlanSet) -> Result<(), DatapathError> {
        self.tables.set_vlans(slot, vlans);
        Ok(())
    }

    fn set_neighbours(
        &mut self,
        port: PortId,
        neighbours: &[(NeighbourKey, MacAddr)],
    ) -> Result<(), DatapathError> {
        self.tables.set_neighbours(port, neighbours).map_err(|_full| DatapathError::Full {
            map: names::MAP_NEIGHBOURS,
            capacity: MAX_NEIGHBOURS.into(),
        })
    }

    fn set_group(&mut self, key: GroupKey, ports: &[PortId]) -> Result<(), DatapathError> {
        self.tables
            .set_group(key, ports)
            .map_err(|_full| DatapathError::Full { map: names::MAP_GROUPS, capacity: MAX_GROUPS.into() })
    }

    fn remove_group(&mut self, key: GroupKey) -> Result<(), DatapathError> {
        self.tables.remove_group(key);
        Ok(())
    }

    fn groups(&self) -> Vec<Group> {
        self.tables.groups()
    }

    fn snooped(&self) -> Result<Box<dyn SnoopSource>, DatapathError> {
        Ok(Box::new(ChannelSnoops(self.snooped.1.clone())))
    }

    fn originate(
        &mut self,
        (domain, vlan): (DomainId, VlanId),
        only: Option<PortId>,
        frame: &[u8],
    ) -> Result<(), DatapathError> {
        let place = (ListId::of_domain(domain), Membership::untagged_in(vlan));
        originate(&self.tables.view(), &self.sockets, place, only, frame);
        Ok(())
    }

    fn set_host_addresses(&mut self, addresses: &BTreeSet<HostAddress>) -> Result<(), DatapathError> {
        self.tables.set_host_addresses(addresses).map_err(|_full| DatapathError::Full {
            map: names::MAP_HOST_ADDRESSES,
            capacity: MAX_HOST_ADDRESSES.into(),
        })
    }

    fn set_storm(&mut self, slot: Slot, limits: StormLimits) {
        self.tables.accounts().set_storm(slot, limits);
    }

    fn ports(&self) -> Result<Vec<Port>, DatapathError> {
        Ok(self.tables.ports().into_iter().map(|(id, config)| Port { id, config }).collect())
    }

    fn put_fdb(&mut self, key: FdbKey, entry: FdbEntry) -> Result<(), DatapathError> {
        self.tables
            .put_fdb(key, entry)
            .map_err(|_full| DatapathError::Full { map: names::MAP_FDB, capacity: MAX_FDB_ENTRIES.into() })
    }

    fn remove_fdb(&mut self, key: FdbKey) -> Result<Option<FdbEntry>, DatapathError> {
        Ok(self.tables.remove_fdb(key))
    }

    fn list_fdb(&self) -> Result<Vec<(FdbKey, FdbEntry)>, DatapathError> {
        Ok(self.tables.list_fdb())
    }

    /// Entries and accounts change under one lock: none is ever off.
    fn recount_learned(&mut self, _entries: &[(FdbKey, FdbEntry)]) -> Result<(), DatapathError> {
        Ok(())
    }

    fn learned(&self) -> u64 {
        self.tables.accounts().learned()
    }

    fn port_state(&self, slot: Slot) -> PortState {
        self.tables.accounts().state(slot)
    }

    fn counters(&self, slot: Slot) -> Result<PortCounters, DatapathError> {
        Ok(self.tables.accounts().counters(slot))
    }

    fn drops(&self, slot: Slot) -> Result<Vec<(DropReason, u64)>, DatapathError> {
        for worker in self.workers.iter().chain(self.uplinks.values()) {
            worker.count_losses();
        }
        Ok(self.tables.accounts().drops(slot))
    }

    fn tables(&self) -> Result<Vec<TableUse>, DatapathError> {
        let rings = (self.workers.len() + self.uplinks.len()) as u64;
        let mut tables = self.tables.uses();
        tables.push(TableUse {
            name: String::from("rings"),
            entries: None,
            capacity: rings * u64::from(rings::RING_SLOTS),
            memory_bytes: rings * rings::RING_BYTES,
        });
        Ok(tables)
    }

    fn events(&self) -> Result<Box<dyn EventSource>, DatapathError> {
        Ok(Box::new(ChannelEvents(self.events.1.clone())))
    }

    fn probes(&self) -> Receiver<SeenProbe> {
        self.probes.1.clone()
    }

    fn purge(self: Box<Self>) -> Result<(), Vec<DatapathError>> {
        let name = self.name.clone();
        drop(self);
        remove_namespace(&name)
    }
}
