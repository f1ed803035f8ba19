//! The switch at its size: eleven hundred ports on one network, and a full FDB.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use switch_common::abi::{MAX_FDB_ENTRIES, addr::MacAddr};
use switch_userspace::{
    api::{
        client::Client,
        routes::{self, SOCKET_NAME, fill},
        types::{Connect, Endpoint, EndpointAdd, NetnsChoice, NetworkCreate, Port, Status},
    },
    datapath::Mode,
    netns::{Family, Netns, Sysctl},
};
use wye_tests::support::{
    netns,
    packet::{build, socket::Sender},
    topology::wait_until,
    wye::Wye,
};

const PORTS: usize = 1_100;
/// Pairs that ping each other.
const PAIRS: usize = 50;
/// Broadcast frames of the burst.
const BROADCASTS: u64 = 10;
const MAX_DAEMON_KIB: u64 = 48 * 1024;
/// How long the daemon is watched doing nothing.
const IDLE: Duration = Duration::from_secs(3);
/// Ticks of CPU time that it may take for that.
const MAX_IDLE_TICKS: u64 = 1;
/// Sources beyond those that the FDB takes.
const BEYOND: u32 = 4_096;
/// Frames that are sent before the switch has to have seen them all.
const BURST: u32 = 256;
/// IEEE's "local experimental" EtherType: nothing else sends it.
const ETHERTYPE: u16 = 0x88b5;

#[test]
fn eleven_hundred_ports_on_one_network() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let rng = &mut Rng::with_seed(seed);
    let wye = Wye::start(Mode::Ebpf);
    let api = client(&wye);
    network(&api);
    let began = Instant::now();
    let quiet: Vec<_> = (0..PORTS).map(|number| Quiet::add(&wye, &api, &format!("e{number}"))).collect();
    println!("{PORTS} endpoints in {:?}", began.elapsed());

    a_broadcast_reaches_every_other_port_once(&api, &quiet, rng);
    for _ in 0..PAIRS {
        let from = rng.usize(..PORTS);
        let to = (from + rng.usize(1..PORTS)) % PORTS;
        let ip = quiet[to].endpoint.attachments[0].ips[0].addr().to_string();
        netns::run(&quiet[from].netns(), "ping", &["-c", "1", "-W", "5", &ip]);
    }

    let pid = wye.daemon_pid();
    let kib = resident_kib(pid);
    println!("the daemon has {kib} KiB");
    assert!(kib < MAX_DAEMON_KIB, "{kib} KiB");
    // There is no event to wait for: that nothing happens for a while is what is asserted.
    let before = cpu_ticks(pid);
    thread::sleep(IDLE);
    let ticks = cpu_ticks(pid) - before;
    assert!(ticks <= MAX_IDLE_TICKS, "{ticks} ticks of CPU time in {IDLE:?} without a request");
}

fn a_broadcast_reaches_every_other_port_once(api: &Client, quiet: &[Quiet], rng: &mut Rng) {
    let sender = &quiet[rng.usize(..quiet.len())];
    let sent_to = || {
        let ports: Vec<Port> = api.get(routes::PORTS).expect("ports");
        ports.into_iter().map(|port| (port.name, port.counters.tx_frames)).collect::<BTreeMap<_, _>>()
    };
    let came_in = || quiet.iter().map(Quiet::received).collect::<Vec<_>>();
    let (sent_before, came_before) = (sent_to(), came_in());
    let frame = build::eth(MacAddr::new([0xff; 6]), sender.mac(), ETHERTYPE, &[0x5a; 64]);
    let mut socket = Sender::open(&sender.netns(), "eth0");
    for _ in 0..BROADCASTS {
        socket.send(&frame);
    }
    let wanted = |one: &Quiet| if one.name == sender.name { 0 } else { BROADCASTS };
    wait_until("every container has the broadcast frames", || {
        quiet.iter().zip(&came_before).all(|(one, before)| one.received() - before >= wanted(one))
    });
    let (sent_after, came_after) = (sent_to(), came_in());
    for (one, (before, after)) in quiet.iter().zip(came_before.iter().zip(&came_after)) {
        assert_eq!(after - before, wanted(one), "frames that came in at {}", one.name);
        let counted = sent_after[&one.name] - sent_before[&one.name];
        assert_eq!(counted, wanted(one), "frames counted to {}", one.name);
    }
}

