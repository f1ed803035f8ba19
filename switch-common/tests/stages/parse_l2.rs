//! Parsing of Ethernet, VLAN tags, 802.3 LLC/SNAP and ARP.

use crate::{
    build,
    double::{TestFrame, mac},
};
use switch_common::{
    DropReason, Verdict,
    abi::addr::MacAddr,
    stage::{
        headers::{Headers, Network},
        parse::parse,
    },
    wire::{
        arp, eth, udp,
        vlan::{TPID_8021AD, TPID_8021Q, Tag},
    },
};

const OTHER_TYPE: u16 = 0x88cc;

fn frame(ethertype: u16, payload: &[u8]) -> TestFrame {
    TestFrame::new(build::eth(mac(2), mac(1), ethertype, payload))
}

fn parsed(frame: &TestFrame) -> Headers {
    parse(frame).unwrap_or_else(|verdict| panic!("{:?}", verdict.outcome()))
}

fn dropped(reason: DropReason) -> Result<Headers, Verdict> {
    Err(Verdict::drop(reason))
}

fn ip() -> Vec<u8> {
    build::ipv4(udp::PROTO, &build::udp(1, 2, b"payload"))
}

#[test]
fn bare_ethernet_header_is_a_frame() {
    let headers = parsed(&frame(OTHER_TYPE, &[]));
    assert_eq!((headers.dst, headers.src, headers.ethertype), (mac(2), mac(1), OTHER_TYPE));
    assert_eq!((headers.network, headers.tag, headers.tags), (Network::Other, None, 0));
    assert_eq!((headers.l3_offset, headers.payload_offset), (14, 14));
}

#[test]
fn anything_shorter_than_an_ethernet_header_is_a_short_frame() {
    let whole = frame(OTHER_TYPE, &[]).bytes;
    for len in 0..whole.len() {
        assert_eq!(parse(&TestFrame::new(whole[..len].to_vec())), dropped(DropReason::ShortFrame), "{len}");
    }
}

#[test]
fn tag_of_either_kind_is_read_and_stepped_over() {
    for tpid in [TPID_8021Q, TPID_8021AD] {
        let headers = parsed(&frame(tpid, &build::tag(0x6123, eth::TYPE_IPV4, &ip())));
        assert_eq!((headers.tag, headers.tags), (Some(Tag { tpid, tci: 0x6123 }), 1));
        assert_eq!((headers.l3_offset, headers.network), (18, Network::Ipv4));
        assert_eq!((headers.src_port, headers.dst_port), (1, 2));
    }
}

#[test]
fn outer_one_of_two_tags_is_the_frame_s_tag() {
    let inner = build::tag(20, eth::TYPE_IPV4, &ip());
    let headers = parsed(&frame(TPID_8021AD, &build::tag(10, TPID_8021Q, &inner)));
    assert_eq!((headers.tag, headers.tags), (Some(Tag { tpid: TPID_8021AD, tci: 10 }), 2));
    assert_eq!((headers.l3_offset, headers.network), (22, Network::Ipv4));
}

#[test]
fn priority_tag_counts_as_a_tag() {
    let headers = parsed(&frame(TPID_8021Q, &build::tag(0, eth::TYPE_IPV4, &ip())));
    assert_eq!((headers.tags, headers.network), (1, Network::Ipv4));
}

#[test]
fn third_tag_is_too_many() {
    let inner = build::tag(3, eth::TYPE_IPV4, &ip());
    let stack = build::tag(1, TPID_8021Q, &build::tag(2, TPID_8021Q, &inner));
    assert_eq!(parse(&frame(TPID_8021Q, &stack)), dropped(DropReason::TagStack));
}

#[test]
fn tag_in_the_metadata_is_the_outermost() {
    let offloaded = Tag { tpid: TPID_8021AD, tci: 7 };
    let untagged = TestFrame { offloaded: Some(offloaded), ..frame(eth::TYPE_IPV4, &ip()) };
    let headers = parsed(&untagged);
    assert_eq!((headers.tag, headers.tags, headers.l3_offset), (Some(offloaded), 1, 14));

    let tagged = frame(TPID_8021Q, &build::tag(9, eth::TYPE_IPV4, &ip()));
    let headers = parsed(&TestFrame { offloaded: Some(offloaded), ..tagged });
    assert_eq!((headers.tag, headers.tags, headers.l3_offset), (Some(offloaded), 2, 18));
}

#[test]
fn tag_in_the_metadata_counts_against_the_limit() {
    let stack = build::tag(1, TPID_8021Q, &build::tag(2, eth::TYPE_IPV4, &ip()));
    let offloaded = Some(Tag { tpid: TPID_8021Q, tci: 7 });
    let full = TestFrame { offloaded, ..frame(TPID_8021Q, &stack) };
    assert_eq!(parse(&full), dropped(DropReason::TagStack));
}

#[test]
fn frame_that_ends_within_a_tag_is_a_short_frame() {
    for len in 0..4 {
        let cut = frame(TPID_8021Q, &build::tag(1, OTHER_TYPE, &[])[..len]);
        assert_eq!(parse(&cut), dropped(DropReason::ShortFrame), "{len}");
    }
}

