//! What arrives and what is counted.

use switch_common::{DropReason, abi::port::PortFlags};
use switch_userspace::datapath::Datapath as _;

use crate::lab::Switch;

#[test]
fn containers_on_one_domain_reach_each_other_and_are_counted() {
    let mut switch = Switch::new();
    let (_, first) = switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    let output = switch.ping(0, 1);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let counters = switch.datapath().counters(first.slot()).expect("counters");
    assert!(counters.rx_frames >= 4, "an ARP request and three echo requests: {counters:?}");
    assert!(counters.tx_frames >= 4, "their replies: {counters:?}");
}

#[test]
fn isolated_ports_do_not_reach_each_other_and_the_drop_says_so() {
    let mut switch = Switch::new();
    let flags = PortFlags::DEFAULT.with(PortFlags::ISOLATED, true);
    let (_, first) = switch.add_container(flags);
    switch.add_container(flags);
    assert!(!switch.ping(0, 1).status.success());
    let drops = switch.datapath().drops(first.slot()).expect("drops");
    assert!(drops.iter().any(|(reason, _)| *reason == DropReason::NoFlood), "{drops:?}");
}
