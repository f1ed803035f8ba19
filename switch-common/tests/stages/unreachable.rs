//! What is sent to a gateway that has no way for it: whose sender is told, and how often.

use switch_common::{
    DropReason, PuntReason, Verdict,
    abi::{
        addr::Slot,
        fdb::{FdbEntry, FdbKind},
        port::PortFlags,
        storm::ERROR_LIMIT,
    },
    stage::{headers::Headers, pipeline},
    units::Nanos,
    wire::{eth, icmp, tcp, udp, vlan::TPID_8021Q},
};

use crate::{
    build,
    double::{DOMAIN, TestClock, TestFrame, TestTables, mac, port, ready},
};

const TOLD: Verdict = Verdict::punt(PuntReason::Unreachable);
const SILENT: Verdict = Verdict::drop(DropReason::NoRoute);
const AWAY_V4: [u8; 4] = [192, 0, 2, 1];
const UNSPECIFIED: [u8; 16] = [0; 16];

/// A gateway at port 2 with these addresses.
fn gateway(ipv4: [u8; 4], ipv6: [u8; 16]) -> TestTables {
    let tables = TestTables::with_ports(2);
    tables.set_port(2, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::GATEWAY, true)));
    tables.put(mac(2), FdbEntry::new(port(2), FdbKind::Endpoint, Nanos(0)));
    let config = tables.config(2).with_addresses(ipv4, ipv6);
    tables.ports.borrow_mut().insert(port(2), config);
    tables
}

fn both() -> TestTables {
    gateway([10, 0, 0, 254], build::ipv6_address(254))
}

fn judged(tables: &TestTables, ethertype: u16, payload: &[u8]) -> Verdict {
    let frame = TestFrame::new(build::eth(mac(2), mac(1), ethertype, payload));
    pipeline::run(&frame, &mut { Headers::EMPTY }, port(1), tables, &TestClock::at_secs(1000))
}

fn v4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Verdict {
    judged(&both(), eth::TYPE_IPV4, &build::between(src, dst, build::ipv4(protocol, payload)))
}

fn v6(src: [u8; 16], dst: [u8; 16], next: u8, payload: &[u8]) -> Verdict {
    judged(&both(), eth::TYPE_IPV6, &build::between(src, dst, build::ipv6(next, payload)))
}

fn away_v6() -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

#[test]
fn senders_of_packets_of_every_protocol_are_told() {
    let datagram = build::udp(1, 2, b"payload");
    let segment = build::tcp((1, 2), 2, &[], &[]);
    for (protocol, payload) in [(udp::PROTO, &datagram), (tcp::PROTO, &segment), (47, &vec![0; 8])] {
        assert_eq!(v4([10, 0, 0, 1], AWAY_V4, protocol, payload), TOLD, "{protocol}");
        assert_eq!(v6(build::ipv6_address(1), away_v6(), protocol, payload), TOLD, "{protocol}");
    }
    assert_eq!(v4([10, 0, 0, 1], AWAY_V4, icmp::PROTO_V4, &build::icmp(8, 0, &[0; 8])), TOLD);
    assert_eq!(v6(build::ipv6_address(1), away_v6(), icmp::PROTO_V6, &build::icmp(128, 0, &[0; 8])), TOLD);
}

#[test]
fn nobody_is_told_of_an_error() {
    for kind in
        [icmp::UNREACHABLE, icmp::SOURCE_QUENCH, icmp::REDIRECT, icmp::TIME_EXCEEDED, icmp::PARAMETER_PROBLEM]
    {
        let error = build::icmp(kind, 0, &[0; 32]);
        assert_eq!(v4([10, 0, 0, 1], AWAY_V4, icmp::PROTO_V4, &error), SILENT, "{kind}");
    }
    for kind in [icmp::UNREACHABLE_V6, 2, 3, icmp::PARAMETER_PROBLEM_V6, 127, icmp::REDIRECT_V6] {
        let error = build::icmp(kind, 0, &[0; 52]);
        assert_eq!(v6(build::ipv6_address(1), away_v6(), icmp::PROTO_V6, &error), SILENT, "{kind}");
    }
}

#[test]
fn nobody_is_told_of_what_is_not_from_one_station_to_another() {
    let datagram = build::udp(1, 2, b"");
    for (src, dst) in [
        ([0; 4], AWAY_V4),
        ([127, 0, 0, 1], AWAY_V4),
        ([224, 0, 0, 1], AWAY_V4),
        ([255; 4], AWAY_V4),
        ([10, 0, 0, 1], [224, 0, 0, 1]),
        ([10, 0, 0, 1], [255; 4]),
    ] {
        assert_eq!(v4(src, dst, udp::PROTO, &datagram), SILENT, "{src:?} to {dst:?}");
    }
    let group = [0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for (src, dst) in [(UNSPECIFIED, away_v6()), (group, away_v6()), (build::ipv6_address(1), group)] {
        assert_eq!(v6(src, dst, udp::PROTO, &datagram), SILENT, "{src:?} to {dst:?}");
    }
}

#[test]
fn first_fragment_is_told_of_and_a_later_one_is_not() {
    for (fragment, verdict) in [(0x2000, TOLD), (0x2010, SILENT)] {
        let packet = build::ipv4_with(udp::PROTO, &[], fragment, &build::udp(1, 2, &[0; 24]));
        let packet = build::between([10, 0, 0, 1], AWAY_V4, packet);
        assert_eq!(judged(&both(), eth::TYPE_IPV4, &packet), verdict, "{fragment:#x}");
    }
}

#[test]
fn gateway_without_an_address_of_the_family_is_silent() {
    let datagram = build::udp(1, 2, b"");
    let v4 = build::between([10, 0, 0, 1], AWAY_V4, build::ipv4(udp::PROTO, &datagram));
    assert_eq!(judged(&gateway([0; 4], build::ipv6_address(254)), eth::TYPE_IPV4, &v4), SILENT);
    let v6 = build::between(build::ipv6_address(1), away_v6(), build::ipv6(udp::PROTO, &datagram));
    assert_eq!(judged(&gateway([10, 0, 0, 254], UNSPECIFIED), eth::TYPE_IPV6, &v6), SILENT);
}

#[test]
fn tagged_packet_is_not_told_of() {
    let packet = build::between([10, 0, 0, 1], AWAY_V4, build::ipv4(udp::PROTO, &build::udp(1, 2, b"")));
    assert_eq!(judged(&both(), TPID_8021Q, &build::tag(0, eth::TYPE_IPV4, &packet)), SILENT);
}

#[test]
fn port_is_told_no_more_than_the_limit_and_the_rest_is_dropped_and_counted() {
    let tables = both();
    let packet = build::between([10, 0, 0, 1], AWAY_V4, build::ipv4(udp::PROTO, &build::udp(1, 2, b"")));
    let told = |times: usize| (0..times).filter(|_| judged(&tables, eth::TYPE_IPV4, &packet) == TOLD).count();
    let burst = 100;
    assert!(ERROR_LIMIT.admit(Nanos(0), Nanos::from_secs(1000), burst).is_some());
    assert_eq!(told(burst as usize + 5), burst as usize);
    assert_eq!(*tables.drops.borrow(), [(Slot(1), DropReason::NoRoute); 5]);
    tables.error_accounts.borrow_mut().clear();
    tables.refuse_charges.set(3);
    assert_eq!(told(1), 1, "another CPU was quicker three times");
    tables.refuse_charges.set(4);
    assert_eq!(told(1), 0, "and four times");
}