#[test]
fn ip_behind_rfc_1042_snap_is_parsed() {
    let frame = TestFrame::new(build::eth_802_3(mac(2), mac(1), &build::snap([0; 3], eth::TYPE_IPV4, &ip())));
    let headers = parsed(&frame);
    assert_eq!((headers.ethertype, headers.network, headers.l3_offset), (eth::TYPE_IPV4, Network::Ipv4, 22));
    assert_eq!((headers.src_port, headers.dst_port), (1, 2));
}

#[test]
fn snap_behind_a_tag_is_parsed() {
    let llc = build::snap([0; 3], eth::TYPE_IPV4, &ip());
    let length = u16::try_from(llc.len()).unwrap();
    let headers = parsed(&frame(TPID_8021Q, &build::tag(5, length, &llc)));
    assert_eq!((headers.tags, headers.network, headers.l3_offset), (1, Network::Ipv4, 26));
}

#[test]
fn snap_of_another_organisation_is_not_looked_into() {
    let llc = build::snap([0, 0, 0xf8], eth::TYPE_IPV4, &ip());
    let headers = parsed(&TestFrame::new(build::eth_802_3(mac(2), mac(1), &llc)));
    assert_eq!((headers.ethertype, headers.network, headers.l3_offset), (0, Network::Other, 14));
}

#[test]
fn llc_without_snap_is_not_looked_into() {
    let spanning_tree = [0x42, 0x42, 0x03, 0, 0, 0, 0, 0, 0, 0];
    let headers = parsed(&TestFrame::new(build::eth_802_3(mac(2), mac(1), &spanning_tree)));
    assert_eq!((headers.ethertype, headers.network), (0, Network::Other));
}

#[test]
fn padding_of_a_short_802_3_frame_is_not_read_as_snap() {
    let headers = parsed(&frame(3, &build::snap([0; 3], eth::TYPE_IPV4, &ip())));
    assert_eq!((headers.ethertype, headers.network), (0, Network::Other));
}

#[test]
fn ip_packet_that_ends_behind_its_802_3_length_is_refused() {
    let llc = build::snap([0; 3], eth::TYPE_IPV4, &ip());
    for missing in 1..=u16::try_from(ip().len()).unwrap() {
        let short = frame(u16::try_from(llc.len()).unwrap() - missing, &llc);
        assert_eq!(parse(&short), dropped(DropReason::Ipv4Header), "{missing}");
    }
    let llc = build::snap([0; 3], eth::TYPE_IPV6, &build::ipv6(udp::PROTO, &build::udp(1, 2, &[])));
    for missing in 1..=48 {
        let short = frame(u16::try_from(llc.len()).unwrap() - missing, &llc);
        assert_eq!(parse(&short), dropped(DropReason::Ipv6Header), "{missing}");
    }
    let message = build::arp(arp::REQUEST, (mac(1), [10, 0, 0, 1]), (MacAddr::ZERO, [10, 0, 0, 2]));
    let llc = build::snap([0; 3], eth::TYPE_ARP, &message);
    let short = frame(u16::try_from(llc.len()).unwrap() - 1, &llc);
    assert_eq!(parse(&short), dropped(DropReason::ArpHeader));
}

#[test]
fn length_beyond_the_frame_is_refused() {
    let whole = build::eth_802_3(mac(2), mac(1), &build::snap([0; 3], eth::TYPE_IPV4, &ip()));
    for len in 14..whole.len() {
        let cut = TestFrame::new(whole[..len].to_vec());
        assert_eq!(parse(&cut), dropped(DropReason::BadLlcLength), "{len}");
    }
}

#[test]
fn last_number_that_is_a_length_and_first_that_is_a_type_are_told_apart() {
    assert_eq!(parse(&frame(eth::MIN_TYPE - 1, &[])), dropped(DropReason::BadLlcLength));
    assert_eq!(parsed(&frame(eth::MIN_TYPE, &[])).ethertype, eth::MIN_TYPE);
}

#[test]
fn arp_is_parsed() {
    let message = build::arp(arp::REPLY, (mac(1), [10, 0, 0, 1]), (mac(2), [10, 0, 0, 2]));
    let headers = parsed(&frame(eth::TYPE_ARP, &message));
    assert_eq!((headers.network, headers.payload_offset), (Network::Arp, 14 + 28));
    assert_eq!((&headers.src_ip[..4], &headers.dst_ip[..4]), (&[10, 0, 0, 1][..], &[10, 0, 0, 2][..]));
}

#[test]
fn truncated_arp_is_refused() {
    let message = build::arp(arp::REPLY, (mac(1), [10, 0, 0, 1]), (mac(2), [10, 0, 0, 2]));
    for len in 0..message.len() {
        let cut = frame(eth::TYPE_ARP, &message[..len]);
        assert_eq!(parse(&cut), dropped(DropReason::ArpHeader), "{len}");
    }
}

#[test]
fn arp_for_other_hardware_or_protocols_is_refused() {
    let message = build::arp(arp::REPLY, (mac(1), [10, 0, 0, 1]), (mac(2), [10, 0, 0, 2]));
    for at in 0..6 {
        let mut odd = message.clone();
        odd[at] ^= 1;
        assert_eq!(parse(&frame(eth::TYPE_ARP, &odd)), dropped(DropReason::ArpHeader), "{at}");
    }
}
