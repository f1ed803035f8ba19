//! Frames of every length, senseless and nearly right, from one container: each is forwarded or counted, and nothing else
//! happens.

use std::collections::HashMap;

use fastrand::Rng;
use switch_common::abi::{addr::MacAddr, port::PortFlags};
use switch_userspace::datapath::Mode;
use wye_tests::support::{
    packet::{
        build, generate,
        socket::{Capture, Sender},
    },
    topology::{Container, Lab, wait_until},
};

const LENGTHS: std::ops::RangeInclusive<usize> = 14..=2_000;
/// Frames of each length.
const KINDS: u8 = 6;
/// Frames that are sent before the switch has to have seen them all.
const BURST: u64 = 64;
/// MACs that may be learned at the attacker's port.
const MAX_MACS: u32 = 200;

#[test]
fn bad_frames_are_forwarded_or_counted_by_the_ebpf_datapath() {
    bad_frames_are_forwarded_or_counted(Mode::Ebpf);
}

#[test]
fn bad_frames_are_forwarded_or_counted_by_the_userspace_datapath() {
    bad_frames_are_forwarded_or_counted(Mode::Userspace);
}

fn bad_frames_are_forwarded_or_counted(mode: Mode) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let rng = &mut Rng::with_seed(seed);
    let mut lab = Lab::start(mode);
    let attacker = lab.container(MAX_MACS, PortFlags::DEFAULT);
    let others = [lab.container(0, PortFlags::DEFAULT), lab.container(0, PortFlags::DEFAULT)];
    let captures = others.each_ref().map(|other| Capture::start(&other.netns, "eth0"));

    let frames: Vec<_> = LENGTHS
        .flat_map(|len| (0..KINDS).map(move |kind| (len, kind)))
        .map(|(len, kind)| bad_frame(rng, len, kind, &attacker, others[0].mac()))
        .collect();
    let mut sender = Sender::open(&attacker.netns, "eth0");
    for (frame, sent) in frames.iter().zip(1..) {
        sender.send(frame);
        if sent % BURST == 0 || sent == frames.len() as u64 {
            wait_until("the switch has seen every frame", || lab.traffic(&attacker).rx_frames >= sent);
        }
    }

    let sent = frames.len() as u64;
    assert_eq!(lab.traffic(&attacker).rx_frames, sent);
    let drops = |container| lab.drops(container).iter().map(|(_, count)| count).sum::<u64>();
    let mut reached = Vec::new();
    for (other, capture) in others.iter().zip(captures) {
        let delivered = lab.traffic(other).tx_frames;
        wait_until("every counted frame is delivered", || capture.count() >= delivered);
        let captured = capture.finish();
        assert_eq!(captured.len() as u64, delivered);
        assert_is_part_of(&frames, &captured);
        reached.push(delivered + drops(other));
    }
    // What the switch does not drop at once goes to the first of the others, alone or as a copy.
    assert_eq!(sent, drops(&attacker) + reached[0], "{:?}", lab.drops(&attacker));
    assert!(drops(&attacker) > 0 && reached[1] > 0, "all verdicts are tried");

    let hello = build::eth(others[0].mac(), attacker.mac(), 0x88b5, b"hello");
    let answer = build::eth(attacker.mac(), others[0].mac(), 0x88b5, b"hello yourself");
    assert_arrives(&mut sender, &hello, &others[0]);
    assert_arrives(&mut Sender::open(&others[0].netns, "eth0"), &answer, &attacker);
}

/// A frame of this length: mostly to the victim, from the attacker's own MAC or from any.
fn bad_frame(rng: &mut Rng, len: usize, kind: u8, attacker: &Container, victim: MacAddr) -> Vec<u8> {
    let any = |rng: &mut Rng| MacAddr::new(std::array::from_fn(|_| rng.u8(..)));
    let mut frame = match kind {
        0 => generate::noise(rng, victim, attacker.mac(), len),
        1 => {
            let (dst, src) = (any(rng), any(rng));
            generate::noise(rng, dst, src, len)
        }
        2 => {
            let src = any(rng);
            generate::well_formed(rng, victim, src)
        }
        3 => generate::well_formed(rng, MacAddr::BROADCAST, attacker.mac()),
        _ => generate::well_formed(rng, victim, attacker.mac()),
    };
    frame.resize_with(len, || rng.u8(..));
    // The kernel discards a frame that ends within two bytes of its outermost tag before any switch sees it.
    if len < 20 && matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]) {
        frame[12] = 0;
    }
    frame
}

/// Asserts that `captured` is `sent` with some frames left out: the same bytes, each no oftener than it was sent.
fn assert_is_part_of(sent: &[Vec<u8>], captured: &[Vec<u8>]) {
    let mut rest = HashMap::<&[u8], u32>::new();
    for frame in sent {
        *rest.entry(frame).or_default() += 1;
    }
    for frame in captured {
        let times = rest.get_mut(&**frame).unwrap_or_else(|| panic!("never sent so: {frame:02x?}"));
        *times = times.checked_sub(1).unwrap_or_else(|| panic!("doubled: {frame:02x?}"));
    }
}

fn assert_arrives(sender: &mut Sender, frame: &[u8], at: &Container) {
    let capture = Capture::start(&at.netns, "eth0");
    sender.send(frame);
    wait_until("the frame arrives", || capture.count() > 0);
    assert_eq!(capture.finish(), [frame]);
}
