//! A switch with an attacker, a victim and two bystanders; frames are sent, and everybody is asked what came of them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use switch_userspace::{
    api::{
        client::Client,
        routes,
        types::{Port, PortChange},
    },
    datapath::Mode,
};
use wye_tests::support::{
    packet::{
        build,
        socket::{Sender, Sniffer},
    },
    segment::EXPERIMENT,
    topology::wait_until,
    wye::{Container, Family, Wye},
};

use crate::{
    attack::{AlsoRefusedBy, Attack, Cast, Legal, Station},
    bridge::Bridge,
    flow::Flow,
};

/// How often each frame is sent.
const REPEATS: usize = 3;
/// How long a frame may stay unaccounted for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The switch and its containers.
pub(crate) struct Arena {
    /// Sends the attacks.
    pub(crate) attacker: Container,
    /// Must not get them.
    pub(crate) victim: Container,
    /// Talk to each other.
    pub(crate) bystanders: [Container; 2],
    /// The switch.
    pub(crate) wye: Wye,
    api: Client,
    sender: RefCell<Sender>,
    sniffer: Sniffer,
    fences: Cell<u32>,
}

/// What became of frames.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    /// Frames that the victim got.
    delivered: usize,
    /// Frames that were dropped at the attacker's port, by reason.
    dropped: BTreeMap<String, u64>,
}

impl Arena {
    /// Starts the switch.
    pub(crate) fn start(mode: Mode) -> Self {
        let wye = Wye::start(mode);
        // The switch answers nobody itself: what the guard lets through is to be seen.
        let subnets = ["--subnet", "10.1.0.0/16", "--subnet", "fd00:1::/64"];
        wye.ok(&[&["network", "create", "red", "--opt", "suppress=off"], &subnets[..]].concat());
        let container = |name| wye.container(name, "red");
        let (attacker, victim) = (container("attacker"), container("victim"));
        let bystanders = ["left", "right"].map(container);
        Self {
            api: wye.client(),
            sender: RefCell::new(Sender::open(attacker.netns(), "eth0")),
            sniffer: Sniffer::open(victim.netns(), "eth0"),
            fences: Cell::new(0),
            attacker,
            victim,
            bystanders,
            wye,
        }
    }

    /// Who is there.
    pub(crate) fn cast(&self) -> Cast {
        let attacker = station(&self.attacker);
        let gateways = &self.attacker.endpoint.attachments[0].gateways;
        let gateway = gateways.iter().fold(Station { v4: [0; 4], v6: [0; 16], ..attacker }, put);
        Cast { attacker, victim: station(&self.victim), bystander: station(&self.bystanders[0]), gateway }
    }

    /// Tries every attack: from a guarded port, from an unguarded one, and over a bridge. Then the legal frames.
    ///
    /// # Panics
    /// When one of them does not end as it has to, with everything that does not.
    pub(crate) fn withstands(&self, attacks: &[Attack], legal: &[Legal]) {
        let flows = [Family::V4, Family::V6]
            .map(|family| Flow::start(&self.bystanders[0], &self.bystanders[1], family));
        let mut faults: Vec<String> = attacks.iter().filter_map(|attack| self.is_refused(attack)).collect();
        faults.extend(legal.iter().filter_map(|legal| self.is_delivered(&legal.name, &legal.frame)));
        faults.extend(flows.into_iter().filter_map(Flow::finish));

        self.set_guard(false);
        faults.extend(attacks.iter().filter_map(|attack| {
            let fault = if attack.also_refused_by == AlsoRefusedBy::Nobody {
                self.is_delivered(&attack.name, &attack.frame)
            } else {
                self.is_refused(attack)
            };
            fault.map(|fault| format!("without the guard: {fault}"))
        }));
        self.set_guard(true);
        faults.extend(Bridge::start(self.cast()).judge(attacks));
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }

    /// Switches the attacker's guard.
    pub(crate) fn set_guard(&self, on: bool) {
        let change = PortChange { guard: Some(on), ..PortChange::default() };
        let _port: Port = self.api.patch(&routes::fill(routes::PORT, &["attacker"]), &change).expect("set");
    }

    /// The attacker's port.
    pub(crate) fn port(&self) -> Port {
        self.api.get(&routes::fill(routes::PORT, &["attacker"])).expect("the attacker's port")
    }

    fn is_refused(&self, attack: &Attack) -> Option<String> {
        let dropped = BTreeMap::from([(attack.reason.name().to_owned(), REPEATS as u64)]);
        self.ends(&attack.name, &attack.frame, &Fate { delivered: 0, dropped })
    }

    fn is_delivered(&self, name: &str, frame: &[u8]) -> Option<String> {
        self.ends(name, frame, &Fate { delivered: REPEATS, dropped: BTreeMap::new() })
    }

    fn ends(&self, name: &str, frame: &[u8], wanted: &Fate) -> Option<String> {
        let fate = self.fate_of(frame);
        (fate != *wanted).then(|| format!("{name}: {fate:?}, wanted {wanted:?}"))
    }

    /// Sends a frame out of the attacker's container, some times, and waits until each of them is accounted for.
    fn fate_of(&self, frame: &[u8]) -> Fate {
        let before = self.port().drops;
        let mut heard = self.sniffer.take();
        heard.clear();
        self.sender.borrow_mut().send_all(&vec![frame.to_vec(); REPEATS]);
        let fence = self.send_fence();
        wait_until("the victim hears a frame that is no attack", || {
            heard.extend(self.sniffer.take());
            heard.contains(&fence)
        });
        let end = Instant::now() + PATIENCE;
        loop {
            heard.extend(self.sniffer.take());
            let delivered = heard.iter().filter(|heard| *heard == frame).count();
            let dropped = risen(&before, &self.port().drops);
            let accounted = dropped.values().sum::<u64>() + delivered as u64;
            if accounted >= REPEATS as u64 || Instant::now() > end {
                return Fate { delivered, dropped };
            }
        }
    }

    fn send_fence(&self) -> Vec<u8> {
        self.fences.set(self.fences.get() + 1);
        let Cast { attacker, victim, .. } = self.cast();
        let fence = build::eth(victim.mac, attacker.mac, EXPERIMENT, &self.fences.get().to_be_bytes());
        self.sender.borrow_mut().send(&fence);
        fence
    }
}

/// How much each number has risen; those that have not are left out.
pub(crate) fn risen(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let rise = |(name, number): (&String, &u64)| (name.clone(), number - before.get(name).unwrap_or(&0));
    after.iter().map(rise).filter(|(_, rise)| *rise > 0).collect()
}

/// A container as others see it.
pub(crate) fn station(container: &Container) -> Station {
    let mac = container.mac().parse().expect("a MAC");
    let ips = container.endpoint.attachments[0].ips.iter().map(|net| net.addr()).collect::<Vec<_>>();
    ips.iter().fold(Station { mac, v4: [0; 4], v6: [0; 16] }, put)
}

fn put(station: Station, ip: &IpAddr) -> Station {
    match ip {
        IpAddr::V4(ip) => Station { v4: ip.octets(), ..station },
        IpAddr::V6(ip) => Station { v6: ip.octets(), ..station },
    }
}