#[test]
fn the_fdb_takes_65536_entries_and_loses_nothing_when_full() {
    let wye = Wye::start(Mode::Ebpf);
    let api = client(&wye);
    network(&api);
    let [a, b] = ["a", "b"].map(|name| Quiet::add(&wye, &api, name));
    wye.ok(&["port", "set", "a", "--max-macs", "0"]);
    let own = u64::try_from([&a, &b].len()).expect("a few");
    let capacity = u64::from(MAX_FDB_ENTRIES);
    let sources = MAX_FDB_ENTRIES + BEYOND;

    let mut socket = Sender::open(&a.netns(), "eth0");
    let (from_a, to_b) = (port(&api, "a").counters.rx_frames, port(&api, "b").counters.tx_frames);
    for number in 0..sources {
        socket.send(&build::eth(b.mac(), source(number), ETHERTYPE, &[0; 46]));
        let sent = number + 1;
        if sent % BURST == 0 || sent == sources {
            let sent = from_a + u64::from(sent);
            wait_until("the switch has seen every frame", || port(&api, "a").counters.rx_frames >= sent);
        }
    }

    let at_a = port(&api, "a");
    assert_eq!(at_a.counters.rx_frames - from_a, u64::from(sources));
    assert_eq!(port(&api, "b").counters.tx_frames - to_b, u64::from(sources), "{:?}", at_a.drops);
    assert_eq!(at_a.learned, capacity - own);
    assert_eq!(fdb_entries(&api), capacity);
    let learned = |number: u32| wye.fdb_entry(&source(number).to_string()).map(|entry| entry.port);
    assert_eq!(learned(0), Some("a".to_owned()));
    assert_eq!(learned(sources - 1), None);
    assert!(a.pings(&b) && b.pings(&a), "a full FDB stops nobody");

    wye.ok(&["fdb", "flush", "dev", "a"]);
    assert_eq!((port(&api, "a").learned, fdb_entries(&api)), (0, own));
    socket.send(&build::eth(b.mac(), source(sources - 1), ETHERTYPE, &[0; 46]));
    wait_until("there is room again", || learned(sources - 1) == Some("a".to_owned()));
}

/// An endpoint whose container says nothing by itself: it has no IPv6.
struct Quiet {
    name: String,
    namespace: String,
    endpoint: Endpoint,
}

impl Quiet {
    fn add(wye: &Wye, api: &Client, name: &str) -> Self {
        let namespace = format!("{}-{name}", wye.instance());
        let netns = Netns::create_named(&namespace).expect("a namespace");
        netns
            .run(|| Sysctl::family(Family::Ipv6, "conf/default/disable_ipv6").set("1"))
            .expect("IPv6 is switched off");
        let wish = EndpointAdd {
            name: name.to_owned(),
            network: "red".to_owned(),
            netns: NetnsChoice::Existing(namespace.clone()),
            namespace: None,
            labels: BTreeMap::new(),
            connect: Connect::default(),
        };
        let endpoint = api.post(routes::ENDPOINTS, &wish).expect("an endpoint");
        Self { name: name.to_owned(), namespace, endpoint }
    }

    fn netns(&self) -> Netns {
        Netns::open_name(&self.namespace).expect("the container's namespace")
    }

    fn mac(&self) -> MacAddr {
        self.endpoint.attachments[0].mac.parse().expect("a MAC")
    }

    /// Frames that came in through `eth0`.
    fn received(&self) -> u64 {
        let table = netns::inside(&self.netns(), || fs::read_to_string("/proc/thread-self/net/dev"));
        let table = table.expect("statistics of interfaces");
        let numbers = table.lines().find_map(|line| line.trim().strip_prefix("eth0:")).expect("eth0");
        numbers
            .split_whitespace()
            .nth(1)
            .and_then(|packets| packets.parse().ok())
            .expect("a count of packets")
    }

    fn pings(&self, other: &Self) -> bool {
        let ip = other.endpoint.attachments[0].ips[0].addr().to_string();
        netns::output(&self.netns(), "ping", &["-c", "1", "-W", "5", &ip]).status.success()
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _gone = Netns::delete_named(&self.namespace);
    }
}

fn client(wye: &Wye) -> Client {
    Client::new(wye.dir().join("run").join(wye.instance()).join(SOCKET_NAME)).expect("a client")
}

fn network(api: &Client) {
    let subnets = vec!["10.1.0.0/16".parse().expect("a subnet")];
    let wish = NetworkCreate { name: "red".to_owned(), subnets, ..NetworkCreate::default() };
    let _network: serde_json::Value = api.post(routes::NETWORKS, &wish).expect("a network");
}

fn port(api: &Client, name: &str) -> Port {
    api.get(&fill(routes::PORT, &[name])).expect("a port")
}

fn fdb_entries(api: &Client) -> u64 {
    let status: Status = api.get(routes::STATUS).expect("status");
    let fdb = status.tables.iter().find(|table| table.name == "fdb").expect("the FDB");
    fdb.entries.expect("the FDB is filled entry by entry")
}

/// One of many MACs that nobody has.
fn source(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr::new([0x0a, 0, a, b, c, d])
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the daemon's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("KiB")
}

/// User and system time of the process so far.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the daemon's times");
    // The name, in parentheses, may have spaces; utime and stime are the fields 14 and 15 of all.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
}
