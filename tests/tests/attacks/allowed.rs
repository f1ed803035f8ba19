//! Sources that a port may use beside its own, and ports that take known MACs only.

use switch_common::abi::addr::MacAddr;
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{
        netns,
        segment::{Heard, Segment, by},
        wye::Family,
    },
};

use crate::arena::Arena;

both_datapaths!(
    allowed_addresses_are_used_by_real_programs,
    allowed_macs_are_used_until_they_are_taken_back,
    locked_port_takes_known_macs_only,
);

const GUEST: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 1]);
const OTHER_GUEST: MacAddr = MacAddr::new([2, 0xbb, 0, 0, 0, 2]);
const SECOND: [(Family, &str, &str); 2] =
    [(Family::V4, "10.1.0.77", "10.1.0.77/16"), (Family::V6, "fd00:1::77", "fd00:1::77/64")];

fn allowed_addresses_are_used_by_real_programs(mode: Mode) {
    let arena = Arena::start(mode);
    let pings = |family: Family, from: &str| {
        let to = arena.victim.ip(family);
        let args = ["-c", "2", "-i", "0.02", "-W", "0.3", "-I", from, &to];
        netns::output(arena.attacker.netns(), "ping", &args).status.success()
    };
    let allow = |pairs: &[String]| {
        let flags = pairs.iter().flat_map(|pair| ["--allow", pair]);
        arena.wye.ok(&["port", "set", "attacker"].into_iter().chain(flags).collect::<Vec<_>>());
    };
    let pair = |ip: &str| format!("{}/{ip}", arena.attacker.mac());
    for (family, ip, net) in SECOND {
        let own = arena.attacker.ip(family);
        arena.attacker.run("ip", &["addr", "add", net, "dev", "eth0", "nodad"]);
        assert!(pings(family, &own), "{own}");
        assert!(!pings(family, ip), "{ip} is not allowed yet");
        assert!(arena.port().drops.contains_key("src_ip"));
        allow(&[pair(ip)]);
        assert!(pings(family, ip), "{ip} is allowed");
        assert!(pings(family, &own), "{own} still is");
        allow(&["none".to_owned()]);
        assert!(!pings(family, ip), "{ip} is not allowed any more");
    }
    allow(&SECOND.map(|(_, ip, _)| pair(ip)));
    for (family, ip, _) in SECOND {
        assert!(pings(family, ip), "{ip}, both allowed");
    }
}

fn allowed_macs_are_used_until_they_are_taken_back(mode: Mode) {
    let segment = Segment::start_guarded(mode, &[]);
    let b = segment.mac("b");
    let hears = |src| segment.heard(|| segment.send("a", b, src, "hello"));
    assert_eq!(hears(segment.mac("a")), by(&["b"], "hello"));
    assert_eq!(hears(GUEST), Heard::new());
    segment.set("a", "--allow", &GUEST.to_string());
    assert_eq!(hears(GUEST), by(&["b"], "hello"));
    assert_eq!(hears(OTHER_GUEST), Heard::new());
    assert_eq!(hears(segment.mac("a")), by(&["b"], "hello"));
    segment.set("a", "--allow", "none");
    assert_eq!(hears(GUEST), Heard::new());
    assert_eq!(segment.wye.drops("a", "src_mac"), 3);
}

fn locked_port_takes_known_macs_only(mode: Mode) {
    let segment = Segment::start(mode, &[]);
    let b = segment.mac("b");
    let hears = |src| segment.heard(|| segment.send("a", b, src, "hello"));
    segment.set("a", "--locked", "on");
    assert_eq!(hears(segment.mac("a")), by(&["b"], "hello"));
    assert_eq!(hears(GUEST), Heard::new());
    assert_eq!(hears(segment.mac("c")), Heard::new(), "known, but elsewhere");
    assert_eq!(segment.wye.drops("a", "locked"), 2);
    segment.wye.ok(&["fdb", "add", &GUEST.to_string(), "dev", "a"]);
    assert_eq!(hears(GUEST), by(&["b"], "hello"));
    segment.set("a", "--locked", "off");
    assert_eq!(hears(OTHER_GUEST), by(&["b"], "hello"));
}
