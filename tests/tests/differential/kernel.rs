//! The loaded program, driven by BPF_PROG_TEST_RUN at interfaces that swallow every copy.

use std::path::Path;

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use switch_common::{
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey},
        group::GroupKey,
        names::PROG_PORT_INGRESS,
        neighbour::NeighbourKey,
        port::{PortConfig, PortFlags},
        source::{SourceKey, SourceScope},
        storm::StormLimits,
        vlan::VlanSet,
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, kernel::KernelDatapath},
    netns::{IfName, LinkSettings, Netlink, Netns},
    sys::clock,
};
use wye_tests::support::{
    netns,
    scenario::{AGEING, DOMAINS, FrameSpec, PORTS, Scenario, port_mac, slot},
    topology::{BPFFS, unique_instance},
};

use crate::compare::{Fdb, Outcome, SlotState};

/// Longest frame that a run gives back.
const FRAME_MAX: usize = 4096;
/// `struct __sk_buff`: its size, and the offsets of what a run may set.
const CONTEXT_LEN: usize = 192;
const CONTEXT_IFINDEX: usize = 40;
const CONTEXT_SEGMENT_SIZE: usize = 176;

/// The eBPF datapath with its ports; what it pinned goes with it.
pub(crate) struct Kernel {
    datapath: Option<Box<KernelDatapath>>,
    program: SchedClassifier,
    cpu: usize,
    /// The interfaces: those of ports, and one that is no port.
    interfaces: Vec<PortId>,
    configs: Vec<PortConfig>,
    sources: Vec<Vec<(SourceKey, SourceScope)>>,
    vlans: Vec<VlanSet>,
    neighbours: Vec<Vec<(NeighbourKey, MacAddr)>>,
    groups: Vec<(GroupKey, Vec<usize>)>,
    domain_flags: DomainFlags,
    /// Where their other ends are.
    void: Netns,
}

impl Kernel {
    /// Loads the programs in the calling thread's namespace, which is `host`; the thread stays on `cpu`.
    pub(crate) fn new(host: &Netns, cpu: usize) -> Self {
        let opened = KernelDatapath::open(&unique_instance(), Path::new(BPFFS));
        let datapath = Box::new(opened.expect("the eBPF datapath"));
        let program =
            SchedClassifier::from_pin(datapath.programs_dir().join(PROG_PORT_INGRESS)).expect("the program");
        let void = netns::new_silent();
        let mut kernel = Self {
            datapath: Some(datapath),
            program,
            cpu,
            interfaces: Vec::new(),
            configs: Vec::new(),
            sources: vec![Vec::new(); PORTS],
            vlans: vec![VlanSet::default(); PORTS],
            neighbours: vec![Vec::new(); PORTS],
            groups: Vec::new(),
            domain_flags: DomainFlags::NONE,
            void,
        };
        kernel.interfaces = interfaces_into(host, &kernel.void, PORTS + 1);
        for domain in 1..=DOMAINS {
            kernel.datapath_mut().set_domain(DomainId(domain), AGEING, DomainFlags::NONE).expect("a domain");
        }
        for index in 0..PORTS {
            let port = kernel.interfaces[index];
            let config = PortConfig::new(DomainId(1), slot(index), port_mac(index), 1500, 0, PortFlags::NONE);
            kernel.datapath_mut().attach_port(port, config).expect("a port");
            kernel.configs.push(config);
        }
        kernel
    }

    /// Ports by index; the last is an interface that is no port.
    pub(crate) fn ports(&self) -> &[PortId] {
        &self.interfaces
    }

    /// Sets ports and FDB as the scenario says; counters go on.
    pub(crate) fn set_up(&mut self, scenario: &Scenario) {
        for (key, _) in self.datapath().list_fdb().expect("the FDB") {
            self.datapath_mut().remove_fdb(key).expect("an entry is removed");
        }
        for index in 0..PORTS {
            let config = scenario.config(index);
            // A program may have found an interface up that was taken to be down.
            if self.configs[index] != config || config.flags().has(PortFlags::DOWN) {
                let port = self.interfaces[index];
                self.datapath_mut().update_port(port, config).expect("a port is changed");
                self.configs[index] = config;
            }
            let vlans = scenario.vlans(index);
            if self.vlans[index] != vlans {
                self.datapath_mut().set_vlans(slot(index), vlans).expect("VLANs are set");
                self.vlans[index] = vlans;
            }
            // Accounts begin anew where limits change.
            self.datapath_mut().set_storm(slot(index), StormLimits::NONE);
            self.datapath_mut().set_storm(slot(index), scenario.storm(index));
            let sources = scenario.sources(index);
            if self.sources[index] != sources {
                self.datapath_mut().set_sources(slot(index), &sources).expect("sources are set");
                self.sources[index] = sources;
            }
        }
        self.set_up_neighbours(scenario);
        self.set_up_groups(scenario);
        self.datapath_mut().set_host_addresses(&scenario.host_addresses()).expect("addresses are set");
        let now = clock::monotonic();
        for entry in &scenario.entries {
            let (kind, age) = entry.kind.parts();
            let key = FdbKey::new(DomainId(entry.domain), entry.mac);
            let value = FdbEntry::new(self.interfaces[entry.port], kind, Nanos(now.0.saturating_sub(age.0)));
            self.datapath_mut().put_fdb(key, value).expect("an entry is put in");
        }
    }

