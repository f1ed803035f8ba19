//! What holds for every frame, however odd.

use crate::{
    build,
    double::{TestFrame, mac},
};
use proptest::prelude::*;
use switch_common::{
    stage::{
        env::Frame,
        headers::{Headers, Network},
        parse::{MAX_TAGS, parse},
    },
    verdict::Outcome,
    wire::{
        eth, icmp, ipv6, sctp, tcp, udp,
        vlan::{TPID_8021AD, TPID_8021Q, Tag},
    },
};

fn check_offsets(frame: &TestFrame, headers: &Headers) {
    assert!(headers.tags <= MAX_TAGS);
    assert!(eth::LEN <= headers.l3_offset);
    assert!(headers.l3_offset <= headers.payload_offset);
    assert!(headers.payload_offset <= frame.len());
    if matches!(headers.network, Network::Ipv4 | Network::Ipv6) {
        assert!(headers.l3_offset < headers.l4_offset);
        assert!(headers.l4_offset <= headers.payload_offset);
    }
}

fn ethertypes() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(eth::TYPE_IPV4),
        Just(eth::TYPE_IPV6),
        Just(eth::TYPE_ARP),
        Just(TPID_8021Q),
        Just(TPID_8021AD),
        0..eth::MIN_TYPE,
        any::<u16>(),
    ]
}

fn protocols() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(tcp::PROTO),
        Just(udp::PROTO),
        Just(sctp::PROTO),
        Just(icmp::PROTO_V4),
        Just(icmp::PROTO_V6),
        Just(ipv6::NEXT_HOP_BY_HOP),
        Just(ipv6::NEXT_FRAGMENT),
        Just(ipv6::NEXT_AUTH),
        Just(ipv6::NEXT_DEST_OPTIONS),
        any::<u8>(),
    ]
}

/// Random bytes whose first ones steer towards a parser.
fn steered_frames() -> impl Strategy<Value = TestFrame> {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    (bytes, ethertypes(), ethertypes(), protocols(), any::<bool>(), 0..2_u32).prop_map(
        |(mut bytes, outer, inner, protocol, offloaded, segments)| {
            let steer = |bytes: &mut Vec<u8>, at: usize, value: &[u8]| {
                if let Some(slot) = bytes.get_mut(at..at + value.len()) {
                    slot.copy_from_slice(value);
                }
            };
            steer(&mut bytes, 12, &outer.to_be_bytes());
            steer(&mut bytes, 16, &inner.to_be_bytes());
            match outer {
                eth::TYPE_IPV4 => {
                    steer(&mut bytes, 14, &[0x45, 0, 0, 60]);
                    steer(&mut bytes, 23, &[protocol]);
                }
                eth::TYPE_IPV6 => steer(&mut bytes, 14, &[0x60, 0, 0, 0, 0, 60, protocol]),
                _ => {}
            }
            let offloaded = offloaded.then_some(Tag { tpid: TPID_8021Q, tci: 7 });
            TestFrame { bytes, offloaded, segment_size: segments * 1448 }
        },
    )
}

/// An IPv4 or IPv6 packet of `body` whose own length may end anywhere in it.
fn ip_packets() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let body = prop::collection::vec(any::<u8>(), 0..120);
    (body, protocols(), any::<bool>()).prop_map(|(body, protocol, is_v4)| {
        if is_v4 {
            (eth::TYPE_IPV4, build::ipv4(protocol, &body))
        } else {
            (eth::TYPE_IPV6, build::ipv6(protocol, &body))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn offsets_of_random_bytes_are_ordered_and_within_the_frame(
        bytes in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let frame = TestFrame::new(bytes);
        if let Ok(headers) = parse(&frame) {
            check_offsets(&frame, &headers);
        }
    }

    #[test]
    fn offsets_of_steered_bytes_are_ordered_and_within_the_frame(frame in steered_frames()) {
        match parse(&frame) {
            Ok(headers) => check_offsets(&frame, &headers),
            Err(verdict) => {
                prop_assert!(matches!(verdict.outcome(), Some(Outcome::Drop(_) | Outcome::Punt(_))));
            }
        }
    }

    #[test]
    fn padding_behind_an_ip_packet_changes_nothing(
        (ethertype, packet) in ip_packets(),
        padding in prop::collection::vec(any::<u8>(), 0..60),
        snap in any::<bool>(),
    ) {
        let frame = |padding: &[u8]| {
            let bytes = if snap {
                build::eth_802_3(mac(2), mac(1), &build::snap([0; 3], ethertype, &packet))
            } else {
                build::eth(mac(2), mac(1), ethertype, &packet)
            };
            TestFrame::new([&bytes[..], padding].concat())
        };
        let padded = frame(&padding);
        let zeroed = frame(&vec![0; padding.len()]);
        prop_assert_eq!(parse(&padded), parse(&zeroed));
        let headers_end = u32::try_from(padded.bytes.len() - padding.len()).unwrap();
        if let Ok(headers) = parse(&padded) {
            prop_assert!(headers.payload_offset <= headers_end);
        }
    }

    #[test]
    fn what_parses_parses_the_same_with_more_bytes_behind(
        frame in steered_frames(),
        tail in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let longer = TestFrame { bytes: [&frame.bytes[..], &tail].concat(), ..frame.clone() };
        if let Ok(headers) = parse(&frame) {
            prop_assert_eq!(parse(&longer), Ok(headers));
        }
    }
}
