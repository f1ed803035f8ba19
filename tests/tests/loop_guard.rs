//! The loop guard over either datapath: ports that are cabled together are found, one of them is blocked for as long as they are, and
//! nobody can have another's port blocked.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Child,
};

use switch_common::{
    abi::addr::MacAddr,
    stage::probe::{PROBE_MAC, PROBE_TYPE},
};
use switch_userspace::{
    api::types::{Port, Status},
    datapath::Mode,
    netns::Netns,
};
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        packet::{
            build,
            socket::{Capture, Sender},
        },
        segment::EXPERIMENT,
        topology::wait_until,
        wye::{Container, Family, Namespace, Wye},
    },
};

both_datapaths!(
    of_two_ports_that_are_cabled_together_one_is_blocked_until_the_cable_is_gone,
    of_two_uplinks_that_a_bridge_outside_connects_the_first_stays,
    a_port_that_is_bridged_to_an_uplink_is_blocked_and_the_uplink_stays,
    forged_and_replayed_probes_block_nobody_but_their_sender,
);

/// Where the body of a probe begins, and where it ends.
const BODY: std::ops::Range<usize> = 14..34;

/// `wye monitor` with its output in a file.
struct Monitor {
    child: Child,
    log: PathBuf,
}

impl Monitor {
    fn start(wye: &Wye) -> Self {
        let log = wye.dir().join("events.jsonl");
        let mut command = wye.command(&["monitor", "-o", "jsonl"]);
        command.stdout(File::create(&log).expect("a file for the events"));
        let child = netns::inside(wye.host(), || command.spawn()).expect("wye can be started");
        let monitor = Self { child, log };
        wait_until("the monitor listens", || monitor.has("listening", ""));
        monitor
    }

    fn has(&self, event: &str, port: &str) -> bool {
        let text = fs::read_to_string(&self.log).expect("the events");
        let is_it = |line: &str| {
            let event_of = serde_json::from_str::<serde_json::Value>(line).unwrap_or_default();
            event_of["event"] == event && event_of["port"].as_str().unwrap_or_default() == port
        };
        text.lines().any(is_it)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        self.child.wait().expect("the monitor can be waited for");
    }
}

/// An internal network `red` with two bystanders.
struct Lab {
    x: Container,
    y: Container,
    wye: Wye,
}

impl Lab {
    fn start(mode: Mode, options: &[&str]) -> Self {
        Self::on(Wye::start(mode), options)
    }

    fn on(wye: Wye, options: &[&str]) -> Self {
        let create = ["network", "create", "red", "--subnet", "10.1.0.0/16", "--internal"];
        wye.ok(&[&create, options].concat());
        let (x, y) = (wye.container("x", "red"), wye.container("y", "red"));
        Self { x, y, wye }
    }

    /// Ports that are blocked, with those that they are cabled to.
    fn blocked(&self) -> Vec<(String, String)> {
        let ports: Vec<Port> = self.wye.json(&["port", "ls"]);
        ports.into_iter().filter_map(|port| Some((port.name, port.blocked_by?))).collect()
    }

    fn wait_until_blocked(&self, port: &str, by: &str) {
        wait_until("a port is blocked", || !self.blocked().is_empty());
        assert_eq!(self.blocked(), [(port.to_owned(), by.to_owned())]);
    }

    fn wait_until_blocked_again(&self, port: &str, by: &str) {
        let wanted = [(port.to_owned(), by.to_owned())];
        wait_until("a port is blocked again", || self.blocked() == wanted);
    }

    fn status(&self) -> Status {
        self.wye.json(&["status"])
    }

    /// How often `y` hears one broadcast of `x`.
    fn copies_of_a_broadcast(&self) -> usize {
        let capture = Capture::start(self.y.netns(), "eth0");
        let src: MacAddr = self.x.mac().parse().expect("a MAC");
        let mut sender = Sender::open(self.x.netns(), "eth0");
        sender.send(&build::eth(MacAddr::BROADCAST, src, EXPERIMENT, b"once"));
        let is_it = |frame: &[u8]| frame[12..18] == [&EXPERIMENT.to_be_bytes()[..], b"once"].concat();
        wait_until("the broadcast is heard", || capture.has(|frame| is_it(frame)));
        self.wye.wait_for_idleness();
        capture.finish().iter().filter(|frame| is_it(frame)).count()
    }

