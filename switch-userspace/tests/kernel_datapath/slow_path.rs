//! Frames that the fast path hands on.

use std::{net::UdpSocket, os::fd::AsFd as _, process::Command, thread, time::Instant};

use switch_common::{DropReason, abi::port::PortFlags, stage::pipeline::NO_SLOT};
use switch_userspace::{
    datapath::Datapath as _,
    netns::{Netlink, Netns},
    sys::packet::{self, Datagram, VNET_HEADER_BYTES},
};

use crate::lab::{PATIENCE, Switch, inside, mac};

/// UDP from fd00::1 port 9 to fd00::2 port 9, behind `extensions` destination-options headers of padding.
fn behind_extensions(extensions: u8, payload: &[u8]) -> Vec<u8> {
    const DEST_OPTIONS: u8 = 60;
    const UDP: u8 = 17;
    let address = |number| [[0xfd, 0].as_slice(), &[0; 13], &[number]].concat();
    let udp_len = u16::try_from(8 + payload.len()).expect("short").to_be_bytes();
    let segment = [&[0, 9, 0, 9], udp_len.as_slice(), &[0, 0], payload].concat();
    let pseudo = [address(1), address(2), vec![0, 0], udp_len.to_vec(), vec![0, 0, 0, UDP], segment.clone()];
    let mut segment = segment;
    segment[6..8].copy_from_slice(&checksum(&pseudo.concat()));
    let next = |left| if left == 0 { UDP } else { DEST_OPTIONS };
    let chain: Vec<u8> = (0..extensions).rev().flat_map(|left| [next(left), 0, 1, 4, 0, 0, 0, 0]).collect();
    let length = u16::try_from(chain.len() + segment.len()).expect("short").to_be_bytes();
    let ip =
        [&[0x60, 0, 0, 0], length.as_slice(), &[next(extensions), 64], &address(1), &address(2)].concat();
    [mac(2).bytes().as_slice(), &mac(1).bytes(), &[0x86, 0xdd], &ip, &chain, &segment].concat()
}

/// RFC 1071 over an even number of bytes.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!u16::try_from(folded).expect("folded")).to_be_bytes()
}

fn send_raw(container: &Netns, frame: &[u8]) {
    inside(container, || {
        let socket = packet::open().expect("packet socket");
        let interface = Netlink::open().expect("netlink").link_by_name("eth0").expect("eth0").index.into();
        let datagram = Datagram {
            interface,
            vnet_header: [0; VNET_HEADER_BYTES],
            head: frame,
            inserted: None,
            tail: &[],
        };
        assert_eq!(packet::send(socket.as_fd(), &[datagram]).expect("sent"), 1);
    });
}

#[test]
fn a_frame_beyond_the_fast_paths_reach_takes_the_slow_path_and_arrives() {
    let mut switch = Switch::new();
    let (_, first) = switch.add_container(PortFlags::DEFAULT);
    let (_, second) = switch.add_container(PortFlags::DEFAULT);
    let reached = || Command::new("ping").args(["-c", "1", "-w", "10", "-i", "0.1", "fd00::2"]).output();
    let reached = inside(&switch.containers[0], reached).expect("ping runs");
    assert!(reached.status.success(), "both interfaces are in use: {reached:?}");
    let receiver = inside(&switch.containers[1], || UdpSocket::bind("[fd00::2]:9")).expect("bound");
    receiver.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut received = [0; 16];
    for (extensions, by_slow_path) in [(4, 0), (6, 1)] {
        send_raw(&switch.containers[0], &behind_extensions(extensions, b"how far?"));
        let arrived = receiver.recv(&mut received);
        let drops = switch.datapath().drops(first.slot()).expect("drops");
        assert_eq!(arrived.expect("the datagram arrives"), 8, "{extensions} extension headers: {drops:?}");
        assert_eq!(&received[..8], b"how far?");
        assert_eq!(switch.datapath().port_state(second.slot()).slow_tx_frames, by_slow_path);
    }
}

#[test]
fn frames_that_the_slow_path_is_not_there_to_take_are_counted() {
    let mut switch = Switch::new();
    switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    switch.datapath = None;
    send_raw(&switch.containers[0], &behind_extensions(6, b"anybody?"));
    switch.open();
    let end = Instant::now() + PATIENCE;
    loop {
        let drops = switch.datapath().drops(NO_SLOT).expect("drops");
        if drops == [(DropReason::PuntFailed, 1)] {
            break;
        }
        assert!(Instant::now() < end, "{drops:?}");
        thread::yield_now();
    }
}
