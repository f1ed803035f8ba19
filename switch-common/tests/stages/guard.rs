//! The guard: what a port may say, and what it may not, frame by frame.

use switch_common::{
    DropReason, PuntReason, Verdict,
    abi::{
        addr::MacAddr,
        host::HostAddress,
        port::PortFlags,
        source::{SourceKey, SourceScope},
    },
    stage::{
        parse::parse,
        pipeline::{identify, is_in_doubt},
    },
    wire::{
        eth, icmp, ipv6, tcp, udp,
        vlan::{TPID_8021Q, Tag},
    },
};

use crate::{
    build,
    double::{DOMAIN, TestFrame, TestTables, mac, port, ready},
};

const OWN: MacAddr = mac(1);
const OTHER: MacAddr = mac(2);
const IP: [u8; 4] = [10, 0, 0, 1];
const OTHER_IP: [u8; 4] = [10, 0, 0, 2];
const NOBODY: [u8; 4] = [0; 4];
const IGMP: u8 = 2;

fn ip6(last: u8) -> [u8; 16] {
    let mut ip = [0; 16];
    (ip[0], ip[15]) = (0xfd, last);
    ip
}

/// A guarded port 1 with MAC 1, 10.0.0.1 and fd00::1, in the same domain as port 2.
fn tables() -> TestTables {
    let tables = TestTables::with_ports(2);
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::DEFAULT.with(PortFlags::GUARD, true)));
    let config = tables.config(1).with_addresses(IP, ip6(1));
    tables.ports.borrow_mut().insert(port(1), config);
    tables
}

fn judged(tables: &TestTables, frame: &TestFrame) -> Result<(), Verdict> {
    let mut headers = parse(frame)?;
    let is_in_doubt = is_in_doubt(&headers, port(1), &tables.config(1), tables);
    let judged = identify(frame, &mut headers, port(1), &tables.config(1), tables);
    assert!(is_in_doubt || judged.is_ok() && !headers.asks_for_another, "what is in no doubt is refused");
    judged
}

fn is_doubted(frame: Vec<u8>) -> bool {
    let frame = TestFrame::new(frame);
    is_in_doubt(&parse(&frame).expect("a good frame"), port(1), &tables().config(1), &tables())
}

fn passes(what: &str, frame: Vec<u8>) {
    assert_eq!(judged(&tables(), &TestFrame::new(frame)), Ok(()), "{what}");
}

fn refused(what: &str, reason: DropReason, frame: Vec<u8>) {
    assert_eq!(judged(&tables(), &TestFrame::new(frame)), Err(Verdict::drop(reason)), "{what}");
}

fn from(src: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    build::eth(OTHER, src, ethertype, payload)
}

fn v4(packet: Vec<u8>) -> Vec<u8> {
    from(OWN, eth::TYPE_IPV4, &packet)
}

fn v6(packet: Vec<u8>) -> Vec<u8> {
    from(OWN, eth::TYPE_IPV6, &packet)
}

fn arp(operation: u16, sender: (MacAddr, [u8; 4])) -> Vec<u8> {
    from(OWN, eth::TYPE_ARP, &build::arp(operation, sender, (MacAddr::ZERO, OTHER_IP)))
}

/// An ICMPv6 message from the port's own address.
fn icmp6(kind: u8, payload: &[u8]) -> Vec<u8> {
    v6(build::ipv6(icmp::PROTO_V6, &build::icmp_message(kind, [0; 4], payload)))
}

fn from_ip6(src: [u8; 16], packet: Vec<u8>) -> Vec<u8> {
    v6(build::between(src, ip6(2), packet))
}

#[test]
fn an_unguarded_port_may_speak_for_anybody() {
    let tables = TestTables::with_ports(1);
    let frame = TestFrame::new(from(OTHER, eth::TYPE_ARP, &build::arp(2, (mac(9), IP), (OWN, IP))));
    assert_eq!(judged(&tables, &frame), Ok(()));
}