    fn bystanders_talk(&self) -> bool {
        self.x.pings(&self.y.ip(Family::V4))
    }
}

/// Makes a bridge of interfaces in a namespace.
fn bridge(inside: &Netns, members: &[&str]) {
    netns::run(inside, "ip", &["link", "add", "br0", "type", "bridge"]);
    for member in members {
        netns::run(inside, "ip", &["link", "set", member, "master", "br0", "up"]);
    }
    netns::run(inside, "ip", &["link", "set", "br0", "up"]);
}

fn of_two_ports_that_are_cabled_together_one_is_blocked_until_the_cable_is_gone(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    let monitor = Monitor::start(&lab.wye);
    let [a, b] = ["a", "b"].map(|name| {
        let container = lab.wye.container(name, "red");
        lab.wye.ok(&["port", "set", name, "--guard", "off"]);
        container
    });
    let b_netns = format!("{}-b", lab.wye.instance());
    a.run("ip", &["link", "add", "cable0", "type", "veth", "peer", "name", "cable0", "netns", &b_netns]);
    for container in [&a, &b] {
        bridge(container.netns(), &["eth0", "cable0"]);
    }
    // One frame is enough for a storm.
    let mut sender = Sender::open(lab.x.netns(), "eth0");
    let src: MacAddr = lab.x.mac().parse().expect("a MAC");
    sender.send(&build::eth(MacAddr::BROADCAST, src, EXPERIMENT, b"storm"));
    lab.wait_until_blocked("b", "a");
    assert!(monitor.has("port_blocked", "b"));
    lab.wye.wait_for_idleness();
    assert!(lab.wye.drops("b", "loop") > 0);
    assert_eq!(lab.copies_of_a_broadcast(), 1);
    assert!(lab.bystanders_talk());
    assert_eq!(lab.status().ports_blocked, 1);
    assert!(lab.wye.ok(&["status"]).contains("port b of network red is blocked: it is cabled to a"));
    assert!(lab.wye.ok(&["port", "show", "b"]).contains("blocked: loop with a"));
    a.run("ip", &["link", "delete", "cable0"]);
    wait_until("the port is not blocked any more", || lab.blocked().is_empty());
    wait_until("the event is told", || monitor.has("port_unblocked", "b"));
    assert_eq!((lab.status().ports_blocked, lab.copies_of_a_broadcast()), (0, 1));
    assert!(!monitor.has("port_blocked", "a"));
}

/// A host with interfaces `up0` and so on, and a namespace outside where a bridge has their far ends.
fn bridged_uplinks(mode: Mode, count: usize) -> (Wye, Namespace) {
    let wye = Wye::start(mode);
    let outside = Namespace::new(&format!("{}-outside", wye.instance()));
    let far: Vec<String> = (0..count).map(|number| format!("far{number}")).collect();
    for (number, far) in far.iter().enumerate() {
        let near = format!("up{number}");
        let veth = ["link", "add", &near, "type", "veth", "peer", "name", far, "netns", outside.name()];
        netns::run(wye.host(), "ip", &veth);
        netns::run(wye.host(), "ip", &["link", "set", &near, "up"]);
    }
    bridge(outside.netns(), &far.iter().map(String::as_str).collect::<Vec<_>>());
    (wye, outside)
}

