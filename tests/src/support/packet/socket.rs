//! Raw frames out of and into a container's interface, byte for byte.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use switch_userspace::netns::{Netlink, Netns};

use crate::support::{netns, sys};

/// Longer than any frame that comes in, super-frames included.
const FRAME_ROOM: usize = 1 << 17;

/// Sends frames out of an interface.
pub struct Sender(File);

impl Sender {
    /// A sender out of `interface` of `netns`.
    ///
    /// # Panics
    /// Without such an interface.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        Self(File::from(open(netns, interface)))
    }

    /// Sends one frame.
    ///
    /// # Panics
    /// When the kernel does not take it.
    pub fn send(&mut self, frame: &[u8]) {
        if let Err(error) = self.0.write_all(frame) {
            panic!("a frame of {} bytes is not taken: {error}", frame.len());
        }
    }
}

/// Collects every frame that comes in through an interface.
pub struct Capture {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    collector: JoinHandle<Vec<Vec<u8>>>,
}

impl Capture {
    /// Begins to collect at `interface` of `netns`.
    ///
    /// # Panics
    /// Without such an interface.
    #[must_use]
    pub fn start(netns: &Netns, interface: &str) -> Self {
        let socket = open(netns, interface);
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let collector = thread::spawn(move || collect(&socket, &told, &counted));
        Self { stop, count, collector }
    }

    /// Frames so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends once no more frames come, and returns them in their order, tags in their place.
    ///
    /// # Panics
    /// When the interface went away meanwhile.
    #[must_use]
    pub fn finish(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.collector.join().expect("the collector of frames ends well")
    }
}

fn open(netns: &Netns, interface: &str) -> OwnedFd {
    netns::inside(netns, || {
        let link = Netlink::open().expect("netlink").link_by_name(interface).expect("the interface");
        sys::packet_socket(link.index.into()).expect("a packet socket")
    })
}

fn collect(socket: &OwnedFd, stop: &AtomicBool, count: &AtomicU64) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut buffer = vec![0; FRAME_ROOM];
    loop {
        match sys::receive_frame(socket.as_fd(), &mut buffer).expect("the interface stays") {
            Some((len, tag)) => {
                let mut frame = buffer[..len].to_vec();
                if let Some(tag) = tag {
                    let bytes = [tag.tpid.to_be_bytes(), tag.tci.to_be_bytes()].concat();
                    frame.splice(12..12, bytes);
                }
                frames.push(frame);
                count.fetch_add(1, Ordering::Relaxed);
            }
            None if stop.load(Ordering::Relaxed) => return frames,
            None => {}
        }
    }
}
