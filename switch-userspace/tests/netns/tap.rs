//! TAP interfaces.

use std::{io::Read, net::UdpSocket};

use switch_userspace::netns::{AddressFlags, ErrorKind, Family, IfIndex, Sysctl, Tap, TapSettings};

use crate::support::{Machine, PEER_MAC, ip, kind, name, net, up};

#[test]
fn frames_sent_to_a_tap_are_read_from_its_descriptor_behind_a_header() {
    let machine = Machine::new();
    let settings = TapSettings {
        name: name("t0"),
        index: Some(IfIndex::from(321)),
        vnet_header: true,
        persistent: false,
    };
    let tap = machine.host.run(|| Tap::open(&settings)).expect("TAP");
    let index = machine.at_host.link_by_name("t0").expect("t0").index;
    assert_eq!(index, IfIndex::from(321));
    assert_eq!(machine.at_host.link_by_index(index).expect("t0").kind.as_deref(), Some("tun"));
    machine
        .host
        .run(|| Sysctl::interface(Family::Ipv6, &name("t0"), "disable_ipv6").set("1"))
        .expect("quiet");
    machine.at_host.set_link(index, &up()).expect("up");
    machine.at_host.add_address(index, net("10.6.0.1/24"), AddressFlags::default()).expect("address");
    machine.at_host.set_neighbour(index, ip("10.6.0.2"), PEER_MAC).expect("neighbour");
    let sent = machine.host.run(|| {
        let socket = UdpSocket::bind("10.6.0.1:0")?;
        anyhow::Ok(socket.send_to(b"frame", "10.6.0.2:9")?)
    });
    assert_eq!(sent.expect("sent"), 5);

    let mut frame = [0; 2048];
    let length = tap.into_file().read(&mut frame).expect("a frame");
    let (header, ethernet) = frame[..length].split_at(10);
    assert_eq!(
        header[0], 1,
        "the checksum of a local packet is left to the reader (VIRTIO_NET_HDR_F_NEEDS_CSUM)"
    );
    assert_eq!(ethernet[..6], PEER_MAC.bytes());
    assert!(ethernet.ends_with(b"frame"));
    assert_eq!(kind(machine.at_host.link_by_name("t0")), ErrorKind::NoDevice, "it went with its descriptor");
}

#[test]
fn a_persistent_tap_stays_and_is_attached_again() {
    let machine = Machine::new();
    let mut settings = TapSettings { name: name("t0"), index: None, vnet_header: true, persistent: true };
    let first = machine.host.run(|| Tap::open(&settings)).expect("TAP");
    assert_eq!(kind(machine.host.run(|| Tap::open(&settings))), ErrorKind::Busy);
    drop(first);
    let index = machine.at_host.link_by_name("t0").expect("it stayed").index;
    settings.persistent = false;
    let second = machine.host.run(|| Tap::open(&settings)).expect("attached again");
    assert_eq!(machine.at_host.link_by_name("t0").expect("the same").index, index);
    drop(second);
    assert_eq!(kind(machine.at_host.link_by_name("t0")), ErrorKind::NoDevice);
}
