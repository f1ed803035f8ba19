//! Multicast: which list of ports a frame to a group is for.

use switch_common::{
    abi::{
        addr::MacAddr,
        domain::{DomainConfig, DomainFlags},
        group::{GroupKey, ListId},
    },
    stage::{
        multicast::{Aim, aim},
        parse::parse,
        vlan::Membership,
    },
    units::Nanos,
    wire::{eth, igmp, udp, vlan::VlanId},
};

use crate::{
    build,
    double::{DOMAIN, TestFrame, TestTables, mac},
};

const GROUP: [u8; 4] = [239, 1, 2, 3];
const MEMBERS: ListId = ListId(5000);
const ROUTERS: ListId = ListId(5001);

/// A domain that snoops.
fn snooping() -> TestTables {
    let tables = TestTables::with_ports(1);
    tables.domains.borrow_mut().insert(DOMAIN, DomainConfig::new(Nanos(0), DomainFlags::SNOOPING));
    tables
}

fn register(tables: &TestTables, group: [u8; 4], list: ListId) {
    tables.groups.borrow_mut().insert(GroupKey::ipv4(DOMAIN, VlanId::NONE, group), list);
}

/// Where a packet to `group` goes.
fn aimed(tables: &TestTables, group: [u8; 4], packet: Vec<u8>) -> Aim {
    let packet = build::between([10, 0, 0, 1], group, packet);
    let dst = MacAddr::new([1, 0, 0x5e, group[1] & 0x7f, group[2], group[3]]);
    let frame = TestFrame::new(build::eth(dst, mac(1), eth::TYPE_IPV4, &packet));
    let headers = parse(&frame).expect("a frame that parses");
    aim::<TestFrame, _>(&headers, Membership::NONE, &tables.config(1), tables)
}

fn datagram() -> Vec<u8> {
    build::ipv4(udp::PROTO, &build::udp(5000, 5000, b"stream"))
}

fn message(kind: u8) -> Vec<u8> {
    build::ipv4(igmp::PROTO, &[&[kind, 0, 0, 0][..], &GROUP].concat())
}

#[test]
fn nobody_is_left_out_while_nobody_asks_for_members_or_the_domain_does_not_snoop() {
    assert_eq!(aimed(&snooping(), GROUP, datagram()), Aim::ALL);
    let tables = TestTables::with_ports(1);
    register(&tables, [0; 4], ROUTERS);
    register(&tables, GROUP, MEMBERS);
    assert_eq!(aimed(&tables, GROUP, datagram()), Aim::ALL);
}

#[test]
fn registered_group_is_for_its_members_and_another_one_for_the_routers() {
    let tables = snooping();
    register(&tables, [0; 4], ROUTERS);
    register(&tables, GROUP, MEMBERS);
    assert_eq!(aimed(&tables, GROUP, datagram()), Aim { list: MEMBERS, ..Aim::ALL });
    assert_eq!(aimed(&tables, [239, 1, 2, 4], datagram()), Aim { list: ROUTERS, ..Aim::ALL });
}

#[test]
fn groups_of_the_link_are_for_everybody() {
    let tables = snooping();
    register(&tables, [0; 4], ROUTERS);
    assert_eq!(aimed(&tables, [224, 0, 0, 251], datagram()), Aim::ALL);
    assert_eq!(aimed(&tables, [224, 0, 1, 251], datagram()), Aim { list: ROUTERS, ..Aim::ALL });
}

#[test]
fn reports_go_to_routers_and_queries_to_everybody_and_the_control_plane_gets_a_copy() {
    let tables = snooping();
    register(&tables, [0; 4], ROUTERS);
    register(&tables, GROUP, MEMBERS);
    let snooped = Aim { is_snooped: true, ..Aim::ALL };
    assert_eq!(aimed(&tables, GROUP, message(igmp::REPORT_V2)), Aim { list: ROUTERS, ..snooped });
    assert_eq!(aimed(&tables, GROUP, message(igmp::QUERY)), snooped);
}
