//! The start window: a container is judged from its first frame on, and so is everybody who speaks to it (S25).

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use switch_common::{
    DropReason,
    abi::addr::MacAddr,
    wire::{eth, udp},
};
use switch_userspace::{
    datapath::Mode,
    netns::{Netlink, Netns},
};
use wye_tests::{
    both_datapaths,
    support::{
        packet::{
            build,
            socket::{Sender, Sniffer},
        },
        topology::wait_until,
        wye::{Namespace, Wye},
    },
};

use crate::{
    arena::station,
    attack::{Attack, Cast, Station},
    bridge::Bridge,
};

both_datapaths!(nothing_foreign_passes_while_a_container_starts);

const STARTS: u8 = 5;
const NEW: Station = Station { mac: MacAddr::new([2, 0xaa, 0, 0, 0, 1]), v4: [10, 1, 9, 1], v6: NEW_V6 };
const NEW_V6: [u8; 16] = [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1];
const NOBODY: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 1]);
const NOBODYS_V4: [u8; 4] = [10, 1, 200, 1];
const NOBODYS_V6: [u8; 16] = [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1];
/// Own frames that have to arrive before a start is over.
const ENOUGH: usize = 100;
/// Between the rounds of a flood: faster ones overflow the kernel's queues.
const PAUSE: Duration = Duration::from_micros(100);
const OWN: &[u8] = b"own frame";
const FOREIGN: &[u8] = b"foreign frame";

fn nothing_foreign_passes_while_a_container_starts(mode: Mode) {
    let wye = Wye::start(mode);
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16", "--subnet", "fd00:1::/64"]);
    let container = wye.container("peer", "red");
    let peer = station(&container);
    let peers_netns = format!("{}-peer", wye.instance());
    let at_peer = Sniffer::open(container.netns(), "eth0");
    for start in 0..STARTS {
        let name = format!("new{start}");
        let namespace = Namespace::new(&format!("{}-{name}", wye.instance()));
        let at_new = Sniffer::open_everywhere(namespace.netns());
        let _earlier = at_peer.take();
        let floods = [Flood::start(namespace.name(), NEW, peer), Flood::start(&peers_netns, peer, NEW)];
        add(&wye, &name, &namespace);
        let (mut by_peer, mut by_new) = (Vec::new(), Vec::new());
        wait_until("enough own frames arrive on both sides", || {
            by_peer.extend(at_peer.take());
            by_new.extend(at_new.take());
            numbers(&by_peer).len() >= ENOUGH && numbers(&by_new).len() >= ENOUGH
        });
        floods.into_iter().for_each(Flood::finish);
        for (heard, from) in [(by_peer, "the new container"), (by_new, "its peer")] {
            let foreign = heard.iter().filter(|frame| frame.ends_with(FOREIGN)).count();
            assert_eq!(foreign, 0, "foreign frames from {from}");
            let (v4, v6): (Vec<_>, Vec<_>) = numbers(&heard).into_iter().partition(|number| is_v4(*number));
            for flow in [v4, v6] {
                assert!(
                    is_gapless(&flow),
                    "frames from {from} that came, went away and came again: {flow:?}"
                );
            }
        }
        let counted = wye.port(&name).drops;
        for reason in [DropReason::SourceMac, DropReason::SourceIp, DropReason::ArpSpoof] {
            assert!(counted.contains_key(reason.name()), "{reason:?}: {counted:?}");
        }
        wye.ok(&["endpoint", "rm", &name]);
    }
    over_a_bridge_they_pass(peer);
}

fn over_a_bridge_they_pass(peer: Station) {
    let nobody = Station { mac: NOBODY, v4: NOBODYS_V4, v6: NOBODYS_V6 };
    let cast = Cast { attacker: NEW, victim: peer, bystander: nobody, gateway: nobody };
    let attack = |frame| Attack::new("foreign frame", DropReason::SourceIp, frame);
    let attacks: Vec<_> = foreign(NEW, peer).into_iter().map(attack).collect();
    assert_eq!(Bridge::start(cast).judge(&attacks), Vec::<String>::new());
}

