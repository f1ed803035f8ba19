use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn joined(group: &str) -> Membership {
    Membership { group: ip(group), is_member: true }
}

fn left(group: &str) -> Membership {
    Membership { group: ip(group), is_member: false }
}

fn igmp(mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&message, 0);
    message[2..4].copy_from_slice(&sum);
    let [high, low] = u16::try_from(20 + message.len()).expect("a short message").to_be_bytes();
    let header = [0x45, 0, high, low, 0, 0, 0, 0, 1, igmp::PROTO, 0, 0, 10, 0, 0, 1, 224, 0, 0, 22];
    [&header[..], &message].concat()
}

fn mld_from(source: &str, hop_limit: u8, mut message: Vec<u8>) -> Vec<u8> {
    let (source, to): (Ipv6Addr, Ipv6Addr) =
        (source.parse().expect("an address"), "ff02::16".parse().expect("one"));
    let length = u32::try_from(message.len()).expect("a short message");
    let sum = checksum(&message, pseudo_header(source, to, length));
    message[2..4].copy_from_slice(&sum);
    let [high, low] = u16::try_from(8 + message.len()).expect("a short message").to_be_bytes();
    let header = [0x60, 0, 0, 0, high, low, ipv6::NEXT_HOP_BY_HOP, hop_limit];
    let alert = [icmp::PROTO_V6, 0, 5, 2, 0, 0, 1, 0];
    [&header[..], &source.octets(), &to.octets(), &alert, &message].concat()
}

fn mld(message: Vec<u8>) -> Vec<u8> {
    mld_from("fe80::1", 1, message)
}

fn record(kind: u8, group: &str, sources: u8) -> Vec<u8> {
    let (group, width) = match ip(group) {
        IpAddr::V4(ip) => (ip.octets().to_vec(), 4),
        IpAddr::V6(ip) => (ip.octets().to_vec(), 16),
    };
    [&[kind, 0, 0, sources][..], &group, &vec![1; usize::from(sources) * width]].concat()
}

fn records(kind: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).expect("a few");
    [&[kind, 0, 0, 0, 0, 0, 0, count][..], &records.concat()].concat()
}

#[test]
fn reports_and_leaves_of_every_version_are_read() {
    let group = [239, 1, 2, 3];
    for (kind, told) in [(0x12, joined("239.1.2.3")), (0x16, joined("239.1.2.3")), (0x17, left("239.1.2.3"))]
    {
        let packet = igmp([&[kind, 0, 0, 0][..], &group].concat());
        assert_eq!(parse(&packet), Some(Message::Report(vec![told])));
    }
    let group: Ipv6Addr = "ff0e::5".parse().expect("an address");
    for (kind, told) in [(131, joined("ff0e::5")), (132, left("ff0e::5"))] {
        let packet = mld([&[kind, 0, 0, 0, 0, 0, 0, 0][..], &group.octets()].concat());
        assert_eq!(parse(&packet), Some(Message::Report(vec![told])));
    }
}

#[test]
fn records_tell_joins_and_leaves_and_those_that_tell_neither_are_passed_over() {
    for (kind, [a, b]) in [(0x22, ["239.1.1.1", "239.2.2.2"]), (143, ["ff05::1", "ff0e::2"])] {
        let report = |list: &[(u8, u8)]| {
            let list: Vec<_> = list.iter().map(|(kind, sources)| record(*kind, a, *sources)).collect();
            let list = [list, vec![record(4, b, 0)]].concat();
            let packet = if kind == 143 { mld(records(kind, &list)) } else { igmp(records(kind, &list)) };
            parse(&packet)
        };
        let joins = [(1, 1), (2, 0), (2, 3), (3, 2), (4, 0), (5, 1)];
        let all = [vec![joined(a); joins.len()], vec![joined(b)]].concat();
        assert_eq!(report(&joins), Some(Message::Report(all)));
        assert_eq!(report(&[(1, 0), (3, 0)]), Some(Message::Report(vec![left(a), left(a), joined(b)])));
        assert_eq!(report(&[(5, 0), (6, 1), (7, 0)]), Some(Message::Report(vec![joined(b)])));
    }
}