#[test]
fn the_port_s_own_mac_and_addresses_pass() {
    passes("IPv4", v4(build::ipv4(udp::PROTO, &build::udp(1, 2, b""))));
    passes("IPv6", v6(build::ipv6(udp::PROTO, &build::udp(1, 2, b""))));
    passes("link-local", from_ip6(ipv6::link_local(OWN), build::ipv6(udp::PROTO, &build::udp(1, 2, b""))));
    passes("no IP", from(OWN, 0x88b5, b"anything"));
    passes("a fragment", v4(build::ipv4_with(udp::PROTO, &[], 100, b"payload")));
}

#[test]
fn another_source_mac_is_refused() {
    refused(
        "IPv4",
        DropReason::SourceMac,
        from(OTHER, eth::TYPE_IPV4, &build::ipv4(udp::PROTO, &build::udp(1, 2, b""))),
    );
    refused("no IP", DropReason::SourceMac, from(OTHER, 0x88b5, b"anything"));
}

#[test]
fn another_source_ip_is_refused() {
    let packet = || build::ipv4(udp::PROTO, &build::udp(1, 2, b""));
    for ip in [OTHER_IP, NOBODY, [127, 0, 0, 1], [169, 254, 1, 1], [224, 0, 0, 1], [255; 4]] {
        refused("IPv4", DropReason::SourceIp, v4(build::between(ip, OTHER_IP, packet())));
    }
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
    for ip in [ip6(2), [0; 16], ip6(0), mapped, ipv6::link_local(OTHER)] {
        refused("IPv6", DropReason::SourceIp, from_ip6(ip, build::ipv6(udp::PROTO, &build::udp(1, 2, b""))));
    }
    refused(
        "a fragment",
        DropReason::SourceIp,
        v4(build::between(OTHER_IP, IP, build::ipv4_with(udp::PROTO, &[], 100, b"payload"))),
    );
}

#[test]
fn the_host_behind_a_gateway_may_use_its_own_addresses_and_no_others() {
    let tables = tables();
    let flags = ready(PortFlags::GUARD.with(PortFlags::GATEWAY, true));
    tables.set_port(1, DOMAIN, 0, flags);
    let own = [HostAddress::ipv4([192, 0, 2, 1]), HostAddress::ipv6(ip6(9))];
    tables.host_addresses.borrow_mut().extend(own);
    let udp = build::udp(1, 2, b"");
    let v4_from = |ip| v4(build::between(ip, OTHER_IP, build::ipv4(udp::PROTO, &udp)));
    let v6_from = |ip| from_ip6(ip, build::ipv6(udp::PROTO, &udp));
    let announced = |ip| arp(2, (OWN, ip));
    for frame in
        [v4_from([192, 0, 2, 1]), v6_from(ip6(9)), v6_from(ipv6::link_local(OWN)), announced([192, 0, 2, 1])]
    {
        assert_eq!(judged(&tables, &TestFrame::new(frame)), Ok(()));
    }
    let others =
        from(OTHER, eth::TYPE_IPV4, &build::between([192, 0, 2, 1], IP, build::ipv4(udp::PROTO, &udp)));
    for (frame, reason) in [
        (v4_from(IP), DropReason::SourceIp),
        (v4_from([127, 0, 0, 1]), DropReason::SourceIp),
        (v6_from(ip6(1)), DropReason::SourceIp),
        (announced(IP), DropReason::ArpSpoof),
        (others, DropReason::SourceMac),
    ] {
        assert_eq!(judged(&tables, &TestFrame::new(frame)), Err(Verdict::drop(reason)));
    }
}

#[test]
fn a_port_without_addresses_may_not_use_the_unspecified_one() {
    let tables = tables();
    tables.set_port(1, DOMAIN, 0, ready(PortFlags::GUARD));
    let packet = build::between(NOBODY, OTHER_IP, build::ipv4(udp::PROTO, &build::udp(1, 2, b"")));
    let verdict = judged(&tables, &TestFrame::new(v4(packet)));
    assert_eq!(verdict, Err(Verdict::drop(DropReason::SourceIp)));
}

