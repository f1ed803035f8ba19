//! Real programs between containers, over either datapath.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use fastrand::Rng;
use switch_common::abi::addr::MacAddr;
use switch_userspace::datapath::Mode;
use tempfile::TempDir;
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::socket::Sniffer,
        topology::wait_until,
        wye::{Container, Family, Wye},
    },
};

both_datapaths!(
    containers_of_one_network_ping_each_other,
    containers_of_two_networks_do_not_reach_each_other,
    iperf3_runs_over_tcp_and_udp,
    udp_datagrams_arrive_as_they_were_sent,
    file_of_one_gibibyte_arrives_with_its_hash,
    file_arrives_with_its_hash_in_every_combination_of_offloads,
    packets_of_9000_bytes_pass_where_the_network_says_so,
    packet_beyond_the_receiver_s_mtu_is_a_counted_drop,
);

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
const MIB: usize = 1 << 20;
const L4_PORT: &str = "5201";

fn network(wye: &Wye, name: &str, number: u8, options: &[&str]) {
    let (v4, v6) = (format!("10.{number}.0.0/16"), format!("fd00:{number}::/64"));
    let create = ["network", "create", name, "--subnet", &v4, "--subnet", &v6];
    wye.ok(&[&create, options].concat());
}

/// Two containers on a network `red` of both families.
fn pair(wye: &Wye, options: &[&str]) -> [Container; 2] {
    network(wye, "red", 1, options);
    ["a", "b"].map(|name| wye.container(name, "red"))
}

fn containers_of_one_network_ping_each_other(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &[]);
    for family in FAMILIES {
        assert!(a.pings(&b.ip(family)) && b.pings(&a.ip(family)), "{family:?}");
    }
}

fn containers_of_two_networks_do_not_reach_each_other(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, _b] = pair(&wye, &[]);
    network(&wye, "blue", 2, &[]);
    let stranger = wye.container("c", "blue");
    for family in FAMILIES {
        assert!(!a.pings(&stranger.ip(family)), "{family:?}");
    }
    // Not by MAC either: a frame that names the stranger finds nobody.
    let sniffer = Sniffer::open(stranger.netns(), "eth0");
    let ip = stranger.ip(Family::V4);
    a.run("ip", &["route", "replace", &ip, "dev", "eth0"]);
    a.run("ip", &["neigh", "replace", &ip, "lladdr", stranger.mac(), "dev", "eth0"]);
    assert!(!a.pings(&ip));
    let own: MacAddr = a.mac().parse().expect("a MAC address");
    let heard: Vec<_> = sniffer.take().into_iter().filter(|frame| frame[6..12] == own.bytes()).collect();
    assert!(heard.is_empty(), "{heard:?}");
}

fn iperf3_runs_over_tcp_and_udp(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &[]);
    for family in FAMILIES {
        for protocol in [&[][..], &["--udp", "--bitrate", "20M"]] {
            let mut server = b.spawn(quiet(Command::new("iperf3").args(["-s", "-1", "-p", L4_PORT])));
            wait_until_listening(&b, "--tcp");
            let ip = b.ip(family);
            let client = ["-c", &ip, "-p", L4_PORT, "--time", "1", "--json"];
            let report: serde_json::Value =
                serde_json::from_str(&a.run("iperf3", &[&client, protocol].concat())).expect("JSON");
            let sum = if protocol.is_empty() { "sum_received" } else { "sum" };
            let bytes = report["end"][sum]["bytes"].as_u64().expect("a count of bytes");
            assert!(bytes > 1_000_000, "{family:?} {protocol:?}: {bytes} bytes in a second");
            assert!(server.wait().expect("iperf3 ends").success());
        }
    }
}

fn udp_datagrams_arrive_as_they_were_sent(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &[]);
    for family in FAMILIES {
        let (listen, connect) = match family {
            Family::V4 => ("UDP4-RECV", "UDP4-SENDTO"),
            Family::V6 => ("UDP6-RECV", "UDP6-SENDTO"),
        };
        // As long as a datagram may be, so that it comes in fragments.
        let message: String = std::iter::repeat_with(fastrand::alphanumeric).take(60_000).collect();
        let mut receiver = Command::new("socat");
        receiver.args(["-b65536", "-u", &format!("{listen}:{L4_PORT}"), "-"]).stdout(Stdio::piped());
        let receiver = b.spawn(&mut receiver);
        wait_until_listening(&b, "--udp");
        let mut sender = Command::new("socat");
        let to = format!("{connect}:{}:{L4_PORT}", bracketed(&b, family));
        sender.args(["-b65536", "-u", "-", &to]).stdin(Stdio::piped());
        let mut sender = a.spawn(&mut sender);
        sender.stdin.take().expect("piped").write_all(message.as_bytes()).expect("taken");
        assert!(sender.wait().expect("socat ends").success());
        assert_eq!(read_bytes(receiver, message.len()), message.as_bytes(), "{family:?}");
    }
}

