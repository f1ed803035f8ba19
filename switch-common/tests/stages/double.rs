//! The stages' world in ordinary memory: a frame, tables and a clock whose contents a test says.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use switch_common::{
    DropReason, FloodKind,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::{DomainConfig, DomainFlags},
        fdb::{FdbEntry, FdbKey},
        group::{GroupKey, ListId},
        host::HostAddress,
        neighbour::{Neighbour, NeighbourKey},
        port::{PortConfig, PortFlags},
        source::{SourceKey, SourceScope},
        storm::{StormGate, StormLimit},
        vlan::VlanSet,
    },
    stage::env::{Clock, Frame, InsertError, ParseDepth, Tables},
    units::Nanos,
    wire::vlan::{Tag, VlanId},
};

/// A MAC of the locally administered range.
pub(crate) const fn mac(last: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, last])
}

/// A frame in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestFrame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) offloaded: Option<Tag>,
    pub(crate) segment_size: u32,
}

impl TestFrame {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }
}

impl Frame for TestFrame {
    const DEPTH: ParseDepth = ParseDepth::FAST_PATH;

    fn len(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("a frame below 4 GiB")
    }

    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.bytes.get(offset as usize..)?.first_chunk().copied()
    }

    fn offloaded_tag(&self) -> Option<Tag> {
        self.offloaded
    }

    fn segment_size(&self) -> u32 {
        self.segment_size
    }
}

/// Tables in memory, and a log of what the stages counted.
#[derive(Default)]
pub(crate) struct TestTables {
    pub(crate) ports: RefCell<HashMap<PortId, PortConfig>>,
    pub(crate) domains: RefCell<HashMap<DomainId, DomainConfig>>,
    pub(crate) sources: RefCell<HashMap<SourceKey, SourceScope>>,
    pub(crate) vlans: RefCell<HashMap<Slot, VlanSet>>,
    pub(crate) neighbours: RefCell<HashMap<NeighbourKey, Neighbour>>,
    pub(crate) groups: RefCell<HashMap<GroupKey, ListId>>,
    pub(crate) host_addresses: RefCell<HashSet<HostAddress>>,
    pub(crate) gates: RefCell<HashMap<(Slot, u8), StormGate>>,
    pub(crate) error_accounts: RefCell<HashMap<Slot, Nanos>>,
    pub(crate) fdb: RefCell<HashMap<FdbKey, FdbEntry>>,
    pub(crate) learned: RefCell<HashMap<Slot, u32>>,
    pub(crate) not_learned: RefCell<Vec<Slot>>,
    pub(crate) rx: RefCell<Vec<(Slot, u32)>>,
    pub(crate) tx: RefCell<Vec<(Slot, u32)>>,
    pub(crate) drops: RefCell<Vec<(Slot, DropReason)>>,
    /// What the next insert is refused with.
    pub(crate) refuse_insert: Cell<Option<InsertError>>,
    /// Whether somebody else is quicker than the next move.
    pub(crate) refuse_move: Cell<bool>,
    /// How often somebody else is quicker to charge a storm account from now on.
    pub(crate) refuse_charges: Cell<u32>,
}

/// The domain of [`TestTables::with_ports`].
pub(crate) const DOMAIN: DomainId = DomainId(1);
/// Its ageing time.
pub(crate) const AGEING: Nanos = Nanos::from_secs(300);

impl TestTables {
    /// Ports 1 to `count` of one domain: port N has slot N, MAC N and MTU 1500, and is as a new port is.
    pub(crate) fn with_ports(count: u8) -> Self {
        let tables = Self::default();
        let domain = DomainConfig::new(AGEING, DomainFlags::NONE);
        tables.domains.borrow_mut().insert(DOMAIN, domain);
        for number in 1..=count {
            tables.set_port(number, DOMAIN, 0, ready(PortFlags::DEFAULT));
        }
        tables
    }

    /// Gives port `number` a record.
    pub(crate) fn set_port(&self, number: u8, domain: DomainId, max_macs: u32, flags: PortFlags) {
        let config = PortConfig::new(domain, Slot(u16::from(number)), mac(number), 1500, max_macs, flags);
        self.ports.borrow_mut().insert(port(number), config);
    }

    /// The record of port `number`.
    pub(crate) fn config(&self, number: u8) -> PortConfig {
        self.ports.borrow()[&port(number)]
    }

    /// The entry of a MAC.
    pub(crate) fn entry(&self, mac: MacAddr) -> Option<FdbEntry> {
        self.fdb.borrow().get(&FdbKey::new(DOMAIN, mac)).copied()
    }

    /// Puts an entry in.
    pub(crate) fn put(&self, mac: MacAddr, entry: FdbEntry) {
        self.fdb.borrow_mut().insert(FdbKey::new(DOMAIN, mac), entry);
    }

    /// Gives port `number` a limit and an account that nothing was charged to.
    pub(crate) fn limit(&self, number: u8, kind: FloodKind, limit: StormLimit) {
        let gate = StormGate::new(limit, Nanos(0));
        self.gates.borrow_mut().insert((Slot(u16::from(number)), kind as u8), gate);
    }

    /// MACs that count as learned at port `number`.
    pub(crate) fn learned(&self, number: u8) -> u32 {
        self.learned.borrow().get(&Slot(u16::from(number))).copied().unwrap_or(0)
    }
}

impl Tables for TestTables {
    fn port(&self, port: PortId) -> Option<PortConfig> {
        self.ports.borrow().get(&port).copied()
    }

