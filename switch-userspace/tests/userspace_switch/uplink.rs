//! An interface of the host as a port.

use std::sync::Arc;

use switch_common::abi::{
    addr::{MacAddr, PortId, Slot},
    port::{PortConfig, PortFlags},
};
use switch_userspace::{
    datapath::{Datapath, DatapathError},
    netns::{IfName, LinkSettings, Netlink},
    sys::packet_ring::PacketRing,
};

use crate::{
    frames::{frame, is_experiment, tagged},
    lab::{Container, Lab, RED, collect_until, listen, ready, silent_namespace},
};

const UPLINK_SLOT: Slot = Slot(900);

/// The world behind an uplink: its end of a veth pair whose other end is an interface of the lab's host.
struct World {
    end: Container,
    uplink: PortId,
    uplink_mac: MacAddr,
}

fn plug_world(lab: &mut Lab) -> World {
    let netns = Arc::new(silent_namespace());
    let (mac, uplink_mac) = (MacAddr::new([2, 0, 0, 0, 1, 1]), MacAddr::new([2, 0, 0, 0, 1, 2]));
    let settings = |name, mac| LinkSettings {
        name: Some(IfName::new(name).expect("a name")),
        mac: Some(mac),
        ..LinkSettings::default()
    };
    let host = Netlink::open_in(&lab.host).expect("netlink");
    let far = LinkSettings { netns: Some(&netns), ..settings("eth0", mac) };
    host.create_veth(&settings("uplink", uplink_mac), &far).expect("a veth pair");
    let up = LinkSettings { up: Some(true), ..LinkSettings::default() };
    let uplink = host.link_by_name("uplink").expect("the uplink").index;
    host.set_link(uplink, &up).expect("the uplink is up");
    let world = Netlink::open_in(&netns).expect("netlink");
    let interface = world.link_by_name("eth0").expect("the world's end").index;
    world.set_link(interface, &up).expect("the world's end is up");
    let uplink = PortId(uplink.into());
    let end =
        Container { netns, interface: interface.into(), mac, port: uplink, slot: UPLINK_SLOT, number: 0 };
    World { end, uplink, uplink_mac }
}

fn uplink_config(mac: MacAddr) -> PortConfig {
    PortConfig::new(RED, UPLINK_SLOT, mac, 1500, 0, ready().with(PortFlags::UPLINK, true))
}

#[test]
fn the_world_and_the_containers_reach_each_other_through_an_uplink() {
    let mut lab = Lab::new();
    let container = lab.silent_container();
    let world = plug_world(&mut lab);
    lab.switch().attach_port(world.uplink, uplink_config(world.uplink_mac)).expect("an uplink");
    let (mut inside, mut outside) = (container.listen(), world.end.listen());

    world.end.send(&[frame(container.mac, world.end.mac, b"in")]);
    assert_eq!(next(&mut inside), (frame(container.mac, world.end.mac, b"in"), None));

    container.send(&[tagged(world.end.mac, container.mac, 0x8100, 9, b"out")]);
    assert_eq!(next(&mut outside), (frame(world.end.mac, container.mac, b"out"), Some((0x8100, 9))));
    assert_eq!(lab.switch().counters(UPLINK_SLOT).expect("counters").tx_frames, 1);
}

#[test]
fn the_host_keeps_what_comes_to_its_own_address_and_gets_a_copy_of_broadcasts() {
    let mut lab = Lab::new();
    let container = lab.silent_container();
    let world = plug_world(&mut lab);
    lab.switch().attach_port(world.uplink, uplink_config(world.uplink_mac)).expect("an uplink");
    let (mut inside, mut host) = (container.listen(), listen(&lab.host));

    let own = frame(world.uplink_mac, world.end.mac, b"for the host");
    let all = frame(MacAddr::BROADCAST, world.end.mac, b"for all");
    world.end.send(&[own.clone(), all.clone()]);
    assert_eq!(next(&mut host), (own, None));
    assert_eq!(next(&mut host), (all.clone(), None));
    assert_eq!(next(&mut inside), (all, None));
    assert_eq!(lab.switch().counters(container.slot).expect("counters").tx_frames, 1);
}

#[test]
fn an_uplink_that_is_detached_carries_nothing_more() {
    let mut lab = Lab::new();
    let container = lab.silent_container();
    let world = plug_world(&mut lab);
    lab.switch().attach_port(world.uplink, uplink_config(world.uplink_mac)).expect("an uplink");
    lab.switch().detach_port(world.uplink).expect("detached");
    let mut host = listen(&lab.host);
    world.end.send(&[frame(container.mac, world.end.mac, b"too late")]);
    next(&mut host);
    assert_eq!(lab.switch().counters(container.slot).expect("counters").tx_frames, 0);
    assert_eq!(lab.switch().ports().expect("ports").len(), 1);
}

#[test]
fn an_uplink_that_does_not_exist_is_refused_and_leaves_nothing() {
    let mut lab = Lab::new();
    let config = uplink_config(MacAddr::ZERO);
    assert!(lab.switch().attach_port(PortId(4_000_000), config).is_err());
    assert_eq!(lab.switch().ports().expect("ports"), []);
}

#[test]
fn a_port_and_an_uplink_with_the_same_index_are_told_apart() {
    let mut lab = Lab::new();
    let container = lab.silent_container();
    let refused = lab.switch().attach_port(container.port, uplink_config(container.mac));
    assert!(matches!(refused, Err(DatapathError::IndexTaken { index }) if index == container.port.0));
}

fn next(ring: &mut PacketRing) -> (Vec<u8>, Option<(u16, u16)>) {
    let seen = collect_until(ring, |copy| is_experiment(&copy.bytes));
    seen.into_iter().last().map(|copy| (copy.bytes, copy.tag)).expect("a frame")
}
