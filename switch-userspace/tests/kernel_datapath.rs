//! The eBPF datapath on real frames, without the control plane: ports, floods, counters, adoption, purge. Needs root and a
//! BPF file system at `/sys/fs/bpf`; namespaces and pins are the test's own and go with it.

use std::{
    net::UdpSocket,
    os::fd::AsFd as _,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use switch_common::{
    DropReason,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, DatapathError, kernel::KernelDatapath},
    netns::{AddressFlags, IfName, LinkSettings, Netlink, Netns, NetnsError},
    sys::packet::{self, Datagram, VNET_HEADER_BYTES},
};

const BPFFS: &str = "/sys/fs/bpf";
const DOMAIN: DomainId = DomainId(1);
const MTU: u32 = 1500;
const PATIENCE: Duration = Duration::from_secs(10);

/// A namespace that plays the host, with the datapath of an instance of its own; both go on drop.
struct Switch {
    instance: String,
    host: Netns,
    datapath: Option<Box<KernelDatapath>>,
    containers: Vec<Netns>,
}

impl Switch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let instance = format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let host = Netns::anonymous().expect("these tests make network namespaces and have to run as root");
        let mut switch = Self { instance, host, datapath: None, containers: Vec::new() };
        switch.open();
        switch.datapath().set_domain(DOMAIN, Nanos::from_secs(300)).expect("domain");
        switch
    }

    fn open(&mut self) {
        let opened = inside(&self.host, || KernelDatapath::open(&self.instance, Path::new(BPFFS)));
        self.datapath = Some(Box::new(opened.expect("datapath")));
    }

    fn datapath(&mut self) -> &mut KernelDatapath {
        self.datapath.as_mut().expect("open")
    }

    /// A container with 10.0.0.N on port N.
    fn add_container(&mut self, flags: PortFlags) -> (PortId, PortConfig) {
        let number = u16::try_from(self.containers.len() + 1).expect("few");
        let container = Netns::anonymous().expect("container");
        let mac = mac(number);
        let at_host = Netlink::open_in(&self.host).expect("netlink");
        let host_end = LinkSettings {
            name: Some(name(&format!("p{number}"))),
            up: Some(true),
            ..LinkSettings::default()
        };
        let peer = LinkSettings {
            name: Some(name("eth0")),
            mac: Some(mac),
            netns: Some(&container),
            ..LinkSettings::default()
        };
        at_host.create_veth(&host_end, &peer).expect("veth");
        let port = PortId(at_host.link_by_name(&format!("p{number}")).expect("host end").index.into());
        let config = PortConfig::new(DOMAIN, Slot(number), mac, MTU, 0, flags.with(PortFlags::READY, true));
        let datapath = self.datapath.as_mut().expect("open");
        inside(&self.host, || datapath.attach_port(port, config)).expect("attach");
        let entry = FdbEntry::new(port, FdbKind::Endpoint, Nanos(0));
        self.datapath().put_fdb(FdbKey::new(DOMAIN, mac), entry).expect("fdb");
        let at_container = Netlink::open_in(&container).expect("netlink");
        let eth0 = at_container.link_by_name("eth0").expect("eth0").index;
        for address in [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")] {
            let flags = AddressFlags { nodad: true, ..AddressFlags::default() };
            at_container.add_address(eth0, address.parse().expect("address"), flags).expect("address");
        }
        at_container.set_link(eth0, &LinkSettings { up: Some(true), ..LinkSettings::default() }).expect("up");
        self.containers.push(container);
        (port, config)
    }

    fn ping(&self, from: usize, to: usize) -> Output {
        let target = format!("10.0.0.{}", to + 1);
        let ping = || Command::new("ping").args(["-c", "3", "-i", "0.05", "-W", "1", &target]).output();
        inside(&self.containers[from], ping).expect("ping runs")
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let purged = inside(&self.host, || KernelDatapath::purge_leftovers(&self.instance, Path::new(BPFFS)));
        if !std::thread::panicking() {
            purged.expect("purged");
        }
    }
}

/// Does something on a thread that is in the namespace.
fn inside<T: Send>(netns: &Netns, work: impl FnOnce() -> T + Send) -> T {
    netns.run(|| Ok::<_, NetnsError>(work())).expect("entering a namespace")
}

fn name(text: &str) -> IfName {
    IfName::new(text).expect("a legal name")
}

fn mac(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}

#[test]
fn containers_on_one_domain_reach_each_other_and_are_counted() {
    let mut switch = Switch::new();
    let (_, first) = switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    let output = switch.ping(0, 1);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let counters = switch.datapath().counters(first.slot()).expect("counters");
    assert!(counters.rx_frames >= 4, "an ARP request and three echo requests: {counters:?}");
    assert!(counters.tx_frames >= 4, "their replies: {counters:?}");
}

#[test]
fn isolated_ports_do_not_reach_each_other_and_the_drop_says_so() {
    let mut switch = Switch::new();
    let flags = PortFlags::DEFAULT.with(PortFlags::ISOLATED, true);
    let (_, first) = switch.add_container(flags);
    switch.add_container(flags);
    assert!(!switch.ping(0, 1).status.success());
    let drops = switch.datapath().drops(first.slot()).expect("drops");
    assert!(drops.iter().any(|(reason, _)| *reason == DropReason::NoFlood), "{drops:?}");
}

