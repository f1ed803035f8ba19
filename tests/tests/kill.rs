//! The daemon is killed and comes back, or finds pins that are not its own; traffic does not notice.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::{
    maps::{MapData, MapInfo},
    programs::links::{FdLink, PinnedLink},
};
use switch_common::abi::{SCHEMA, names::MAP_SWITCH};
use switch_userspace::{
    api::types::{Endpoint, Status},
    datapath::Mode,
    sys::socket::force_receive_buffer,
};
use wye_tests::support::{
    netns,
    topology::PATIENCE,
    wye::{Container, Family, Wye},
};

const RESTARTS: u32 = 50;
const TICK: Duration = Duration::from_millis(1);
/// Ends a stream of datagrams.
const END: u64 = u64::MAX;
const WORDS_OF_A_BLOCK: u64 = 2048;
/// What the kernel keeps of datagrams that the receiver did not take yet, in bytes.
const RECEIVE_BUFFER: i32 = 32 << 20;

#[test]
fn nothing_is_lost_while_the_daemon_is_killed_fifty_times() {
    let mut wye = Wye::start(Mode::Ebpf);
    let [a, b] = pair(&wye);
    let ip = b.ip(Family::V4);
    let udp_receiver = netns::inside(b.netns(), || bound(&ip));
    let udp_sender = netns::inside(a.netns(), || UdpSocket::bind("0.0.0.0:0").expect("a socket"));
    udp_sender.connect(udp_receiver.local_addr().expect("an address")).expect("connected");
    let listener = netns::inside(b.netns(), || TcpListener::bind((ip.as_str(), 0)).expect("a listener"));
    let target = listener.local_addr().expect("an address");
    let tcp_sender = netns::inside(a.netns(), || TcpStream::connect(target).expect("connected"));
    let (tcp_receiver, _) = listener.accept().expect("accepted");

    let endpoints: Vec<Endpoint> = wye.json(&["endpoint", "ls"]);
    let before = ids(&wye);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sent_datagrams = scope.spawn(|| send_datagrams(&udp_sender, &is_over));
        let datagrams = scope.spawn(|| receive_datagrams(&udp_receiver));
        let sent_bytes = scope.spawn(|| send_stream(tcp_sender, &is_over));
        let bytes = scope.spawn(|| receive_stream(tcp_receiver));

        let over = SetOnDrop(&is_over);
        for restart in 0..RESTARTS {
            wye.kill_daemon();
            let start = Instant::now();
            wye.start_daemon();
            let status: Status = wye.json(&["status"]);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(2), "restart {restart} took {took:?}");
            assert_eq!(status.mode, "ebpf");
            assert_eq!(status.pid, wye.daemon_pid());
            let counts = (status.networks, status.endpoints, status.endpoints_not_ready, status.ports);
            assert_eq!(counts, (1, 2, 0, 3), "restart {restart}");
            assert_eq!(status.warnings, Vec::<String>::new());
            assert_eq!(wye.json::<Vec<Endpoint>>(&["endpoint", "ls"]), endpoints, "restart {restart}");
        }
        drop(over);

        let sent_datagrams = sent_datagrams.join().expect("the sender of datagrams");
        let mut datagrams = datagrams.join().expect("the receiver of datagrams");
        datagrams.sort_unstable();
        assert!(sent_datagrams > u64::from(RESTARTS));
        assert!(datagrams.iter().copied().eq(0..sent_datagrams), "{} of {sent_datagrams}", datagrams.len());
        let sent_bytes = sent_bytes.join().expect("the sender of the stream");
        assert_eq!(bytes.join().expect("the receiver of the stream"), sent_bytes);
    });
    assert_eq!(ids(&wye), before);
}

#[test]
fn userspace_switch_is_whole_again_after_a_crash() {
    let mut wye = Wye::start(Mode::Userspace);
    let [a, b] = pair(&wye);
    let endpoints: Vec<Endpoint> = wye.json(&["endpoint", "ls"]);
    wye.kill_daemon();
    assert!(!a.pings(&b.ip(Family::V4)), "the daemon was the switch");
    wye.start_daemon();
    assert_eq!(wye.json::<Vec<Endpoint>>(&["endpoint", "ls"]), endpoints);
    assert!(a.pings(&b.ip(Family::V4)));
}

#[test]
fn a_pin_of_another_schema_is_refused_and_nothing_is_touched() {
    let mut wye = Wye::start(Mode::Ebpf);
    let [a, b] = pair(&wye);
    let before = ids(&wye);
    wye.kill_daemon();
    let other = instance_pins(&wye).join("v999");
    fs::create_dir(&other).expect("a folder");

    refuses_to_start(&wye, &other, &format!("schema is v{SCHEMA}"));
    assert!(a.pings(&b.ip(Family::V4)));
    assert_eq!(ids(&wye), before);

    fs::remove_dir(&other).expect("still empty");
    wye.start_daemon();
    assert_eq!(ids(&wye), before);
}