#[test]
fn a_station_that_looks_for_an_address_may_have_none() {
    passes("DHCP", v4(build::between(NOBODY, [255; 4], build::ipv4(udp::PROTO, &build::udp(68, 67, b"")))));
    passes("IGMP", v4(build::between(NOBODY, [224, 0, 0, 22], build::ipv4(IGMP, &[0x22; 8]))));
    let solicitation = build::icmp_message(icmp::NEIGHBOUR_SOLICITATION, [0; 4], &ip6(1));
    passes("DAD", from_ip6([0; 16], build::ipv6(icmp::PROTO_V6, &solicitation)));
    let echo = build::icmp_message(128, [0; 4], b"");
    refused("echo", DropReason::SourceIp, from_ip6([0; 16], build::ipv6(icmp::PROTO_V6, &echo)));
}

#[test]
fn arp_from_the_port_itself_passes() {
    passes("request", arp(1, (OWN, IP)));
    passes("reply", arp(2, (OWN, IP)));
    passes("probe", arp(1, (OWN, NOBODY)));
}

#[test]
fn arp_that_speaks_for_others_is_refused() {
    for operation in [1, 2] {
        refused("address", DropReason::ArpSpoof, arp(operation, (OWN, OTHER_IP)));
        refused("hardware address", DropReason::ArpSpoof, arp(operation, (OTHER, IP)));
    }
    refused("reply of nobody", DropReason::ArpSpoof, arp(2, (OWN, NOBODY)));
    for operation in [0, 3, 8, 25] {
        refused("operation", DropReason::ArpSpoof, arp(operation, (OWN, IP)));
    }
}

#[test]
fn a_single_priority_tag_hides_nothing() {
    let inner = build::arp(2, (OWN, OTHER_IP), (OTHER, OTHER_IP));
    let tagged = build::eth(OTHER, OWN, TPID_8021Q, &build::tag(0, eth::TYPE_ARP, &inner));
    refused("in the frame", DropReason::ArpSpoof, tagged);
    let offloaded = TestFrame {
        offloaded: Some(Tag { tpid: TPID_8021Q, tci: 0 }),
        ..TestFrame::new(from(OWN, eth::TYPE_ARP, &inner))
    };
    assert_eq!(judged(&tables(), &offloaded), Err(Verdict::drop(DropReason::ArpSpoof)));
}

#[test]
fn encapsulations_that_receivers_read_differently_are_refused() {
    let inner = build::arp(1, (OWN, IP), (OTHER, OTHER_IP));
    let stacked = build::tag(0, TPID_8021Q, &build::tag(5, eth::TYPE_ARP, &inner));
    refused("priority tag before a tag", DropReason::L2Encap, build::eth(OTHER, OWN, TPID_8021Q, &stacked));
    for oui in [[0; 3], [0, 0, 0xf8], [1, 2, 3]] {
        let snap = build::snap(oui, eth::TYPE_ARP, &inner);
        refused("SNAP", DropReason::L2Encap, build::eth_802_3(OTHER, OWN, &snap));
    }
    for (named, length, llc) in [
        ("SNAP longer than its length", 3, build::snap([0; 3], eth::TYPE_ARP, &inner)),
        ("a tag in SNAP", 40, build::snap([0; 3], TPID_8021Q, &build::tag(0, eth::TYPE_ARP, &inner))),
        ("a response in SNAP", 36, [&[0xaa, 0xab, 3, 0, 0, 0, 8, 6], &inner[..]].concat()),
        ("another control byte", 36, [&[0xaa, 0xaa, 0x13, 0, 0, 0, 8, 6], &inner[..]].concat()),
    ] {
        refused(named, DropReason::L2Encap, build::eth(OTHER, OWN, length, &llc));
    }
    passes("spanning tree", build::eth_802_3(OTHER, OWN, &[0x42, 0x42, 3, 0, 0]));
    passes(
        "SNAP that carries no IP",
        build::eth_802_3(OTHER, OWN, &build::snap([0, 0, 0xc], 0x2000, b"cdp")),
    );
}