fn add(wye: &Wye, name: &str, namespace: &Namespace) {
    let mac = NEW.mac.to_string();
    let add = ["endpoint", "add", name, "--network", "red", "--netns", namespace.name()];
    wye.ok(&[&add[..], &["--mac", &mac, "--ip", "10.1.9.1", "--ip", "fd00:1::901"]].concat());
}

/// Own and foreign frames from one station to another, in turn, from the first moment that it has an interface.
struct Flood {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<()>,
}

impl Flood {
    fn start(netns: &str, from: Station, to: Station) -> Self {
        let netns = Netns::open_name(netns).expect("the container's namespace");
        let netlink = Netlink::open_in(&netns).expect("netlink");
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let sender = thread::spawn(move || {
            wait_until("there is an interface", || netlink.link_by_name("eth0").is_ok());
            let mut sender = Sender::open(&netns, "eth0");
            let foreign = foreign(from, to);
            let mut number: u32 = 0;
            while !told.load(Ordering::Relaxed) {
                for frame in &foreign {
                    // Until the interface is up nothing can be sent.
                    let _refused = sender.try_send(frame);
                }
                if sender.try_send(&own(from, to, number)).is_ok() {
                    number += 1;
                }
                thread::sleep(PAUSE);
            }
        });
        Self { stop, sender }
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().expect("the flood ends well");
    }
}

fn own(from: Station, to: Station, number: u32) -> Vec<u8> {
    let datagram = build::udp(1, 2, &[OWN, &number.to_be_bytes()].concat());
    let packet = if is_v4(number) {
        (eth::TYPE_IPV4, build::between(from.v4, to.v4, build::ipv4(udp::PROTO, &datagram)))
    } else {
        (eth::TYPE_IPV6, build::between(from.v6, to.v6, build::ipv6(udp::PROTO, &datagram)))
    };
    build::eth(to.mac, from.mac, packet.0, &packet.1)
}

/// Whether the own frame of this number is of the IPv4 flow; it is of the IPv6 flow otherwise. Frames of one flow stay in order,
/// those of two need not.
fn is_v4(number: u32) -> bool {
    number.is_multiple_of(2)
}

fn is_gapless(flow: &[u32]) -> bool {
    iter::zip(flow, flow.get(1..).unwrap_or_default()).all(|(one, next)| next - one == 2)
}

/// Numbers of the own frames among these.
fn numbers(frames: &[Vec<u8>]) -> Vec<u32> {
    let number = |frame: &Vec<u8>| {
        let (rest, number) = frame.split_last_chunk()?;
        rest.ends_with(OWN).then(|| u32::from_be_bytes(*number))
    };
    frames.iter().filter_map(number).collect()
}

/// Frames that `from` may never send, to `to` and to all.
fn foreign(from: Station, to: Station) -> Vec<Vec<u8>> {
    let datagram = build::udp(1, 2, FOREIGN);
    let v4 = |src| build::between(src, to.v4, build::ipv4(udp::PROTO, &datagram));
    let v6 = build::between(NOBODYS_V6, to.v6, build::ipv6(udp::PROTO, &datagram));
    let arp = build::arp(2, (from.mac, NOBODYS_V4), (to.mac, to.v4));
    [to.mac, MacAddr::BROADCAST]
        .into_iter()
        .flat_map(|dst| {
            [
                build::eth(dst, NOBODY, eth::TYPE_IPV4, &v4(from.v4)),
                build::eth(dst, from.mac, eth::TYPE_IPV4, &v4(NOBODYS_V4)),
                build::eth(dst, from.mac, eth::TYPE_IPV6, &v6),
                build::eth(dst, from.mac, eth::TYPE_ARP, &[&arp[..], FOREIGN].concat()),
            ]
        })
        .collect()
}