    /// Registers the groups, one after the other: both worlds give them the same lists.
    fn set_up_groups(&mut self, scenario: &Scenario) {
        let wanted = scenario.groups();
        if self.groups == wanted {
            return;
        }
        for group in self.datapath().groups() {
            self.datapath_mut().remove_group(group.key).expect("a group is removed");
        }
        for (key, members) in &wanted {
            let ports: Vec<_> = members.iter().map(|index| self.interfaces[*index]).collect();
            self.datapath_mut().set_group(*key, &ports).expect("a group is set");
        }
        self.groups = wanted;
    }

    /// Sets what the domains do with questions, and who is known.
    fn set_up_neighbours(&mut self, scenario: &Scenario) {
        let flags = scenario.domain_flags();
        if self.domain_flags != flags {
            for domain in 1..=DOMAINS {
                self.datapath_mut().set_domain(DomainId(domain), AGEING, flags).expect("a domain is changed");
            }
            self.domain_flags = flags;
        }
        let wanted: Vec<_> = (0..PORTS).map(|index| scenario.neighbours(index)).collect();
        if self.neighbours == wanted {
            return;
        }
        for (index, neighbours) in wanted.iter().enumerate() {
            let port = self.interfaces[index];
            self.datapath_mut().set_neighbours(port, neighbours).expect("neighbours are set");
        }
        self.neighbours = wanted;
    }

    /// Runs the program on a frame.
    pub(crate) fn inject(&mut self, frame: &FrameSpec) -> Outcome {
        let mut context = [0; CONTEXT_LEN];
        let mut set = |at: usize, value: u32| context[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        set(CONTEXT_IFINDEX, self.interfaces[frame.port].0);
        set(CONTEXT_SEGMENT_SIZE, frame.segment_size);
        let mut bytes = vec![0; FRAME_MAX];
        let run = self.program.test_run(TestRunOptions {
            data_in: Some(&frame.bytes),
            data_out: Some(&mut bytes),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        });
        let run = run.unwrap_or_else(|error| panic!("{error:?}: {} bytes", frame.bytes.len()));
        bytes.truncate(run.data_size_out as usize);
        let verdict = self.datapath().last_verdicts().expect("the last verdicts")[self.cpu];
        Outcome { verdict, action: run.return_value, bytes }
    }

    /// Counters of the port with this index; slot 0 is that of interfaces that are no ports.
    pub(crate) fn slot(&self, place: usize) -> SlotState {
        let slot = Slot(u16::try_from(place).expect("a few slots"));
        SlotState {
            traffic: self.datapath().counters(slot).expect("counters"),
            drops: self.datapath().drops(slot).expect("drops").into_iter().collect(),
            state: self.datapath().port_state(slot),
        }
    }

    /// The FDB as it is now.
    pub(crate) fn fdb(&self) -> Fdb {
        self.datapath().list_fdb().expect("the FDB").into_iter().collect()
    }

    fn datapath(&self) -> &KernelDatapath {
        self.datapath.as_ref().expect("open until it is dropped")
    }

    fn datapath_mut(&mut self) -> &mut KernelDatapath {
        self.datapath.as_mut().expect("open until it is dropped")
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if let Some(datapath) = self.datapath.take() {
            let purged = datapath.purge();
            if !std::thread::panicking() {
                purged.expect("everything is taken out");
            }
        }
    }
}

/// Interfaces of `host` whose other ends lie in a namespace without addresses, which answers nothing.
fn interfaces_into(host: &Netns, void: &Netns, count: usize) -> Vec<PortId> {
    let (at_host, at_void) =
        (Netlink::open_in(host).expect("netlink"), Netlink::open_in(void).expect("netlink"));
    let up = LinkSettings { up: Some(true), ..LinkSettings::default() };
    let end = |name: &str| LinkSettings {
        name: Some(IfName::new(name).expect("a short name")),
        mtu: Some(9000),
        ..LinkSettings::default()
    };
    (0..count)
        .map(|index| {
            let name = format!("p{index}");
            let peer = LinkSettings { netns: Some(void), ..end(&name) };
            at_host.create_veth(&end(&name), &peer).expect("a veth pair");
            let index = |netlink: &Netlink| netlink.link_by_name(&name).expect("just made").index;
            at_void.set_link(index(&at_void), &up).expect("up");
            at_host.set_link(index(&at_host), &up).expect("up");
            PortId::from(index(&at_host))
        })
        .collect()
}