#[test]
fn neighbour_discovery_from_the_port_itself_passes() {
    let solicit = [&ip6(2)[..], &build::link_layer(1, OWN)].concat();
    passes("solicitation", icmp6(icmp::NEIGHBOUR_SOLICITATION, &solicit));
    let advertise = [&ip6(1)[..], &build::link_layer(2, OWN)].concat();
    passes("advertisement", icmp6(icmp::NEIGHBOUR_ADVERTISEMENT, &advertise));
    passes("router solicitation", icmp6(icmp::ROUTER_SOLICITATION, &build::link_layer(1, OWN)));
    let nonce = [&ip6(2)[..], &[14, 1, 1, 2, 3, 4, 5, 6]].concat();
    passes("another option", icmp6(icmp::NEIGHBOUR_SOLICITATION, &nonce));
}

#[test]
fn neighbour_discovery_that_speaks_for_others_is_refused() {
    let bad = DropReason::NdSpoof;
    let target = [&ip6(2)[..], &build::link_layer(2, OWN)].concat();
    refused("target", bad, icmp6(icmp::NEIGHBOUR_ADVERTISEMENT, &target));
    let mac = [&ip6(1)[..], &build::link_layer(2, OTHER)].concat();
    refused("target's MAC", bad, icmp6(icmp::NEIGHBOUR_ADVERTISEMENT, &mac));
    let source = [&ip6(2)[..], &build::link_layer(1, OTHER)].concat();
    refused("source's MAC", bad, icmp6(icmp::NEIGHBOUR_SOLICITATION, &source));
    refused("router solicitation", bad, icmp6(icmp::ROUTER_SOLICITATION, &build::link_layer(1, OTHER)));
    let second = [&ip6(2)[..], &[14, 1, 1, 2, 3, 4, 5, 6], &build::link_layer(1, OTHER)].concat();
    refused("the second option", bad, icmp6(icmp::NEIGHBOUR_SOLICITATION, &second));
    let endless = [&ip6(2)[..], &[14, 0, 0, 0, 0, 0, 0, 0]].concat();
    refused("an option without length", bad, icmp6(icmp::NEIGHBOUR_SOLICITATION, &endless));
    let cut = [&ip6(2)[..], &[1, 1, 2]].concat();
    refused("half an option", bad, icmp6(icmp::NEIGHBOUR_SOLICITATION, &cut));
    let message = build::icmp_message(icmp::NEIGHBOUR_SOLICITATION, [0; 4], &ip6(2));
    let fragment = build::fragment(icmp::PROTO_V6, 0, true, &message);
    refused("fragmented", bad, v6(build::ipv6(ipv6::NEXT_FRAGMENT, &fragment)));
}

#[test]
fn more_options_than_the_fast_path_walks_are_punted() {
    let nonces = [14, 1, 1, 2, 3, 4, 5, 6].repeat(5);
    let frame = TestFrame::new(icmp6(icmp::NEIGHBOUR_SOLICITATION, &[&ip6(2)[..], &nonces].concat()));
    assert_eq!(judged(&tables(), &frame), Err(Verdict::punt(PuntReason::ManyNdOptions)));
}

#[test]
fn routers_and_dhcp_servers_are_not_behind_a_guarded_port() {
    refused("advertisement", DropReason::RouterAdvertisement, icmp6(icmp::ROUTER_ADVERTISEMENT, &[0; 8]));
    let advertisement = build::icmp_message(icmp::ROUTER_ADVERTISEMENT, [0; 4], &[0; 8]);
    let hidden = build::extension(icmp::PROTO_V6, 0, &advertisement);
    refused(
        "behind options",
        DropReason::RouterAdvertisement,
        v6(build::ipv6(ipv6::NEXT_DEST_OPTIONS, &hidden)),
    );
    let first = build::fragment(icmp::PROTO_V6, 0, true, &advertisement);
    refused("fragmented", DropReason::RouterAdvertisement, v6(build::ipv6(ipv6::NEXT_FRAGMENT, &first)));
    refused("redirect", DropReason::IcmpRedirect, icmp6(icmp::REDIRECT_V6, &[0; 32]));
    refused(
        "redirect",
        DropReason::IcmpRedirect,
        v4(build::ipv4(icmp::PROTO_V4, &build::icmp_message(icmp::REDIRECT, [0; 4], &[0; 28]))),
    );
    refused(
        "router advertisement in IPv4",
        DropReason::RouterAdvertisement,
        v4(build::ipv4(
            icmp::PROTO_V4,
            &build::icmp_message(icmp::ROUTER_ADVERTISEMENT_V4, [1, 2, 7, 8], &[10, 0, 0, 2, 0, 0, 0, 0]),
        )),
    );
    refused("DHCP", DropReason::DhcpServer, v4(build::ipv4(udp::PROTO, &build::udp(67, 68, b""))));
    refused("DHCPv6", DropReason::DhcpServer, v6(build::ipv6(udp::PROTO, &build::udp(547, 546, b""))));
    let to_client = |port| build::udp(4000, port, b"");
    refused("DHCP from another port", DropReason::DhcpServer, v4(build::ipv4(udp::PROTO, &to_client(68))));
    refused("DHCPv6 from another port", DropReason::DhcpServer, v6(build::ipv6(udp::PROTO, &to_client(546))));
}