#[test]
fn groups_of_link_local_scope_and_addresses_of_stations_are_not_kept_account_of() {
    let list = ["224.0.0.251", "10.0.0.1"].map(|group| record(4, group, 0));
    assert_eq!(parse(&igmp(records(0x22, &list))), Some(Message::Report(vec![])));
    let list = ["ff02::fb", "ff12::1", "fd00::1"].map(|group| record(4, group, 0));
    assert_eq!(parse(&mld(records(143, &list))), Some(Message::Report(vec![])));
}

#[test]
fn queries_of_every_version_say_how_long_an_answer_may_take() {
    let query = |code: u8, behind: &[u8]| {
        let packet = igmp([&[0x11, code, 0, 0, 0, 0, 0, 0][..], behind].concat());
        match parse(&packet) {
            Some(Message::Query(query)) => Some((query.max_response, query.has_sources)),
            _ => None,
        }
    };
    assert_eq!(query(0, &[]), Some((Nanos::from_secs(10), false)));
    assert_eq!(query(50, &[]), Some((Nanos::from_secs(5), false)));
    assert_eq!(query(100, &[2, 125, 0, 0]), Some((Nanos::from_secs(10), false)));
    // 0x8f: mantissa 15, exponent 0.
    assert_eq!(query(0x8f, &[2, 125, 0, 0]), Some((Nanos(((15 | 16) << 3) * DECISECOND), false)));
    assert_eq!(query(100, &[2, 125, 0, 1, 1, 2, 3, 4]), Some((Nanos::from_secs(10), true)));
    assert_eq!(query(100, &[2, 125]), None, "of no version");
}

#[test]
fn an_mld_message_from_elsewhere_is_none() {
    let report = records(143, &[record(4, "ff0e::1", 0)]);
    assert!(parse(&mld_from("::", 1, report.clone())).is_some());
    assert_eq!(parse(&mld_from("fd00::1", 1, report.clone())), None);
    assert_eq!(parse(&mld_from("fe80::1", 64, report)), None);
    let query = [&[130, 0, 0, 0, 0, 100, 0, 0][..], &[0; 16]].concat();
    assert!(parse(&mld(query.clone())).is_some());
    assert_eq!(parse(&mld_from("::", 1, query)), None);
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd_to_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _message = parse(&bytes);
    }

    #[test]
    fn a_report_that_was_changed_anywhere_is_none(at in 20usize..52, bit in 0u8..8) {
        let list = ["239.1.1.1", "239.2.2.2", "239.3.3.3"].map(|group| record(4, group, 0));
        let mut packet = igmp(records(0x22, &list));
        packet[at] ^= 1 << bit;
        prop_assert_eq!(parse(&packet), None);
    }

    #[test]
    fn a_report_with_any_records_and_a_right_checksum_is_read_or_refused_whole(
        body in prop::collection::vec(any::<u8>(), 0..120), count in 0u8..12,
    ) {
        for message in [igmp([&[0x22, 0, 0, 0, 0, 0, 0, count][..], &body].concat()),
            mld([&[143, 0, 0, 0, 0, 0, 0, count][..], &body].concat())]
        {
            if let Some(Message::Report(told)) = parse(&message) {
                prop_assert!(told.len() <= usize::from(count));
                prop_assert!(told.iter().all(|told| is_registered(told.group)));
            }
        }
    }

    #[test]
    fn a_cut_report_is_none(len in 0usize..51) {
        let list = ["239.1.1.1", "239.2.2.2", "239.3.3.3"].map(|group| record(4, group, 0));
        let packet = igmp(records(0x22, &list));
        prop_assert_eq!(parse(&packet[..len]), None);
    }
}
