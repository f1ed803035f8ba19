//! The control: the same stations on a Linux bridge, which lets the attacks through.

use std::{cell::RefCell, fs};

use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::{IfName, LinkSettings, Netlink, Netns};
use wye_tests::support::{
    netns,
    packet::{
        build,
        socket::{Sender, Sniffer},
    },
    segment::EXPERIMENT,
    topology::wait_until,
};

use crate::attack::{AlsoRefusedBy, Attack, Cast};

/// Whether bridges hand frames to the packet filter, which checks their IP headers: here they do not.
const BRIDGE_NETFILTER: [&str; 3] =
    ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables"];

/// A bridge in a namespace, with a namespace for each station. They have the MACs of the real ones, and say nothing.
pub(crate) struct Bridge {
    cast: Cast,
    attacker: RefCell<Sender>,
    victim: RefCell<Sender>,
    sniffer: Sniffer,
    host: Netns,
    _stations: [Netns; 3],
}

impl Bridge {
    /// Makes the bridge, and waits until it forwards.
    pub(crate) fn start(cast: Cast) -> Self {
        let host = netns::new_silent();
        netns::run(&host, "ip", &["link", "add", "br0", "up", "type", "bridge", "mcast_snooping", "0"]);
        switch_netfilter_off(&host);
        let attacker = plug(&host, "pa", cast.attacker.mac);
        let victim = plug(&host, "pv", cast.victim.mac);
        let bystander = plug(&host, "pb", cast.bystander.mac);
        let bridge = Self {
            cast,
            attacker: RefCell::new(Sender::open(&attacker, "eth0")),
            victim: RefCell::new(Sender::open(&victim, "eth0")),
            sniffer: Sniffer::open(&victim, "eth0"),
            host,
            _stations: [attacker, victim, bystander],
        };
        wait_until("the bridge forwards", || bridge.send_fence(&mut Vec::new()));
        bridge
    }

    /// What is wrong with the attacks as such: those that a bridge should let through and does not, and the other way round.
    pub(crate) fn judge(&self, attacks: &[Attack]) -> Vec<String> {
        attacks.iter().filter_map(|attack| self.try_out(attack)).collect()
    }

    /// Sends frames from the attacker.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) {
        self.attacker.borrow_mut().send_all(frames);
    }

    /// MACs that the bridge knows, its own among them.
    pub(crate) fn fdb_size(&self) -> usize {
        netns::run(&self.host, "bridge", &["fdb", "show", "br", "br0"]).lines().count()
    }

    fn try_out(&self, attack: &Attack) -> Option<String> {
        let hello = build::eth(MacAddr::BROADCAST, self.cast.victim.mac, EXPERIMENT, b"here I am");
        self.victim.borrow_mut().send(&hello);
        let _earlier = self.sniffer.take();
        self.attacker.borrow_mut().send(&attack.frame);
        let mut heard = Vec::new();
        let is_seen = |heard: &[Vec<u8>]| heard.contains(&attack.frame);
        if attack.also_refused_by == AlsoRefusedBy::AnyPortAndBridges {
            wait_until("a frame behind the attack is heard", || self.send_fence(&mut heard));
            return is_seen(&heard).then(|| format!("{}: a bridge lets it through", attack.name));
        }
        wait_until(&format!("a bridge lets {:?} through", attack.name), || {
            heard.extend(self.sniffer.take());
            is_seen(&heard)
        });
        None
    }

    /// Sends a frame from the attacker to the victim, and says whether such a frame came; `heard` gets everything that came.
    fn send_fence(&self, heard: &mut Vec<Vec<u8>>) -> bool {
        let fence = build::eth(self.cast.victim.mac, self.cast.attacker.mac, EXPERIMENT, b"fence");
        self.attacker.borrow_mut().send(&fence);
        heard.extend(self.sniffer.take());
        heard.contains(&fence)
    }
}

fn switch_netfilter_off(host: &Netns) {
    netns::inside(host, || {
        for setting in BRIDGE_NETFILTER {
            let path = format!("/proc/sys/net/bridge/{setting}");
            match fs::write(&path, "0") {
                Ok(()) => println!("control: {setting} is off"),
                Err(error) => println!("control: no {setting} here ({error})"),
            }
        }
    });
}

/// Plugs a new namespace with the MAC into the bridge.
fn plug(host: &Netns, port: &str, mac: MacAddr) -> Netns {
    let station = netns::new_silent();
    let name = |text: &str| IfName::new(text).expect("a short name");
    let near = LinkSettings { name: Some(name(port)), up: Some(true), ..LinkSettings::default() };
    let far = LinkSettings {
        name: Some(name("eth0")),
        mac: Some(mac),
        netns: Some(&station),
        ..LinkSettings::default()
    };
    Netlink::open_in(host).expect("netlink").create_veth(&near, &far).expect("a veth pair");
    netns::run(host, "ip", &["link", "set", port, "master", "br0"]);
    netns::run(&station, "ip", &["link", "set", "eth0", "up"]);
    station
}
