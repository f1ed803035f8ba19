//! The eBPF datapath seen from the control plane: maps, pinned programs, and a pinned link for each port.
//!
//! Nothing here is needed for frames to flow: the kernel holds everything by its pins. Opening after a crash adopts
//! what is there.

mod accounts;
mod attach;
mod events;
mod flood_list;
mod host_addresses;
mod maps;
mod neighbours;
mod object;
mod pins;
mod recount;
mod relay;
mod slow_path;
mod slow_tables;
mod snoop;
mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{maps::MapError, programs::TcAttachType};
use crossbeam::channel::Receiver;
use switch_common::{
    DropReason,
    abi::{
        self,
        addr::{DomainId, MacAddr, PortId, Slot},
        counters::PortCounters,
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId},
        host::HostAddress,
        names::{self, PROG_PORT_INGRESS},
        neighbour::NeighbourKey,
        port::{PortConfig, PortFlags, PortState, SwitchConfig},
        source::{SourceKey, SourceScope},
        storm::StormLimits,
        vlan::VlanSet,
    },
    stage::{pipeline::NO_SLOT, vlan::Membership},
    units::Nanos,
    wire::vlan::VlanId,
};

pub use self::object::verified_instructions;
use self::{
    events::{KernelEvents, Reported, SlowEvents},
    flood_list::FloodLists,
    host_addresses::HostAddresses,
    maps::{Maps, map_error, remove_key},
    neighbours::Neighbours,
    object::Programs,
    pins::Pins,
    recount::Recount,
    slow_path::SlowPath,
    slow_tables::SlowTables,
    snoop::{KernelSnoops, SlowSnoops},
    sources::Sources,
};
use crate::{
    datapath::{
        Datapath, DatapathError, EventSource, Group, Mode, Port, SeenProbe, SnoopSource, TableUse, naming,
        userspace::{Snooper, TxSockets, originate},
    },
    netns::{Netlink, Netns},
};

/// The eBPF datapath of one instance.
pub struct KernelDatapath {
    prefix: String,
    pins: Pins,
    netns: Netns,
    netlink: Netlink,
    maps: Maps,
    programs: Programs,
    floods: FloodLists,
    sources: Sources,
    neighbours: Neighbours,
    host_addresses: HostAddresses,
    /// The entries that are not learned, and the ports that they point to.
    fixed_fdb: BTreeMap<FdbKey, PortId>,
    slow_events: SlowEvents,
    slow_snoops: SlowSnoops,
    /// What frames of the switch's own go out by; opened with the first one.
    own_frames: Option<(SlowTables, TxSockets)>,
    probes: Receiver<SeenProbe>,
    slow_path: Option<SlowPath>,
    recount: Recount,
}

impl KernelDatapath {
    /// Loads or adopts the datapath of `instance` in the calling thread's network namespace.
    ///
    /// # Errors
    /// `bpffs` is no BPF file system, what is pinned there is not ours, or the kernel refuses something.
    pub fn open(instance: &str, bpffs: &Path) -> Result<Self, DatapathError> {
        let pins = Pins::new(bpffs, instance);
        let is_new = !pins.exist();
        let opened = Self::open_pinned(naming::interface_prefix(instance), pins.clone(), bpffs);
        if is_new && opened.is_err() {
            // The first failure is the one to tell.
            let _second = Self::purge_leftovers(instance, bpffs);
        }
        opened
    }