#[test]
fn a_pinned_map_of_another_size_is_refused() {
    let mut wye = Wye::start(Mode::Ebpf);
    let [a, b] = pair(&wye);
    wye.kill_daemon();
    let pin = pins(&wye).join("maps").join(MAP_SWITCH);
    let path = pin.display().to_string();
    let original = MapData::from_pin(&pin).expect("the pinned map");
    fs::remove_file(&pin).expect("unpinned");
    let create = ["map", "create", &path, "type", "array", "key", "4", "value", "80", "entries", "1"];
    let made = Command::new("bpftool").args(create).args(["name", MAP_SWITCH]).status();
    assert!(made.expect("bpftool runs").success());

    refuses_to_start(&wye, &pin, "value size 80 instead of");
    assert!(a.pings(&b.ip(Family::V4)));

    fs::remove_file(&pin).expect("the foreign map is still there");
    original.pin(&pin).expect("pinned as before");
    wye.start_daemon();
}

/// Two containers that know each other's MAC.
fn pair(wye: &Wye) -> [Container; 2] {
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/24"]);
    let [a, b] = ["a", "b"].map(|name| wye.container(name, "red"));
    assert!(a.pings(&b.ip(Family::V4)));
    [a, b]
}

fn refuses_to_start(wye: &Wye, pin: &Path, difference: &str) {
    let failure = wye.fails(&["daemon", "--datapath", wye.datapath()]);
    assert_eq!(failure.code, 4, "{}", failure.stderr);
    let names_pin = failure.stderr.contains(&pin.display().to_string());
    assert!(names_pin && failure.stderr.contains(difference), "{}", failure.stderr);
}

fn instance_pins(wye: &Wye) -> PathBuf {
    wye.bpffs().join("wye").join(wye.instance())
}

fn pins(wye: &Wye) -> PathBuf {
    instance_pins(wye).join(format!("v{SCHEMA}"))
}

/// The kernel's numbers of all pinned maps and links.
fn ids(wye: &Wye) -> BTreeMap<PathBuf, u32> {
    let map_id = |pin: &Path| MapInfo::from_pin(pin).expect("a pinned map").id();
    let link_id = |pin: &Path| {
        let link = FdLink::from(PinnedLink::from_pin(pin).expect("a pinned link"));
        link.info().expect("what the kernel says of it").id()
    };
    let maps = list(&pins(wye).join("maps")).into_iter().map(|pin| (map_id(&pin), pin));
    let links = list(&pins(wye).join("links")).into_iter().map(|pin| (link_id(&pin), pin));
    maps.chain(links).map(|(id, pin)| (pin, id)).collect()
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder of pins");
    let pins: Vec<_> = entries.map(|entry| entry.expect("a pin").path()).collect();
    assert!(!pins.is_empty(), "{}", dir.display());
    pins
}

/// Ends the streams, also where the test fails, so that their threads end.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `step` with 0, 1, 2.. once a [`TICK`], by a schedule that delays do not shift; returns how often.
fn paced(is_over: &AtomicBool, mut step: impl FnMut(u64)) -> u64 {
    let mut due = Instant::now();
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        step(number);
        number += 1;
        due += TICK;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    number
}

fn bound(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    force_receive_buffer(socket.as_fd(), RECEIVE_BUFFER).expect("the receive buffer can be made larger");
    socket
}

fn send_datagrams(socket: &UdpSocket, is_over: &AtomicBool) -> u64 {
    let send = |number: u64| {
        assert_eq!(socket.send(&number.to_le_bytes()).expect("sent"), size_of_val(&number));
    };
    let sent = paced(is_over, send);
    send(END);
    sent
}

fn receive_datagrams(socket: &UdpSocket) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let mut bytes = [0; size_of::<u64>()];
        assert_eq!(socket.recv(&mut bytes).expect("a datagram"), bytes.len());
        match u64::from_le_bytes(bytes) {
            END => return numbers,
            number => numbers.push(number),
        }
    }
}

/// The words of a block of the stream: they count on from block to block.
fn block(number: u64) -> Vec<u8> {
    (0..WORDS_OF_A_BLOCK).flat_map(|word| (number * WORDS_OF_A_BLOCK + word).to_le_bytes()).collect()
}

fn send_stream(mut stream: TcpStream, is_over: &AtomicBool) -> u64 {
    paced(is_over, |number| stream.write_all(&block(number)).expect("sent"))
}

/// Returns how many blocks came.
fn receive_stream(mut stream: TcpStream) -> u64 {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut number = 0;
    loop {
        let mut received = Vec::new();
        let expected = block(number);
        let limit = u64::try_from(expected.len()).expect("small");
        (&mut stream).take(limit).read_to_end(&mut received).expect("the stream goes on");
        if received.is_empty() {
            return number;
        }
        assert!(received == expected, "block {number}");
        number += 1;
    }
}
