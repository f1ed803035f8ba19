//! The bystanders' conversation: numbered datagrams, of which none may be lost while others attack.

use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use wye_tests::support::{
    netns,
    wye::{Container, Family},
};

/// Between two datagrams.
const INTERVAL: Duration = Duration::from_millis(1);
/// No datagram is longer on its way.
const SILENCE: Duration = Duration::from_millis(500);
/// What each datagram ends with: nobody else's have it.
pub(crate) const MARK: &[u8] = b"between bystanders";

/// A flow that runs until it is finished.
pub(crate) struct Flow {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<Vec<u64>>,
}

impl Flow {
    /// Starts to send from one container to the other.
    pub(crate) fn start(from: &Container, to: &Container, family: Family) -> Self {
        let [from_ip, to_ip] = [from, to].map(|one| one.ip(family).parse::<IpAddr>().expect("an address"));
        let open = |container: &Container, ip| {
            netns::inside(container.netns(), || UdpSocket::bind((ip, 0))).expect("a socket")
        };
        let (socket, receiving) = (open(from, from_ip), open(to, to_ip));
        socket.connect(receiving.local_addr().expect("a port")).expect("a route");
        receiving.set_read_timeout(Some(SILENCE)).expect("a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let (told, known) = (Arc::clone(&stop), Arc::clone(&stop));
        let sender = thread::spawn(move || send(&socket, &told));
        let receiver = thread::spawn(move || receive(&receiving, &known));
        Self { stop, sender, receiver }
    }

    /// Ends the flow and says what is wrong with it, if anything.
    pub(crate) fn finish(self) -> Option<String> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().expect("the sender ends well");
        let mut received = self.receiver.join().expect("the receiver ends well");
        received.sort_unstable();
        let whole = sent > 0 && received.iter().copied().eq(0..sent);
        (!whole).then(|| format!("the bystanders' flow: {} of {sent} datagrams came", received.len()))
    }
}

fn send(socket: &UdpSocket, stop: &AtomicBool) -> u64 {
    let mut number: u64 = 0;
    while !stop.load(Ordering::Relaxed) {
        socket.send(&[&number.to_be_bytes(), MARK].concat()).expect("a datagram is taken");
        number += 1;
        thread::sleep(INTERVAL);
    }
    number
}

fn receive(socket: &UdpSocket, stop: &AtomicBool) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut datagram = [0; 64];
    loop {
        match socket.recv(&mut datagram) {
            Ok(len) if datagram[..len].ends_with(MARK) => {
                numbers.push(u64::from_be_bytes(*datagram.first_chunk().expect("a number")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if stop.load(Ordering::Relaxed) {
                    return numbers;
                }
            }
            Err(error) => panic!("the receiver of the flow: {error}"),
        }
    }
}
