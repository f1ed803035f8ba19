//! The switch at its size: eleven hundred ports on one network, and a full FDB.

mod process;
mod quiet;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use switch_common::abi::{MAX_FDB_ENTRIES, addr::MacAddr};
use switch_userspace::{
    api::{
        client::Client,
        routes::{self, SOCKET_NAME, fill},
        types::{Endpoint, EndpointState, NetworkCreate, Port, Status},
    },
    datapath::Mode,
};
use wye_tests::{
    both_datapaths,
    support::{
        packet::{build, socket::Sender},
        topology::wait_until,
        wye::Wye,
    },
};

use self::quiet::Quiet;

both_datapaths!(eleven_hundred_ports_on_one_network, the_fdb_takes_65536_entries_and_loses_nothing_when_full,);

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

fn eleven_hundred_ports_on_one_network(mode: Mode) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let rng = &mut Rng::with_seed(seed);
    let mut wye = Wye::start(mode);
    let api = client(&wye);
    network(&api);
    let began = Instant::now();
    let quiet: Vec<_> = (0..PORTS).map(|number| Quiet::add(&wye, &api, &format!("e{number}"))).collect();
    println!("{PORTS} endpoints in {:?}", began.elapsed());
    // Each has announced itself to all the others.
    wye.wait_for_idleness();

    a_broadcast_reaches_every_other_port_once(&api, &quiet, rng);
    the_daemon_is_small_and_idle(wye.daemon_pid());
    a_killed_daemon_comes_back_whole(&mut wye, mode);
    a_broadcast_reaches_every_other_port_once(&api, &quiet, rng);
    // Containers that ping go on asking for each other, so that comes last.
    pairs_reach_each_other(&quiet, rng);
}

fn pairs_reach_each_other(quiet: &[Quiet], rng: &mut Rng) {
    for _ in 0..PAIRS {
        let from = rng.usize(..PORTS);
        let to = (from + rng.usize(1..PORTS)) % PORTS;
        assert!(quiet[from].pings(&quiet[to]), "{} to {}", quiet[from].name, quiet[to].name);
    }
}

fn the_daemon_is_small_and_idle(pid: u32) {
    let kib = process::resident_kib(pid);
    println!("the daemon has {kib} KiB");
    assert!(kib < MAX_DAEMON_KIB, "{kib} KiB");
    // There is no event to wait for: that nothing happens for a while is what is asserted.
    let before = process::cpu_ticks(pid);
    thread::sleep(IDLE);
    let ticks = process::cpu_ticks(pid) - before;
    assert!(ticks <= MAX_IDLE_TICKS, "{ticks} ticks of CPU time in {IDLE:?} without a request");
}

fn a_killed_daemon_comes_back_whole(wye: &mut Wye, mode: Mode) {
    let endpoints: Vec<Endpoint> = wye.json(&["endpoint", "ls"]);
    wye.kill_daemon();
    let began = Instant::now();
    wye.ok(&["up", "--datapath", wye.datapath()]);
    let up = began.elapsed();
    let status: Status = wye.json(&["status"]);
    println!("{mode:?}: up again in {up:?}, whole status after {:?}", began.elapsed());
    let all = u64::try_from(PORTS).expect("a small number");
    let counts = (status.networks, status.ports, status.endpoints, status.endpoints_not_ready);
    assert_eq!(counts, (1, all + 1, all, 0), "{:?}", status.warnings);
    assert_eq!(status.warnings, Vec::<String>::new());
    assert_eq!(wye.json::<Vec<Endpoint>>(&["endpoint", "ls"]), endpoints);
    assert!(endpoints.iter().all(|endpoint| endpoint.state == EndpointState::Ready));
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

fn the_fdb_takes_65536_entries_and_loses_nothing_when_full(mode: Mode) {
    let wye = Wye::start(mode);
    let api = client(&wye);
    network(&api);
    let [a, b] = ["a", "b"].map(|name| Quiet::add(&wye, &api, name));
    wye.ok(&["port", "set", "a", "--guard", "off"]);
    // Theirs and the gateway's.
    let own = 3;
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
