//! Events of interfaces.

use std::{process, time::Instant};

use switch_userspace::netns::{AddressFlags, LinkEvent, LinkSettings, Monitor};

use crate::support::{Machine, PATIENCE, net};

/// Takes events until `wanted` picks one.
fn await_event(monitor: &mut Monitor, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match monitor.wait_event(Some(left)).expect("the monitor reads") {
            Some(event) if wanted(&event) => return event,
            Some(_) => {}
            None => panic!("the event did not come within {PATIENCE:?}"),
        }
    }
}

#[test]
fn the_monitor_tells_of_new_changed_and_deleted_links_of_its_namespace() {
    let machine = Machine::new();
    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    assert_eq!(monitor.next_event().expect("nothing yet"), None);
    let (host, _) = machine.join();
    await_event(
        &mut monitor,
        |event| matches!(event, LinkEvent::Changed(link) if link.index == host && link.carrier),
    );
    let settings = LinkSettings { mtu: Some(1300), ..LinkSettings::default() };
    machine.at_host.set_link(host, &settings).expect("mtu");
    await_event(&mut monitor, |event| matches!(event, LinkEvent::Changed(link) if link.mtu == 1300));
    // The container goes away with everything in it, and the host's end with its peer.
    drop((machine.at_container, machine.container));
    let event = await_event(&mut monitor, |event| matches!(event, LinkEvent::Deleted(_)));
    assert!(matches!(event, LinkEvent::Deleted(link) if link.index == host && link.name == "w0"));
}

#[test]
fn a_monitor_that_hears_peers_tells_of_the_other_end_of_a_pair() {
    let machine = Machine::new();
    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    monitor.hear_peers().expect("wide ears");
    let (host, peer) = machine.join();
    let settings = LinkSettings { mtu: Some(1300), ..LinkSettings::default() };
    machine.at_container.set_link(peer, &settings).expect("mtu");
    let is_it = |event: &LinkEvent| matches!(event, LinkEvent::Changed(link) if link.mtu == 1300);
    let LinkEvent::Changed(link) = await_event(&mut monitor, is_it) else { panic!("another event") };
    assert_eq!((link.index, link.peer), (peer, Some(host)));
}

#[test]
fn a_member_that_leaves_a_bridge_is_not_taken_for_deleted() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let ip_link = |arguments: &'static [&'static str]| {
        let status = machine
            .host
            .run(|| anyhow::Ok(process::Command::new("ip").arg("link").args(arguments).status()?));
        assert!(status.expect("iproute2 is installed").success(), "{arguments:?}");
    };
    ip_link(&["add", "br0", "type", "bridge"]);
    ip_link(&["set", "w0", "master", "br0"]);
    let bridge = machine.at_host.link_by_name("br0").expect("bridge").index;
    assert_eq!(machine.at_host.link_by_index(host).expect("member").master, Some(bridge));

    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    ip_link(&["set", "w0", "nomaster"]);
    ip_link(&["set", "w0", "mtu", "1200"]);
    let event = await_event(&mut monitor, |event| match event {
        LinkEvent::Changed(link) => link.mtu == 1200,
        LinkEvent::Deleted(_) | LinkEvent::Readdressed | LinkEvent::Resync => true,
    });
    assert!(matches!(event, LinkEvent::Changed(_)), "{event:?}");
}

#[test]
fn addresses_that_come_and_go_are_heard_of_where_they_are_listened_for() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let mut monitor = machine.host.run(Monitor::of_addresses).expect("monitor");
    machine.at_host.add_address(host, net("192.0.2.1/24"), AddressFlags::default()).expect("added");
    await_event(&mut monitor, |event| *event == LinkEvent::Readdressed);
    machine.at_host.delete_address(host, net("192.0.2.1/24")).expect("deleted");
    await_event(&mut monitor, |event| *event == LinkEvent::Readdressed);
}

#[test]
fn a_monitor_that_was_overrun_asks_for_a_resync() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let mut monitor = Monitor::open_in(&machine.host).expect("monitor");
    for round in 0..20_000 {
        let settings = LinkSettings { mtu: Some(1280 + round % 200), ..LinkSettings::default() };
        machine.at_host.set_link(host, &settings).expect("mtu");
    }
    await_event(&mut monitor, |event| *event == LinkEvent::Resync);
    while monitor.next_event().expect("usable after a resync").is_some() {}
    machine.at_host.delete_link(host).expect("deleted");
    await_event(&mut monitor, |event| matches!(event, LinkEvent::Deleted(_)));
}
