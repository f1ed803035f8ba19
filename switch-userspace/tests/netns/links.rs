//! Interfaces and veth pairs: making, changing, moving, deleting, offloads.

use std::collections::BTreeSet;

use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::{ErrorKind, IfIndex, LinkSettings, Offload};

use crate::support::{HOST_MAC, Machine, PEER_MAC, census, kind, name, up};

#[test]
fn a_veth_pair_is_made_in_one_request_with_all_that_was_chosen() {
    let machine = Machine::new();
    let host = LinkSettings {
        index: Some(IfIndex::from(4711)),
        mtu: Some(9000),
        queues: Some(1),
        tx_queue_len: Some(500),
        ..machine.host_end()
    };
    let peer = LinkSettings { index: Some(IfIndex::from(815)), mtu: Some(9000), ..machine.peer_end() };
    machine.at_host.create_veth(&host, &peer).expect("veth pair");

    let host = machine.at_host.link_by_index(IfIndex::from(4711)).expect("host end");
    assert_eq!((host.name.as_str(), host.mac, host.mtu, host.up), ("w0", Some(HOST_MAC), 9000, true));
    assert_eq!((host.kind.as_deref(), host.peer), (Some("veth"), Some(IfIndex::from(815))));
    assert!(host.peer_netns.is_some(), "the peer is in another namespace: {host:?}");
    assert!(!host.carrier, "the peer is still down: {host:?}");

    let peer = machine.at_container.link_by_name("eth0").expect("peer");
    assert_eq!((peer.index, peer.mac, peer.mtu, peer.up), (IfIndex::from(815), Some(PEER_MAC), 9000, false));
    machine.at_container.set_link(peer.index, &up()).expect("peer up");
    assert!(machine.at_host.link_by_name("w0").expect("host end").carrier);
}

#[test]
fn interfaces_that_are_deleted_together_go_and_the_others_stay() {
    let machine = Machine::new();
    for (host, peer) in [("w0", "eth0"), ("w1", "eth1"), ("w2", "eth2")] {
        let host = LinkSettings { name: Some(name(host)), ..machine.host_end() };
        let peer = LinkSettings { name: Some(name(peer)), mac: None, ..machine.peer_end() };
        machine.at_host.create_veth(&LinkSettings { mac: None, ..host }, &peer).expect("veth pair");
    }
    let index = |name| machine.at_host.link_by_name(name).expect("link").index;

    machine.at_host.delete_links(&[index("w0"), index("w2")]).expect("both go");
    assert_eq!(census(&machine.at_host), ["lo", "w1"].map(String::from).into());
    assert_eq!(census(&machine.at_container), ["eth1", "lo"].map(String::from).into());

    let refused = machine.at_host.delete_links(&[index("w1"), index("lo")]);
    assert!(refused.is_err(), "the loopback interface cannot go");
    assert_eq!(census(&machine.at_host), ["lo", "w1"].map(String::from).into());
    machine.at_host.delete_links(&[]).expect("nothing to do");
    machine.at_host.delete_links(&[IfIndex::from(4711)]).expect("it is gone already");
}

#[test]
fn a_taken_index_is_told_from_a_taken_name() {
    let machine = Machine::new();
    let index = Some(IfIndex::from(77));
    let first = LinkSettings { index, ..machine.host_end() };
    machine.at_host.create_veth(&first, &machine.peer_end()).expect("veth pair");

    let peer = LinkSettings { name: Some(name("eth1")), ..machine.peer_end() };
    let same_index = LinkSettings { index, name: Some(name("w1")), ..machine.host_end() };
    assert_eq!(kind(machine.at_host.create_veth(&same_index, &peer)), ErrorKind::IndexTaken);
    let same_name = LinkSettings { index: Some(IfIndex::from(78)), ..machine.host_end() };
    let error = machine.at_host.create_veth(&same_name, &peer).expect_err("w0 exists");
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(error.to_string().starts_with("create veth pair w0 and eth1: "), "{error}");
    assert_eq!(
        census(&machine.at_container),
        ["eth0", "lo"].map(String::from).into(),
        "no half of a pair is left"
    );
}

#[test]
fn a_link_becomes_what_its_settings_say() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let mac = MacAddr::new([2, 0, 0, 0, 0, 9]);
    let settings = LinkSettings {
        name: Some(name("w-renamed")),
        mac: Some(mac),
        mtu: Some(1400),
        up: Some(false),
        promiscuous: Some(true),
        arp: Some(false),
        gso_max_size: Some(16_000),
        ..LinkSettings::default()
    };
    machine.at_host.set_link(host, &settings).expect("changed");
    let link = machine.at_host.link_by_index(host).expect("the same interface");
    assert_eq!((link.name.as_str(), link.mac, link.mtu), ("w-renamed", Some(mac), 1400));
    assert_eq!((link.up, link.promiscuous, link.arp), (false, true, false));
}

#[test]
fn a_link_moves_to_another_namespace_under_another_name() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let settings = LinkSettings {
        index: Some(IfIndex::from(900)),
        name: Some(name("eth7")),
        up: Some(true),
        netns: Some(&machine.container),
        ..LinkSettings::default()
    };
    machine.at_host.set_link(host, &settings).expect("moved");
    assert_eq!(kind(machine.at_host.link_by_index(host)), ErrorKind::NoDevice);
    let moved = machine.at_container.link_by_name("eth7").expect("there");
    assert_eq!((moved.index, moved.up), (IfIndex::from(900), true));
}

#[test]
fn deleting_one_end_takes_the_pair() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    machine.at_host.delete_link(host).expect("deleted");
    assert_eq!(census(&machine.at_host), BTreeSet::from(["lo".to_owned()]));
    assert_eq!(census(&machine.at_container), BTreeSet::from(["lo".to_owned()]));
    assert_eq!(kind(machine.at_host.delete_link(host)), ErrorKind::NoDevice);
}

#[test]
fn an_mtu_that_the_device_cannot_take_is_explained() {
    let machine = Machine::new();
    let (host, _) = machine.join();
    let settings = LinkSettings { mtu: Some(70_000), ..LinkSettings::default() };
    let error = machine.at_host.set_link(host, &settings).expect_err("veth ends at 65535");
    assert!(error.to_string().contains("mtu greater than device maximum"), "{error}");
}

#[test]
fn every_offload_can_be_switched_off_and_on_at_both_ends() {
    let machine = Machine::new();
    machine.join();
    for (netlink, interface) in [(&machine.at_host, name("w0")), (&machine.at_container, name("eth0"))] {
        for offload in Offload::ALL {
            for on in [false, true] {
                netlink.set_offload(&interface, offload, on).expect("switched");
                assert_eq!(
                    netlink.offload(&interface, offload).expect("queried"),
                    on,
                    "{offload} of {interface}"
                );
            }
        }
    }
    assert_eq!(kind(machine.at_host.offload(&name("eth0"), Offload::Tso)), ErrorKind::NoDevice);
}