    fn open_pinned(prefix: String, pins: Pins, bpffs: &Path) -> Result<Self, DatapathError> {
        pins.prepare(bpffs)?;
        let (mut maps, programs) = object::load(&pins)?;
        let (reported, slow_events, probes) = events::slow_events()?;
        let (snooper, slow_snoops) = SlowSnoops::new().map_err(no_snoops)?;
        let mut datapath = Self {
            netns: Netns::current()?,
            netlink: Netlink::open()?,
            floods: FloodLists::adopt(&mut maps)?,
            sources: Sources::adopt(&maps)?,
            neighbours: Neighbours::adopt(&maps)?,
            host_addresses: HostAddresses::adopt(&maps)?,
            fixed_fdb: BTreeMap::new(),
            slow_path: None,
            recount: Recount::default(),
            prefix,
            pins,
            maps,
            programs,
            slow_events,
            slow_snoops,
            own_frames: None,
            probes,
        };
        let fixed = datapath.list_fdb()?.into_iter().filter(|(_, entry)| !entry.is_learned());
        datapath.fixed_fdb = fixed.map(|(key, entry)| (key, entry.port())).collect();
        datapath.detach_unlinked()?;
        datapath.start_helpers(reported, snooper)?;
        Ok(datapath)
    }

    /// Whether an instance has pins, of whatever schema.
    #[must_use]
    pub fn has_pins(instance: &str, bpffs: &Path) -> bool {
        Pins::new(bpffs, instance).exist()
    }

    /// Removes the pins and helper interfaces of an instance whose daemon is gone, without loading anything.
    ///
    /// # Errors
    /// All that could not be removed; the rest was.
    pub fn purge_leftovers(instance: &str, bpffs: &Path) -> Result<(), Vec<DatapathError>> {
        let pins = Pins::new(bpffs, instance);
        let netlink = Netlink::open().map_err(|error| vec![error.into()])?;
        purge(&netlink, &naming::interface_prefix(instance), &pins)
    }

    /// Where the maps are pinned.
    #[must_use]
    pub fn maps_dir(&self) -> PathBuf {
        self.pins.maps()
    }

    /// Where the programs are pinned.
    #[must_use]
    pub fn programs_dir(&self) -> PathBuf {
        self.pins.programs()
    }

    /// The verdict on the last frame on each CPU, in the order of the CPUs.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn last_verdicts(&self) -> Result<Vec<u64>, DatapathError> {
        let values = self.maps.last_verdict.get(&0, 0).map_err(map_error("read", names::MAP_LAST_VERDICT))?;
        Ok(values.to_vec())
    }

    /// The relay pair and the slow path, and their interfaces' numbers for the programs.
    fn start_helpers(&mut self, reported: Reported, snooper: Snooper) -> Result<(), DatapathError> {
        let relay = relay::ensure(&self.netlink, &self.prefix, &self.pins, &mut self.programs.flood_resume)?;
        let (slow_path, cpu_port) = SlowPath::start(
            &self.netlink,
            &self.netns,
            &self.prefix,
            &self.pins.maps(),
            Arc::clone(self.maps.accounts()),
            reported,
            snooper,
        )?;
        self.slow_path = Some(slow_path);
        let before = self.maps.switch.get(&0, 0).map_err(map_error("read", names::MAP_SWITCH))?;
        let switch = SwitchConfig::new(cpu_port, relay, before.build());
        self.maps.switch.set(0, switch, 0).map_err(map_error("write", names::MAP_SWITCH))
    }

    /// Finishes what a daemon was doing when it was killed: a port whose link is not pinned was being attached or detached.
    fn detach_unlinked(&mut self) -> Result<(), DatapathError> {
        let is_unlinked = |port: &PortId| !self.pins.port_link(*port).exists();
        let unlinked: BTreeSet<PortId> = self.floods.members().filter(is_unlinked).collect();
        unlinked.into_iter().try_for_each(|port| self.detach_port(port))
    }

    /// From its first step to the last of detaching, a port is on a flood list: that is how a port is found which a killed
    /// daemon has left halfway.
    fn attach_new(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        let link = self.netlink.link_by_index(port.0.into())?;
        self.maps.reset_slot(config.slot())?;
        self.floods.add(&mut self.maps, config.domain(), port)?;
        self.write_port(port, config)?;
        attach::attach(
            &mut self.programs.port_ingress,
            PROG_PORT_INGRESS,
            &link.name,
            TcAttachType::Ingress,
            &self.pins.port_link(port),
        )
    }

    fn write_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        self.maps.ports.set(port.0, config, 0).map_err(map_error("write a port", names::MAP_PORTS))
    }

    fn fdb_entry(&self, key: FdbKey) -> Result<Option<FdbEntry>, DatapathError> {
        match self.maps.fdb.get(&key, 0) {
            Ok(entry) => Ok(Some(entry)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(map_error("look up", names::MAP_FDB)(error)),
        }
    }

    fn release_learned(&self, entry: FdbEntry) -> Result<(), DatapathError> {
        if entry.is_learned()
            && let Some(port) = self.maps.port(entry.port())?
        {
            self.maps.accounts().release_learned(port.slot());
        }
        Ok(())
    }

    /// Silences a port, so that nothing is learned at it any more, and takes its FDB entries away, its sources, its counters
    /// and, last, its record, which leads to all of that where a killed daemon has left some.
    fn forget_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        let silenced = self.write_port(port, config.with_flags(PortFlags::NONE));
        let forgotten = self.forget_fdb_of(port, config.slot());
        let unsourced = self.sources.set(&mut self.maps, config.slot(), &[]);
        let reset = self.maps.reset_slot(config.slot());
        let cleared = self.write_port(port, PortConfig::default());
        silenced.and(forgotten).and(unsourced).and(reset).and(cleared)
    }

    fn forget_fdb_of(&mut self, port: PortId, slot: Slot) -> Result<(), DatapathError> {
        let fixed = self.fixed_fdb.iter().filter(|(_, to)| **to == port);
        let mut keys: Vec<FdbKey> = fixed.map(|(key, _)| *key).collect();
        // The FDB is only listed where there is something to find.
        if self.port_state(slot).learned > 0 {
            let entries = self.list_fdb()?.into_iter();
            keys.extend(entries.filter(|(_, entry)| entry.port() == port).map(|(key, _)| key));
        }
        let removed = keys.into_iter().map(|key| self.remove_fdb(key).map(drop));
        removed.fold(Ok(()), Result::and)
    }
}

