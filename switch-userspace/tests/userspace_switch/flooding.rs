//! Who gets a copy, and how often.

use std::{collections::BTreeMap, sync::Arc};

use switch_common::{
    DropReason,
    abi::{
        addr::{MacAddr, Slot},
        counters::PortCounters,
        port::PortFlags,
    },
};
use switch_userspace::datapath::Datapath;

use crate::{
    frames::{frame, is_experiment},
    lab::{BLUE, Lab, RED, collect_until, listen, ready, silent_namespace},
};

#[test]
fn a_broadcast_reaches_every_other_port_of_the_domain_exactly_once() {
    const PORTS: usize = 1100;
    let mut lab = Lab::new();
    let sender = lab.silent_container();
    let deaf = ready().with(PortFlags::BCAST_FLOOD, false);
    let unreached =
        [lab.silent_container_with(RED, 1500, deaf), lab.silent_container_with(BLUE, 1500, ready())];
    // The far ends share one namespace, so that one ring sees them all.
    let sink = Arc::new(silent_namespace());
    let mut plug = |number| lab.plug(Arc::clone(&sink), &format!("e{number}"), RED, 1500, ready());
    let ports: Vec<_> = (0..PORTS).map(&mut plug).collect();
    let mut ring = listen(&sink);

    sender.send(&[frame(MacAddr::BROADCAST, sender.mac, b"once")]);

    let mut missing = PORTS;
    let seen = collect_until(&mut ring, |copy| {
        missing -= usize::from(is_experiment(&copy.bytes));
        missing == 0
    });
    let mut copies = BTreeMap::new();
    for copy in seen.iter().filter(|copy| is_experiment(&copy.bytes)) {
        *copies.entry(copy.interface).or_insert(0) += 1;
    }
    assert_eq!(copies, ports.iter().map(|port| (port.interface, 1)).collect());
    for port in &ports {
        assert_eq!(sent_to(&mut lab, port.slot), 1);
    }
    for port in [&sender, &unreached[0], &unreached[1]] {
        assert_eq!(sent_to(&mut lab, port.slot), 0);
    }
}

#[test]
fn a_flood_that_no_port_takes_is_a_counted_drop() {
    let mut lab = Lab::new();
    let sender = lab.silent_container_with(BLUE, 1500, ready());
    sender.send(&[frame(MacAddr::BROADCAST, sender.mac, b"nobody")]);
    lab.wait_for_drops(sender.slot, DropReason::NoFlood, 1);
}

#[test]
fn a_flood_is_too_big_for_the_port_with_the_small_mtu_only() {
    let mut lab = Lab::new();
    let (sender, large) = (lab.silent_container(), lab.silent_container());
    let small = lab.silent_container_with(RED, 1000, ready());
    let mut ring = large.listen();
    sender.send(&[frame(MacAddr::BROADCAST, sender.mac, &[7; 1400])]);
    let seen = collect_until(&mut ring, |copy| is_experiment(&copy.bytes));
    assert_eq!(seen.last().map(|copy| copy.bytes.len()), Some(1414));
    lab.wait_for_drops(small.slot, DropReason::TooBig, 1);
    assert_eq!(sent_to(&mut lab, small.slot), 0);
}

fn sent_to(lab: &mut Lab, slot: Slot) -> u64 {
    let PortCounters { tx_frames, .. } = lab.switch().counters(slot).expect("counters");
    tx_frames
}
