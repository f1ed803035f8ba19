//! One network with a few containers that exchange raw frames, to see who hears what.

use std::{cell::RefCell, collections::BTreeMap};

use switch_common::abi::addr::MacAddr;
use switch_userspace::datapath::Mode;

use super::{
    packet::{
        build,
        socket::{Capture, Sender},
    },
    topology::wait_until,
    wye::{Container, Wye},
};

/// An ethertype for experiments (IEEE 802, local experimental 1), which no stack answers.
pub const EXPERIMENT: u16 = 0x88b5;
/// The network.
pub const NETWORK: &str = "red";
/// The containers under test; one more, `fence`, is there to end observations.
pub const NAMES: [&str; 3] = ["a", "b", "c"];

const FENCE: &str = "fence";

/// Payloads by the container that heard them; containers that heard nothing are left out.
pub type Heard = BTreeMap<&'static str, Vec<String>>;

/// The network and its containers.
pub struct Segment {
    stations: BTreeMap<&'static str, Station>,
    /// The switch.
    pub wye: Wye,
}

struct Station {
    sender: RefCell<Sender>,
    container: Container,
}

impl Segment {
    /// Starts a switch with the network, which has further `options`. Guests may live behind every port: none is guarded. The loop guard
    /// is off: its probes would be among the frames that are counted.
    #[must_use]
    pub fn start(mode: Mode, options: &[&str]) -> Self {
        let segment = Self::start_guarded(mode, options);
        for name in segment.stations.keys() {
            segment.set(name, "--guard", "off");
        }
        segment
    }

    /// Starts a switch with the network, which has further `options`. Its ports are as new ones are: guarded.
    #[must_use]
    pub fn start_guarded(mode: Mode, options: &[&str]) -> Self {
        let wye = Wye::start(mode);
        let create = ["network", "create", NETWORK, "--subnet", "10.1.0.0/16", "--opt", "loop-guard=off"];
        wye.ok(&[&create, options].concat());
        let stations = NAMES.into_iter().chain([FENCE]).map(|name| {
            let container = wye.container(name, NETWORK);
            let sender = RefCell::new(Sender::open(container.netns(), "eth0"));
            (name, Station { sender, container })
        });
        Self { stations: stations.collect(), wye }
    }

    /// The own MAC of a container.
    ///
    /// # Panics
    /// Without such a container.
    #[must_use]
    pub fn mac(&self, name: &str) -> MacAddr {
        self.stations[name].container.mac().parse().expect("a MAC")
    }

    /// The container.
    #[must_use]
    pub fn container(&self, name: &str) -> &Container {
        &self.stations[name].container
    }

    /// Lets a container send a frame from `src`, whether that is its own MAC or not.
    pub fn send(&self, name: &str, dst: MacAddr, src: MacAddr, payload: &str) {
        let frame = build::eth(dst, src, EXPERIMENT, payload.as_bytes());
        self.stations[name].sender.borrow_mut().send(&frame);
    }

    /// What the containers under test hear of `work`.
    ///
    /// # Panics
    /// When a frame that has to arrive does not.
    #[must_use]
    pub fn heard(&self, work: impl FnOnce()) -> Heard {
        let captures =
            NAMES.map(|name| (name, Capture::start(self.stations[name].container.netns(), "eth0")));
        work();
        self.wye.wait_for_idleness();
        let heard = captures.map(|(name, capture)| {
            self.send(FENCE, self.mac(name), self.mac(FENCE), FENCE);
            wait_until("the fence is heard", || {
                capture.has(|frame| payload(frame).as_deref() == Some(FENCE))
            });
            let payloads = capture.finish().iter().filter_map(|frame| payload(frame)).collect::<Vec<_>>();
            (name, payloads.into_iter().filter(|payload| payload != FENCE).collect::<Vec<_>>())
        });
        heard.into_iter().filter(|(_, payloads)| !payloads.is_empty()).collect()
    }

    /// Learns `mac` at a container's port, and waits until the switch has.
    ///
    /// # Panics
    /// When it does not.
    pub fn learn(&self, mac: MacAddr, name: &str) {
        self.send(name, self.mac(name), mac, "learn me");
        let learned = || self.wye.fdb_entry(&mac.to_string()).is_some_and(|entry| entry.port == name);
        wait_until("the switch has learned a station", learned);
    }

    /// Sets a port's switch.
    pub fn set(&self, name: &str, switch: &str, value: &str) {
        self.wye.ok(&["port", "set", name, switch, value]);
    }
}

/// `payload` heard by each of `names`.
#[must_use]
pub fn by(names: &[&'static str], payload: &str) -> Heard {
    names.iter().map(|name| (*name, vec![payload.to_owned()])).collect()
}

fn payload(frame: &[u8]) -> Option<String> {
    let (header, payload) = frame.split_at_checked(14)?;
    let is_experiment = header[12..] == EXPERIMENT.to_be_bytes();
    is_experiment.then(|| String::from_utf8_lossy(payload).into_owned())
}