impl Datapath for KernelDatapath {
    fn mode(&self) -> Mode {
        Mode::Ebpf
    }

    fn port_netns(&self) -> &Netns {
        &self.netns
    }

    fn set_domain(
        &mut self,
        domain: DomainId,
        ageing: Nanos,
        flags: DomainFlags,
    ) -> Result<(), DatapathError> {
        self.floods.set_domain(&mut self.maps, domain, ageing, flags)
    }

    fn remove_domain(&mut self, domain: DomainId) -> Result<(), DatapathError> {
        for (key, _) in self.list_fdb()? {
            if key.domain() == domain {
                self.remove_fdb(key)?;
            }
        }
        self.floods.remove_domain(&mut self.maps, domain)
    }

    fn attach_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        if port.0 >= abi::MAX_PORTS {
            return Err(DatapathError::IndexTooHigh { index: port.0, limit: abi::MAX_PORTS });
        }
        if self.pins.port_link(port).exists() && self.maps.port(port)?.is_some() {
            return self.update_port(port, config);
        }
        let attached = self.attach_new(port, config);
        if attached.is_err() {
            // The first failure is the one to tell.
            let _second = self.detach_port(port);
        }
        attached
    }

    fn update_port(&mut self, port: PortId, config: PortConfig) -> Result<(), DatapathError> {
        if let Some(before) = self.maps.port(port)?
            && before.domain() != config.domain()
        {
            self.floods.remove(&mut self.maps, port)?;
        }
        self.write_port(port, config)?;
        self.floods.add(&mut self.maps, config.domain(), port)
    }

    fn detach_port(&mut self, port: PortId) -> Result<(), DatapathError> {
        let unpinned = attach::unpin(&self.pins.port_link(port));
        let known = self.maps.port(port);
        let forgotten = known.and_then(|known| known.map_or(Ok(()), |config| self.forget_port(port, config)));
        let unknown = self.neighbours.set(&mut self.maps, port, &[]);
        let off_list = self.floods.remove(&mut self.maps, port);
        unpinned.and(forgotten).and(unknown).and(off_list)
    }

    fn set_sources(&mut self, slot: Slot, sources: &[(SourceKey, SourceScope)]) -> Result<(), DatapathError> {
        self.sources.set(&mut self.maps, slot, sources)
    }

    fn set_vlans(&mut self, slot: Slot, vlans: VlanSet) -> Result<(), DatapathError> {
        self.maps.vlans.set(slot.0.into(), vlans, 0).map_err(map_error("write", names::MAP_VLANS))
    }

    fn set_neighbours(
        &mut self,
        port: PortId,
        neighbours: &[(NeighbourKey, MacAddr)],
    ) -> Result<(), DatapathError> {
        self.neighbours.set(&mut self.maps, port, neighbours)
    }

    fn set_group(&mut self, key: GroupKey, ports: &[PortId]) -> Result<(), DatapathError> {
        self.floods.set_group(&mut self.maps, key, ports)
    }

    fn remove_group(&mut self, key: GroupKey) -> Result<(), DatapathError> {
        self.floods.remove_group(&mut self.maps, key)
    }

    fn groups(&self) -> Vec<Group> {
        self.floods.groups()
    }

    fn snooped(&self) -> Result<Box<dyn SnoopSource>, DatapathError> {
        let slow = self.slow_snoops.try_clone().map_err(no_snoops)?;
        Ok(Box::new(KernelSnoops::open(&self.pins.maps(), slow)?))
    }

    fn originate(
        &mut self,
        (domain, vlan): (DomainId, VlanId),
        only: Option<PortId>,
        frame: &[u8],
    ) -> Result<(), DatapathError> {
        let (tables, sockets) = match &mut self.own_frames {
            Some(opened) => opened,
            none => {
                let tables = SlowTables::open(&self.pins.maps(), Arc::clone(self.maps.accounts()))?;
                none.insert((tables, TxSockets::open(&self.netns, &self.netns)?))
            }
        };
        let place = (ListId::of_domain(domain), Membership::untagged_in(vlan));
        originate(tables, sockets, place, only, frame);
        Ok(())
    }

    fn set_host_addresses(&mut self, addresses: &BTreeSet<HostAddress>) -> Result<(), DatapathError> {
        self.host_addresses.set(&mut self.maps, addresses)
    }

    fn set_storm(&mut self, slot: Slot, limits: StormLimits) {
        self.maps.accounts().set_storm(slot, limits);
    }

    fn ports(&self) -> Result<Vec<Port>, DatapathError> {
        let mut ports = Vec::new();
        for id in self.pins.linked_ports()? {
            if let Some(config) = self.maps.port(id)? {
                ports.push(Port { id, config });
            }
        }
        Ok(ports)
    }

    fn put_fdb(&mut self, key: FdbKey, entry: FdbEntry) -> Result<(), DatapathError> {
        let before = self.fdb_entry(key)?;
        self.maps.fdb.insert(key, entry, 0).map_err(|error| {
            if is_table_full(&error) {
                return DatapathError::Full {
                    map: names::MAP_FDB,
                    capacity: u64::from(abi::MAX_FDB_ENTRIES),
                };
            }
            map_error("insert", names::MAP_FDB)(error)
        })?;
        if !entry.is_learned() {
            self.fixed_fdb.insert(key, entry.port());
        } else {
            self.fixed_fdb.remove(&key);
            if let Some(port) = self.maps.port(entry.port())? {
                self.maps.accounts().claim_learned(port.slot(), 0);
            }
        }
        before.map_or(Ok(()), |before| self.release_learned(before))
    }

    fn remove_fdb(&mut self, key: FdbKey) -> Result<Option<FdbEntry>, DatapathError> {
        let Some(entry) = self.fdb_entry(key)? else { return Ok(None) };
        let was_there = remove_key(&mut self.maps.fdb, &key, "remove", names::MAP_FDB)?;
        self.fixed_fdb.remove(&key);
        if !was_there {
            return Ok(None);
        }
        self.release_learned(entry)?;
        Ok(Some(entry))
    }

    fn list_fdb(&self) -> Result<Vec<(FdbKey, FdbEntry)>, DatapathError> {
        self.maps.fdb.iter().collect::<Result<_, _>>().map_err(map_error("list", names::MAP_FDB))
    }

    fn recount_learned(&mut self, entries: &[(FdbKey, FdbEntry)]) -> Result<(), DatapathError> {
        let ports = self.ports()?;
        let slots: BTreeMap<PortId, Slot> = ports.iter().map(|port| (port.id, port.config.slot())).collect();
        let mut counted = BTreeMap::new();
        for (_, entry) in entries.iter().filter(|(_, entry)| entry.is_learned()) {
            if let Some(slot) = slots.get(&entry.port()) {
                *counted.entry(*slot).or_insert(0) += 1;
            }
        }
        self.recount.mend(self.maps.accounts(), &slots.into_values().collect(), &counted);
        Ok(())
    }

    fn learned(&self) -> u64 {
        self.maps.accounts().learned_total()
    }

    fn port_state(&self, slot: Slot) -> PortState {
        self.maps.accounts().state(slot)
    }

    fn counters(&self, slot: Slot) -> Result<PortCounters, DatapathError> {
        self.maps.counters(slot)
    }

    fn drops(&self, slot: Slot) -> Result<Vec<(DropReason, u64)>, DatapathError> {
        let mut drops = self.maps.accounts().drops(slot);
        if slot == NO_SLOT {
            // The CPU port does not tell whose frames it did not take.
            add_drops(&mut drops, DropReason::PuntFailed, slow_path::refused(&self.netlink, &self.prefix)?);
        }
        Ok(drops)
    }

    fn tables(&self) -> Result<Vec<TableUse>, DatapathError> {
        let ports = self.ports()?.len() as u64;
        let fdb = self.fixed_fdb.len() as u64 + self.learned();
        Ok(self.maps.tables(|name| match name {
            names::MAP_PORTS | names::MAP_PORT_STATE | names::MAP_PORT_COUNTERS => Some(ports),
            names::MAP_DOMAINS => Some(self.floods.domains()),
            names::MAP_FDB => Some(fdb),
            names::MAP_SOURCES => Some(self.sources.entries()),
            names::MAP_NEIGHBOURS => Some(self.neighbours.entries()),
            names::MAP_GROUPS => Some(self.floods.group_count()),
            names::MAP_HOST_ADDRESSES => Some(self.host_addresses.entries()),
            names::MAP_FLOOD_LIST => Some(self.floods.entries()),
            _ => None,
        }))
    }

    fn events(&self) -> Result<Box<dyn EventSource>, DatapathError> {
        let slow = self.slow_events.try_clone().map_err(|source| DatapathError::Io {
            op: "open",
            object: String::from("the slow path's events"),
            source,
        })?;
        Ok(Box::new(KernelEvents::open(&self.pins.maps(), slow)?))
    }

    fn probes(&self) -> Receiver<SeenProbe> {
        self.probes.clone()
    }

    fn purge(mut self: Box<Self>) -> Result<(), Vec<DatapathError>> {
        drop(self.slow_path.take());
        purge(&self.netlink, &self.prefix, &self.pins)
    }
}

fn purge(netlink: &Netlink, prefix: &str, pins: &Pins) -> Result<(), Vec<DatapathError>> {
    let steps = [
        object::clear_jumps(pins),
        slow_path::remove_cpu_port(netlink, prefix),
        relay::remove(netlink, prefix, pins),
        pins.remove(),
    ];
    let errors: Vec<_> = steps.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn no_snoops(source: io::Error) -> DatapathError {
    DatapathError::Io { op: "open", object: String::from("the slow path's membership messages"), source }
}

fn add_drops(drops: &mut Vec<(DropReason, u64)>, reason: DropReason, count: u64) {
    match drops.iter_mut().find(|(counted, _)| *counted == reason) {
        Some((_, sum)) => *sum += count,
        None if count > 0 => drops.push((reason, count)),
        None => {}
    }
}

fn is_table_full(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(failed) if failed.io_error.raw_os_error() == Some(libc::E2BIG))
}