#[test]
fn a_reopened_datapath_has_the_same_ports_entries_and_traffic() {
    let mut switch = Switch::new();
    switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    let before = (switch.datapath().ports().expect("ports"), switch.datapath().list_fdb().expect("fdb"));
    switch.datapath = None;
    assert!(switch.ping(0, 1).status.success(), "traffic needs no daemon");
    switch.open();
    let after = (switch.datapath().ports().expect("ports"), switch.datapath().list_fdb().expect("fdb"));
    assert_eq!(before, after);
    assert!(switch.ping(0, 1).status.success());
}

#[test]
fn a_detached_port_forwards_nothing_and_leaves_no_entry() {
    let mut switch = Switch::new();
    let (port, _) = switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    switch.datapath().detach_port(port).expect("detach");
    assert!(!switch.ping(1, 0).status.success());
    assert!(switch.datapath().list_fdb().expect("fdb").iter().all(|(_, entry)| entry.port() != port));
}

#[test]
fn pins_of_another_schema_are_refused_by_name() {
    let mut switch = Switch::new();
    switch.datapath = None;
    let foreign = Path::new(BPFFS).join("wye").join(&switch.instance).join("v999");
    std::fs::create_dir(&foreign).expect("a directory");
    let opened = inside(&switch.host, || KernelDatapath::open(&switch.instance, Path::new(BPFFS)));
    match opened.err() {
        Some(DatapathError::ForeignPin { path, .. }) => assert_eq!(path, foreign),
        other => panic!("{other:?}"),
    }
}

/// UDP from fd00::1 port 9 to fd00::2 port 9, behind `extensions` destination-options headers of padding.
fn behind_extensions(extensions: u8, payload: &[u8]) -> Vec<u8> {
    const DEST_OPTIONS: u8 = 60;
    const UDP: u8 = 17;
    let address = |number| [[0xfd, 0].as_slice(), &[0; 13], &[number]].concat();
    let udp_len = u16::try_from(8 + payload.len()).expect("short").to_be_bytes();
    let segment = [&[0, 9, 0, 9], udp_len.as_slice(), &[0, 0], payload].concat();
    let pseudo = [address(1), address(2), vec![0, 0], udp_len.to_vec(), vec![0, 0, 0, UDP], segment.clone()];
    let mut segment = segment;
    segment[6..8].copy_from_slice(&checksum(&pseudo.concat()));
    let next = |left| if left == 0 { UDP } else { DEST_OPTIONS };
    let chain: Vec<u8> = (0..extensions).rev().flat_map(|left| [next(left), 0, 1, 4, 0, 0, 0, 0]).collect();
    let length = u16::try_from(chain.len() + segment.len()).expect("short").to_be_bytes();
    let ip =
        [&[0x60, 0, 0, 0], length.as_slice(), &[next(extensions), 64], &address(1), &address(2)].concat();
    [mac(2).bytes().as_slice(), &mac(1).bytes(), &[0x86, 0xdd], &ip, &chain, &segment].concat()
}

/// RFC 1071 over an even number of bytes.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!u16::try_from(folded).expect("folded")).to_be_bytes()
}

fn send_raw(container: &Netns, frame: &[u8]) {
    inside(container, || {
        let socket = packet::open().expect("packet socket");
        let interface = Netlink::open().expect("netlink").link_by_name("eth0").expect("eth0").index.into();
        let datagram = Datagram {
            interface,
            vnet_header: [0; VNET_HEADER_BYTES],
            head: frame,
            inserted: None,
            tail: &[],
        };
        assert_eq!(packet::send(socket.as_fd(), &[datagram]).expect("sent"), 1);
    });
}

#[test]
fn a_frame_beyond_the_fast_paths_reach_takes_the_slow_path_and_arrives() {
    let mut switch = Switch::new();
    let (_, first) = switch.add_container(PortFlags::DEFAULT);
    let (_, second) = switch.add_container(PortFlags::DEFAULT);
    let reached = || Command::new("ping").args(["-c", "1", "-w", "10", "-i", "0.1", "fd00::2"]).output();
    let reached = inside(&switch.containers[0], reached).expect("ping runs");
    assert!(reached.status.success(), "both interfaces are in use: {reached:?}");
    let receiver = inside(&switch.containers[1], || UdpSocket::bind("[fd00::2]:9")).expect("bound");
    receiver.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut received = [0; 16];
    for (extensions, by_slow_path) in [(4, 0), (6, 1)] {
        send_raw(&switch.containers[0], &behind_extensions(extensions, b"how far?"));
        let arrived = receiver.recv(&mut received);
        let drops = switch.datapath().drops(first.slot()).expect("drops");
        assert_eq!(arrived.expect("the datagram arrives"), 8, "{extensions} extension headers: {drops:?}");
        assert_eq!(&received[..8], b"how far?");
        assert_eq!(switch.datapath().port_state(second.slot()).slow_tx_frames, by_slow_path);
    }
}
