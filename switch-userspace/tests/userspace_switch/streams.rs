//! Real connections: what programs send arrives whole, whatever the offloads are.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
};

use switch_userspace::{
    datapath::Datapath,
    netns::{IfName, Netlink, NetnsError, Offload},
};

use crate::lab::{BLUE, Container, Lab, PATIENCE, RED, ready};

const FILE_BYTES: usize = 4 << 20;

#[test]
fn containers_of_one_domain_reach_each_other_and_no_other_domain() {
    let mut lab = Lab::new();
    let (a, b) = (lab.container(), lab.container());
    let c = lab.container_with(BLUE, 1500, ready());
    for (from, to) in [(&a, &b), (&b, &a)] {
        assert!(from.pings(&to.ipv4().to_string()), "{} to {}", from.ipv4(), to.ipv4());
        assert!(from.pings(&to.ipv6().to_string()), "{} to {}", from.ipv6(), to.ipv6());
    }
    assert!(!a.pings(&c.ipv4().to_string()), "the other domain is out of reach");
}

#[test]
fn a_file_arrives_as_it_was_sent_with_every_combination_of_offloads() {
    let mut lab = Lab::new();
    let (a, b) = (lab.container(), lab.container());
    let file = noise(FILE_BYTES);
    for choice in 0..16 {
        for (container, shift) in [(&a, 0), (&b, 2)] {
            set_offload(container, &[Offload::TxChecksum, Offload::RxChecksum], choice >> shift & 1 != 0);
            set_offload(container, &[Offload::Tso, Offload::Gso], choice >> shift & 2 != 0);
        }
        let address = if choice % 2 == 0 { b.ipv4() } else { b.ipv6() };
        assert!(transfer(&a, &b, address, &file) == file, "to {address} with offloads {choice:04b}");
        assert!(transfer(&b, &a, a.ipv4(), &file) == file, "back with offloads {choice:04b}");
    }
}

#[test]
fn super_frames_pass_whole() {
    let mut lab = Lab::new();
    let (a, b) = (lab.container(), lab.container());
    let file = noise(FILE_BYTES);
    let counters = |lab: &mut Lab, slot| lab.switch().counters(slot).expect("counters");
    let before = (counters(&mut lab, a.slot), counters(&mut lab, b.slot));
    assert!(transfer(&a, &b, b.ipv4(), &file) == file);
    let after = (counters(&mut lab, a.slot), counters(&mut lab, b.slot));
    let sent_bytes = after.0.rx_bytes - before.0.rx_bytes;
    assert!(sent_bytes / (after.0.rx_frames - before.0.rx_frames) > 2 * 1514, "{after:?}");
    assert_eq!(sent_bytes, after.1.tx_bytes - before.1.tx_bytes);
}

#[test]
fn jumbo_frames_pass_where_the_mtu_says_so() {
    let mut lab = Lab::new();
    let (a, b) = (lab.container_with(RED, 9000, ready()), lab.container_with(RED, 9000, ready()));
    for container in [&a, &b] {
        set_offload(container, &[Offload::Tso, Offload::Gso], false);
    }
    let address = b.ipv4().to_string();
    assert!(a.run("ping", &["-c", "1", "-W", "2", "-M", "do", "-s", "8972", &address]).status.success());
    let file = noise(FILE_BYTES);
    assert!(transfer(&a, &b, b.ipv6(), &file) == file);
}

#[test]
fn datagrams_of_every_size_arrive_as_they_were_sent() {
    let mut lab = Lab::new();
    let (a, b) = (lab.container(), lab.container());
    let receiver = bind_udp(&b, b.ipv4());
    let sender = bind_udp(&a, a.ipv4());
    let to = receiver.local_addr().expect("an address");
    let content = noise(60_000);
    let mut buffer = vec![0; 65_536];
    for length in [0, 1, 17, 1472, 1473, 9000, 60_000] {
        sender.send_to(&content[..length], to).expect("sent");
        let (received, _) = receiver.recv_from(&mut buffer).expect("received");
        assert!(buffer[..received] == content[..length], "{length} bytes");
    }
}

/// Bytes that look random and are the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// Sends `file` from one container to an address of another, and returns what arrived.
fn transfer(from: &Container, to: &Container, address: IpAddr, file: &[u8]) -> Vec<u8> {
    let listener = to
        .netns
        .run(|| -> Result<_, NetnsError> { Ok(TcpListener::bind((address, 0))) })
        .expect("the container can be entered")
        .expect("a listener");
    let target = listener.local_addr().expect("an address");
    thread::scope(|scope| {
        let arrived = scope.spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let mut arrived = Vec::new();
            stream.read_to_end(&mut arrived).expect("the whole file");
            arrived
        });
        let mut stream = connect(from, target);
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(file).expect("the file is sent");
        drop(stream);
        arrived.join().expect("the receiver ends")
    })
}

fn connect(from: &Container, target: SocketAddr) -> TcpStream {
    from.netns
        .run(|| -> Result<_, NetnsError> { Ok(TcpStream::connect_timeout(&target, PATIENCE)) })
        .expect("the container can be entered")
        .expect("a connection")
}

fn bind_udp(container: &Container, address: IpAddr) -> UdpSocket {
    let socket = container
        .netns
        .run(|| -> Result<_, NetnsError> { Ok(UdpSocket::bind((address, 0))) })
        .expect("the container can be entered")
        .expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn set_offload(container: &Container, offloads: &[Offload], on: bool) {
    let netlink = Netlink::open_in(&container.netns).expect("netlink");
    let interface = IfName::new("eth0").expect("a name");
    for offload in offloads {
        netlink.set_offload(&interface, *offload, on).expect("an offload of a veth");
    }
}
