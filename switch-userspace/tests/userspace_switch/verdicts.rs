//! Every frame is delivered as it was or counted as a drop; nothing else becomes of one.

use std::time::Duration;

use switch_common::{
    DropReason,
    abi::port::PortFlags,
    stage::pipeline::NO_SLOT,
    wire::vlan::{TPID_8021AD, TPID_8021Q},
};
use switch_userspace::{
    datapath::Datapath,
    netns::{LinkSettings, Netlink},
};

use crate::{
    frames::{frame, is_experiment, odd_frame, super_frame, super_frame_header, tagged, twice_tagged},
    lab::{Lab, PATIENCE, RED, collect_until, ready, wait_until},
};

#[test]
fn frames_arrive_byte_for_byte_with_their_tags() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    let mut ring = b.listen();
    let double = twice_tagged(b.mac, a.mac, b"inside");
    a.send(&[
        frame(b.mac, a.mac, &[0x55; 46]),
        frame(b.mac, a.mac, &[0x66; 1500]),
        tagged(b.mac, a.mac, TPID_8021Q, 0x2005, b"tagged"),
        tagged(b.mac, a.mac, TPID_8021AD, 0x4006, b"service tag"),
        double.clone(),
    ]);
    let seen = collect_until(&mut ring, |copy| copy.bytes.ends_with(b"inside"));
    let seen: Vec<_> = seen.into_iter().filter(|copy| copy.bytes.starts_with(&b.mac.bytes())).collect();
    let tags: Vec<_> = seen.iter().map(|copy| copy.tag).collect();
    let (c, s) = (TPID_8021Q, TPID_8021AD);
    assert_eq!(tags, [None, None, Some((c, 0x2005)), Some((s, 0x4006)), Some((s, 0x6007))]);
    let expected = [
        frame(b.mac, a.mac, &[0x55; 46]),
        frame(b.mac, a.mac, &[0x66; 1500]),
        frame(b.mac, a.mac, b"tagged"),
        frame(b.mac, a.mac, b"service tag"),
        [&double[..12], &double[16..]].concat(),
    ];
    assert_eq!(seen.into_iter().map(|copy| copy.bytes).collect::<Vec<_>>(), expected);
}

#[test]
fn a_tagged_super_frame_passes_whole_with_its_unfinished_checksum() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    let mut ring = b.listen();
    for payload in [&[0xee; 1500][..], &[0xdd; 60_000]] {
        let (frame, header) = super_frame(b.mac, a.mac, [0x81, 0x00, 0x20, 0x05], payload);
        a.send_with_header(std::slice::from_ref(&frame), header);
        let seen = collect_until(&mut ring, |_| true).remove(0);
        assert_eq!(seen.bytes, [&frame[..12], &frame[16..]].concat());
        assert_eq!(seen.tag, Some((TPID_8021Q, 0x2005)));
        // The kernel says how much of the frame lies in one piece, which is its own business.
        let [flags, gso_type, _, _, rest @ ..] = seen.vnet_header;
        let [expected_flags, expected_type, _, _, expected @ ..] = super_frame_header(14);
        assert_eq!((flags, gso_type, rest), (expected_flags, expected_type, expected));
    }
}

#[test]
fn every_frame_that_is_sent_is_delivered_or_counted() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    let frames: Vec<_> = (14..=1514).map(|length| odd_frame(length, b.mac, a.mac)).collect();
    let sent = frames.len() as u64;
    a.send(&frames);
    let counted = |lab: &mut Lab| {
        let delivered = lab.switch().counters(b.slot).expect("counters").tx_frames;
        let drops = [NO_SLOT, a.slot, b.slot].map(|slot| lab.switch().drops(slot).expect("drops"));
        (delivered, drops.iter().flatten().map(|(_, count)| count).sum::<u64>())
    };
    wait_until("all frames are delivered or counted", || {
        let (delivered, dropped) = counted(&mut lab);
        delivered + dropped >= sent
    });
    let (delivered, dropped) = counted(&mut lab);
    assert_eq!(delivered + dropped, sent);
    assert!(dropped > 0, "some of the frames are malformed");
    assert_eq!(b.received(), delivered);
}

#[test]
fn a_frame_to_a_container_that_is_down_is_a_counted_drop() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    let down = LinkSettings { up: Some(false), ..LinkSettings::default() };
    let inside = Netlink::open_in(&b.netns).expect("netlink");
    inside.set_link(b.interface.into(), &down).expect("the interface goes down");
    a.send(&[frame(b.mac, a.mac, b"lost")]);
    lab.wait_for_drops(b.slot, DropReason::TxQueue, 1);
    assert_eq!(lab.switch().counters(b.slot).expect("counters").tx_frames, 0);
}

#[test]
fn a_frame_beyond_the_mtu_is_a_counted_drop_and_its_event_shows_the_frame() {
    let mut lab = Lab::new();
    let a = lab.silent_container();
    let b = lab.silent_container_with(RED, 1000, ready());
    let mut events = lab.switch().events().expect("events");
    let big = frame(b.mac, a.mac, &[9; 1200]);
    a.send(std::slice::from_ref(&big));
    lab.wait_for_drops(a.slot, DropReason::TooBig, 1);
    let event = loop {
        let event = events.next(PATIENCE).expect("events can be read").expect("an event");
        if event.reason == DropReason::TooBig as u32 {
            break event;
        }
    };
    assert_eq!((event.port, event.frame_len), (a.port, 1214));
    assert_eq!(event.head[..], big[..64]);
    while let Some(other) = events.next(Duration::ZERO).expect("events can be read") {
        assert_ne!(other.reason, DropReason::TooBig as u32);
    }
}

#[test]
fn isolated_ports_are_kept_apart_and_reach_the_others() {
    let mut lab = Lab::new();
    let isolated = ready().with(PortFlags::ISOLATED, true);
    let (a, b) =
        (lab.silent_container_with(RED, 1500, isolated), lab.silent_container_with(RED, 1500, isolated));
    let c = lab.silent_container();
    let mut ring = c.listen();
    a.send(&[frame(b.mac, a.mac, b"apart"), frame(c.mac, a.mac, b"together")]);
    collect_until(&mut ring, |copy| is_experiment(&copy.bytes));
    lab.wait_for_drops(a.slot, DropReason::Isolated, 1);
}

#[test]
fn an_interface_that_is_no_port_is_counted_as_such() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    lab.switch().detach_port(a.port).expect("detached");
    let before = lab.drops(NO_SLOT, DropReason::UnknownPort);
    a.send(&[frame(b.mac, a.mac, b"from nowhere")]);
    wait_until("the drop is counted", || lab.drops(NO_SLOT, DropReason::UnknownPort) > before);
    assert_eq!(lab.switch().counters(b.slot).expect("counters").tx_frames, 0);
}