#[test]
fn icmp_errors_are_about_packets_that_came_to_the_port() {
    let about = |src, dst| build::between(src, dst, build::ipv4(tcp::PROTO, &[0; 8]));
    let error = |inner: &[u8]| {
        v4(build::ipv4(icmp::PROTO_V4, &build::icmp_message(icmp::UNREACHABLE, [0; 4], inner)))
    };
    passes("own", error(&about(OTHER_IP, IP)));
    refused("reversed", DropReason::IcmpError, error(&about(IP, OTHER_IP)));
    refused("another's", DropReason::IcmpError, error(&about(OTHER_IP, [10, 0, 0, 9])));
    refused("sent elsewhere", DropReason::IcmpError, error(&about([10, 0, 0, 9], IP)));
    refused("cut", DropReason::IcmpError, error(&about(OTHER_IP, IP)[..19]));
    let about = |src, dst| build::between(src, dst, build::ipv6(tcp::PROTO, &[0; 8]));
    passes("own", icmp6(2, &about(ip6(2), ip6(1))));
    refused("another's", DropReason::IcmpError, icmp6(2, &about(ip6(2), ip6(9))));
}

#[test]
fn icmp_errors_whose_subject_lies_in_the_padding_are_refused() {
    let padded = |mut packet: Vec<u8>, subject: Vec<u8>| {
        packet.extend(subject);
        packet
    };
    let message = build::icmp_message(icmp::UNREACHABLE, [0; 4], &[]);
    let subject = build::between(OTHER_IP, IP, build::ipv4(tcp::PROTO, &[0; 8]));
    for more_fragments in [0, 0x2000] {
        let packet = build::ipv4_with(icmp::PROTO_V4, &[], more_fragments, &message);
        refused("IPv4", DropReason::IcmpError, v4(padded(packet, subject.clone())));
    }
    let message = build::icmp_message(icmp::UNREACHABLE_V6, [0; 4], &[]);
    let subject = build::between(ip6(2), ip6(1), build::ipv6(tcp::PROTO, &[0; 8]));
    let fragment = build::fragment(icmp::PROTO_V6, 0, true, &message);
    refused("IPv6", DropReason::IcmpError, v6(padded(build::ipv6(ipv6::NEXT_FRAGMENT, &fragment), subject)));
}

#[test]
fn options_other_than_a_lone_router_alert_are_punted() {
    let packet = |options: &[u8]| v4(build::ipv4_with(IGMP, options, 0, &[0x16; 8]));
    passes("router alert", packet(&[148, 4, 0, 0]));
    let verdict = Err(Verdict::punt(PuntReason::Ipv4Options));
    for options in [&[7, 4, 4, 0][..], &[148, 4, 0, 0, 131, 3, 4, 0]] {
        assert_eq!(judged(&tables(), &TestFrame::new(packet(options))), verdict, "{options:?}");
    }
}