    fn domain(&self, domain: DomainId) -> Option<DomainConfig> {
        self.domains.borrow().get(&domain).copied()
    }

    fn note_awake(&self, port: PortId) {
        if let Some(config) = self.ports.borrow_mut().get_mut(&port) {
            *config = config.with_flags(config.flags().with(PortFlags::DOWN, false));
        }
    }

    fn source(&self, key: SourceKey) -> Option<SourceScope> {
        self.sources.borrow().get(&key).copied()
    }

    fn carries_vlan(&self, slot: Slot, vlan: VlanId) -> bool {
        self.vlans.borrow().get(&slot).is_some_and(|set| set.has(vlan))
    }

    fn neighbour(&self, key: NeighbourKey) -> Option<Neighbour> {
        self.neighbours.borrow().get(&key).copied()
    }

    fn group(&self, key: GroupKey) -> ListId {
        self.groups.borrow().get(&key).copied().unwrap_or(ListId::NONE)
    }

    fn is_host_address(&self, address: HostAddress) -> bool {
        self.host_addresses.borrow().contains(&address)
    }

    fn storm_gate(&self, slot: Slot, kind: FloodKind) -> StormGate {
        self.gates.borrow().get(&(slot, kind as u8)).copied().unwrap_or_default()
    }

    fn storm_charge(&self, slot: Slot, kind: FloodKind, known: Nanos, next: Nanos) -> bool {
        if let Some(left) = self.refuse_charges.get().checked_sub(1) {
            self.refuse_charges.set(left);
            return false;
        }
        let mut gates = self.gates.borrow_mut();
        let gate = gates.get_mut(&(slot, kind as u8)).expect("only what has a limit is charged");
        assert_eq!(gate.paid_at(), known, "nobody else is there");
        *gate = StormGate::new(gate.limit(), next);
        true
    }

    fn error_account(&self, slot: Slot) -> Nanos {
        self.error_accounts.borrow().get(&slot).copied().unwrap_or_default()
    }

    fn error_charge(&self, slot: Slot, known: Nanos, next: Nanos) -> bool {
        if let Some(left) = self.refuse_charges.get().checked_sub(1) {
            self.refuse_charges.set(left);
            return false;
        }
        let before = self.error_accounts.borrow_mut().insert(slot, next).unwrap_or_default();
        assert_eq!(before, known, "nobody else is there");
        true
    }

    fn fdb_lookup(&self, key: FdbKey) -> Option<FdbEntry> {
        self.fdb.borrow().get(&key).copied()
    }

    fn fdb_insert(&self, key: FdbKey, entry: FdbEntry) -> Result<(), InsertError> {
        if let Some(error) = self.refuse_insert.take() {
            return Err(error);
        }
        assert_eq!(self.fdb.borrow_mut().insert(key, entry), None, "insert over an entry");
        Ok(())
    }

    fn fdb_refresh(&self, key: FdbKey, known: FdbEntry, now: Nanos) {
        if let Some(entry) = self.fdb.borrow_mut().get_mut(&key).filter(|entry| entry.is_at_place_of(known)) {
            *entry = known.seen_at(now);
        }
    }

    fn fdb_move(&self, key: FdbKey, known: FdbEntry, seen: FdbEntry) -> bool {
        if self.refuse_move.take() {
            return false;
        }
        let mut fdb = self.fdb.borrow_mut();
        let entry = fdb.get_mut(&key).filter(|entry| entry.is_at_place_of(known));
        entry.map(|entry| *entry = seen).is_some()
    }

    fn claim_learned(&self, slot: Slot, cap: u32) -> bool {
        let mut learned = self.learned.borrow_mut();
        let count = learned.entry(slot).or_default();
        let room = cap == 0 || *count < cap;
        *count += u32::from(room);
        room
    }

    fn release_learned(&self, slot: Slot) {
        let mut learned = self.learned.borrow_mut();
        let count = learned.get_mut(&slot).expect("a release follows a claim");
        *count = count.checked_sub(1).expect("a release follows a claim");
    }

    fn count_not_learned(&self, slot: Slot) {
        self.not_learned.borrow_mut().push(slot);
    }

    fn count_rx(&self, slot: Slot, bytes: u32) {
        self.rx.borrow_mut().push((slot, bytes));
    }

    fn count_tx(&self, slot: Slot, bytes: u32) {
        self.tx.borrow_mut().push((slot, bytes));
    }

    fn count_drop(&self, slot: Slot, reason: DropReason) {
        self.drops.borrow_mut().push((slot, reason));
    }
}

/// A clock that stands until a test sets it.
#[derive(Default)]
pub(crate) struct TestClock(pub(crate) Cell<Nanos>);

impl TestClock {
    /// A clock that shows `secs`.
    pub(crate) fn at_secs(secs: u32) -> Self {
        Self(Cell::new(Nanos::from_secs(secs)))
    }

    /// Moves it on.
    pub(crate) fn advance(&self, span: Nanos) {
        self.0.set(Nanos(self.0.get().0 + span.0));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Nanos {
        self.0.get()
    }

    fn exact_now(&self) -> Nanos {
        self.0.get()
    }
}

/// The interface of port `number`: not its slot, so that neither can stand for the other.
pub(crate) const fn port(number: u8) -> PortId {
    PortId(1000 + number as u32)
}

/// `flags` of a port whose configuration is complete.
pub(crate) const fn ready(flags: PortFlags) -> PortFlags {
    flags.with(PortFlags::READY, true)
}