fn file_of_one_gibibyte_arrives_with_its_hash(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &[]);
    let payload = Payload::new(1024 * MIB);
    assert_eq!(payload.transfer(&a, &b, Family::V4), payload.hash);
}

fn file_arrives_with_its_hash_in_every_combination_of_offloads(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &[]);
    let payload = Payload::new(64 * MIB);
    for combination in 0..16 {
        let on = |bit: u8| if combination & 1 << bit == 0 { "off" } else { "on" };
        for (container, checksums, segmentation) in [(&a, on(0), on(1)), (&b, on(2), on(3))] {
            let (rx, tx) = (["rx", checksums], ["tx", checksums]);
            let (tso, gso) = (["tso", segmentation], ["gso", segmentation]);
            container.run("ethtool", &[&["-K", "eth0"][..], &rx, &tx, &tso, &gso].concat());
        }
        let family = FAMILIES[combination % 2];
        assert_eq!(payload.transfer(&a, &b, family), payload.hash, "combination {combination:04b}");
    }
}

fn packets_of_9000_bytes_pass_where_the_network_says_so(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &["--mtu", "9000"]);
    for (family, headers) in [(Family::V4, 28), (Family::V6, 48)] {
        let size = (9000 - headers).to_string();
        a.run("ping", &["-c", "3", "-i", "0.02", "-M", "do", "-s", &size, &b.ip(family)]);
    }
    let payload = Payload::new(64 * MIB);
    assert_eq!(payload.transfer(&a, &b, Family::V6), payload.hash);
}

fn packet_beyond_the_receiver_s_mtu_is_a_counted_drop(mode: Mode) {
    let wye = Wye::start(mode);
    let [a, b] = pair(&wye, &["--mtu", "9000"]);
    b.run("ip", &["link", "set", "eth0", "mtu", "2000"]);
    wait_until("the port follows its interface", || wye.port("b").mtu == 2000);
    let ping = |size: &str| {
        let args = ["-c", "3", "-i", "0.02", "-W", "1", "-M", "do", "-s", size, &b.ip(Family::V4)];
        netns::output(a.netns(), "ping", &args).status.success()
    };
    assert!(ping("1972"), "2000 bytes fit");
    assert_eq!(wye.drops("a", "too_big"), 0);
    assert!(!ping("1973"), "2001 bytes do not");
    assert_eq!(wye.drops("a", "too_big"), 3);
}

/// A file of random bytes.
struct Payload {
    _folder: TempDir,
    path: PathBuf,
    hash: String,
}

impl Payload {
    fn new(len: usize) -> Self {
        let folder = TempDir::with_prefix("wye-tests-payload-").expect("a temporary folder");
        let path = folder.path().join("payload");
        let mut file = File::create(&path).expect("a file");
        let mut rng = Rng::new();
        let mut block = vec![0; MIB];
        for _ in 0..len / MIB {
            rng.fill(&mut block);
            file.write_all(&block).expect("room on the disk");
        }
        let output = Command::new("sha256sum").arg(&path).output().expect("sha256sum runs");
        Self { _folder: folder, path, hash: first_word(&output.stdout) }
    }

    /// Sends the file and returns the hash of what arrives.
    fn transfer(&self, from: &Container, to: &Container, family: Family) -> String {
        let version = if family == Family::V4 { "TCP4" } else { "TCP6" };
        let receive = format!("set -o pipefail; socat -u {version}-LISTEN:{L4_PORT},reuseaddr - | sha256sum");
        let receiver = to.spawn(Command::new("bash").args(["-c", &receive]).stdout(Stdio::piped()));
        wait_until_listening(to, "--tcp");
        let target = format!("{version}:{}:{L4_PORT}", bracketed(to, family));
        from.run("socat", &["-u", &format!("FILE:{}", self.path.display()), &target]);
        let output = receiver.wait_with_output().expect("the receiver ends");
        assert!(output.status.success(), "{}", output.status);
        first_word(&output.stdout)
    }
}

fn first_word(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().next().expect("a hash").to_owned()
}

/// The address as URLs and socat have it.
fn bracketed(container: &Container, family: Family) -> String {
    match family {
        Family::V4 => container.ip(family),
        Family::V6 => format!("[{}]", container.ip(family)),
    }
}

fn wait_until_listening(container: &Container, protocol: &str) {
    let filter = format!("sport = :{L4_PORT}");
    wait_until("the receiver listens", || {
        !container.run("ss", &["--no-header", "--listening", "--numeric", protocol, &filter]).is_empty()
    });
}

fn read_bytes(mut child: Child, count: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; count];
    child.stdout.take().expect("piped").read_exact(&mut bytes).expect("all bytes arrive");
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    bytes
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null())
}