#[test]
fn allowed_pairs_may_be_used_and_nothing_else() {
    let slot = tables().config(1).slot();
    let listed = |tables: &TestTables, key, scope| {
        tables.sources.borrow_mut().insert(key, scope);
        let config = tables.config(1);
        let flags = config.flags().with(PortFlags::MORE_SOURCES, true);
        tables.ports.borrow_mut().insert(port(1), config.with_flags(flags));
    };
    let guest = mac(7);
    let packet = |ip| build::between(ip, OTHER_IP, build::ipv4(udp::PROTO, &build::udp(1, 2, b"")));
    let send = |tables: &TestTables, mac, ip| {
        judged(tables, &TestFrame::new(from(mac, eth::TYPE_IPV4, &packet(ip))))
    };
    let (no_mac, no_ip) =
        (Err(Verdict::drop(DropReason::SourceMac)), Err(Verdict::drop(DropReason::SourceIp)));

    let pair = tables();
    listed(&pair, SourceKey::mac(slot, guest), SourceScope::Listed);
    listed(&pair, SourceKey::ipv4(slot, guest, OTHER_IP), SourceScope::Listed);
    assert_eq!(send(&pair, guest, OTHER_IP), Ok(()));
    assert_eq!(send(&pair, guest, IP), no_ip, "the port's own address goes with its own MAC");
    assert_eq!(send(&pair, mac(8), OTHER_IP), no_mac);
    assert_eq!(send(&pair, OWN, OTHER_IP), no_ip);

    let any = tables();
    listed(&any, SourceKey::mac(slot, guest), SourceScope::AnyAddress);
    assert_eq!(send(&any, guest, [1, 2, 3, 4]), Ok(()));
    assert_eq!(send(&any, OWN, [1, 2, 3, 4]), no_ip);

    let address = tables();
    listed(&address, SourceKey::ipv4(slot, OWN, OTHER_IP), SourceScope::Listed);
    assert_eq!(send(&address, OWN, OTHER_IP), Ok(()));
    assert_eq!(send(&address, OWN, IP), Ok(()));
    assert_eq!(send(&address, OWN, [10, 0, 0, 3]), no_ip);
}

#[test]
fn ordinary_traffic_needs_no_closer_look_and_all_else_does() {
    let segment = build::tcp((1, 2), 0x10, &[], b"payload");
    let datagram = build::udp(1, 2, b"payload");
    let v4 = |src, packet: Vec<u8>| from(src, eth::TYPE_IPV4, &build::between(IP, OTHER_IP, packet));
    let v6 = |packet: Vec<u8>| from(OWN, eth::TYPE_IPV6, &build::between(ip6(1), ip6(2), packet));
    for (protocol, payload) in [(tcp::PROTO, &segment), (udp::PROTO, &datagram)] {
        assert!(!is_doubted(v4(OWN, build::ipv4(protocol, payload))), "{protocol}");
        assert!(!is_doubted(v6(build::ipv6(protocol, payload))), "{protocol}");
        assert!(is_doubted(v4(OTHER, build::ipv4(protocol, payload))), "{protocol} of another MAC");
        assert!(
            is_doubted(v4(OWN, build::ipv4_with(protocol, &[1; 4], 0, payload))),
            "{protocol} with options"
        );
        let foreign = build::between(OTHER_IP, IP, build::ipv4(protocol, payload));
        assert!(is_doubted(from(OWN, eth::TYPE_IPV4, &foreign)), "{protocol} from another address");
        let foreign = build::between(ip6(2), ip6(1), build::ipv6(protocol, payload));
        assert!(is_doubted(from(OWN, eth::TYPE_IPV6, &foreign)), "{protocol} from another address");
    }
    for (src, dst) in [(67, 68), (67, 1), (1, 68)] {
        assert!(is_doubted(v4(OWN, build::ipv4(udp::PROTO, &build::udp(src, dst, b"")))), "{src} to {dst}");
    }
    for (src, dst) in [(547, 546), (547, 1), (1, 546)] {
        assert!(is_doubted(v6(build::ipv6(udp::PROTO, &build::udp(src, dst, b"")))), "{src} to {dst}");
    }
    assert!(is_doubted(v4(OWN, build::ipv4(icmp::PROTO_V4, &build::icmp(8, 0, &[0; 8])))));
    assert!(is_doubted(v6(build::ipv6(icmp::PROTO_V6, &build::icmp(128, 0, &[0; 8])))));
    assert!(is_doubted(from(OWN, 0x88b5, b"something else")));
}