fn of_two_uplinks_that_a_bridge_outside_connects_the_first_stays(mode: Mode) {
    let (wye, outside) = bridged_uplinks(mode, 2);
    let mut lab = Lab::on(wye, &["--opt", "uplink=up0,up1"]);
    lab.wait_until_blocked("up1", "up0");
    assert!(lab.bystanders_talk());
    lab.wye.wait_for_idleness();
    assert_eq!(lab.copies_of_a_broadcast(), 1);
    lab.wye.kill_daemon();
    lab.wye.start_daemon();
    if mode == Mode::Ebpf {
        assert_eq!(lab.status().ports_blocked, 1, "what is blocked stays so until it is judged anew");
    }
    lab.wait_until_blocked_again("up1", "up0");
    netns::run(outside.netns(), "ip", &["link", "set", "far1", "nomaster"]);
    wait_until("the port is not blocked any more", || lab.blocked().is_empty());
    for uplink in ["up0", "up1"] {
        netns::run(lab.wye.host(), "ip", &["link", "delete", uplink]);
    }
    drop(outside);
}

fn a_port_that_is_bridged_to_an_uplink_is_blocked_and_the_uplink_stays(mode: Mode) {
    let (wye, outside) = bridged_uplinks(mode, 1);
    let lab = Lab::on(wye, &["--opt", "uplink=up0"]);
    lab.wye.ok(&["endpoint", "add", "a", "--network", "red", "--netns", outside.name()]);
    lab.wye.ok(&["port", "set", "a", "--guard", "off"]);
    netns::run(outside.netns(), "ip", &["link", "set", "eth0", "master", "br0"]);
    lab.wait_until_blocked("a", "up0");
    lab.wye.wait_for_idleness();
    assert_eq!(lab.copies_of_a_broadcast(), 1);
    assert!(lab.bystanders_talk());
    netns::run(lab.wye.host(), "ip", &["link", "delete", "up0"]);
    drop(outside);
}

/// The next probe that a container hears.
fn next_probe(container: &Container) -> Vec<u8> {
    let heard = Capture::start(container.netns(), "eth0");
    let is_probe =
        |frame: &[u8]| frame[..6] == PROBE_MAC.bytes() && frame[12..14] == PROBE_TYPE.to_be_bytes();
    wait_until("a probe is heard", || heard.has(|frame| is_probe(frame)));
    heard.finish().into_iter().find(|frame| is_probe(frame)).expect("a probe")
}

fn forged_and_replayed_probes_block_nobody_but_their_sender(mode: Mode) {
    let lab = Lab::start(mode, &[]);
    // The attacker has a guarded port, whose slot is lower, and an unguarded one. The victim's is unguarded.
    let (guarded, open) = (lab.wye.container("guarded", "red"), lab.wye.container("open", "red"));
    let victim = lab.wye.container("victim", "red");
    for name in ["open", "victim"] {
        lab.wye.ok(&["port", "set", name, "--guard", "off"]);
    }
    let probe = next_probe(&open);
    // Probes as the victim's would be, but for the digest, and damaged ones.
    let mut sender = Sender::open(open.netns(), "eth0");
    let mut forged = Vec::new();
    let at = &victim.endpoint.attachments[0];
    let mut as_victim = probe.clone();
    as_victim[14..18].copy_from_slice(&at.host_ifindex.to_be_bytes());
    as_victim[18..20].copy_from_slice(&at.slot.to_be_bytes());
    forged.push(as_victim);
    forged.extend(BODY.map(|at| {
        let mut damaged = probe.clone();
        damaged[at] ^= 1;
        damaged
    }));
    forged.push(probe[..20].to_vec());
    for frame in &forged {
        sender.send(frame);
    }
    let sent = u64::try_from(forged.len()).expect("a few");
    wait_until("the forged probes are counted", || lab.wye.drops("open", "loop_probe") == sent);
    // Handing work to the daemon and hearing the answer is enough for it to have judged them.
    assert_eq!(lab.blocked(), []);
    // A probe of the open port, said again through the guarded one and then through the open one.
    for (from, netns) in [("guarded", guarded.netns()), ("open", open.netns())] {
        let mut sender = Sender::open(netns, "eth0");
        wait_until("the sender is blocked", || {
            sender.send(&next_probe(&open));
            lab.blocked().iter().any(|(port, _)| port == from)
        });
        assert!(lab.blocked().iter().all(|(port, _)| port == "guarded" || port == "open"));
    }
    assert!(lab.bystanders_talk());
    assert!(victim.pings(&lab.x.ip(Family::V4)));
}
