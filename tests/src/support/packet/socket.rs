//! Raw frames out of and into a container's interface, byte for byte.

use std::{
    fs::File,
    io::Write,
    mem,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
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
    frames: Frames,
    collector: JoinHandle<()>,
}

type Frames = Arc<Mutex<Vec<Vec<u8>>>>;

impl Capture {
    /// Begins to collect at `interface` of `netns`.
    ///
    /// # Panics
    /// Without such an interface.
    #[must_use]
    pub fn start(netns: &Netns, interface: &str) -> Self {
        let socket = open(netns, interface);
        let (stop, frames) = (Arc::new(AtomicBool::new(false)), Frames::default());
        let (told, kept) = (Arc::clone(&stop), Arc::clone(&frames));
        let collector = thread::spawn(move || collect(&socket, &told, &kept));
        Self { stop, frames, collector }
    }

    /// Frames so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        lock(&self.frames).len() as u64
    }

    /// Whether there is such a frame so far.
    pub fn has(&self, is_wanted: impl FnMut(&Vec<u8>) -> bool) -> bool {
        lock(&self.frames).iter().any(is_wanted)
    }

    /// Ends once no more frames come, and returns them in their order, tags in their place.
    ///
    /// # Panics
    /// When the interface went away meanwhile.
    #[must_use]
    pub fn finish(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.collector.join().expect("the collector of frames ends well");
        mem::take(&mut lock(&self.frames))
    }
}

fn open(netns: &Netns, interface: &str) -> OwnedFd {
    netns::inside(netns, || {
        let link = Netlink::open().expect("netlink").link_by_name(interface).expect("the interface");
        sys::packet_socket(link.index.into()).expect("a packet socket")
    })
}

fn collect(socket: &OwnedFd, stop: &AtomicBool, frames: &Frames) {
    let mut buffer = vec![0; FRAME_ROOM];
    loop {
        match sys::receive_frame(socket.as_fd(), &mut buffer).expect("the interface stays") {
            Some((len, tag)) => {
                let mut frame = buffer[..len].to_vec();
                if let Some(tag) = tag {
                    let bytes = [tag.tpid.to_be_bytes(), tag.tci.to_be_bytes()].concat();
                    frame.splice(12..12, bytes);
                }
                lock(frames).push(frame);
            }
            None if stop.load(Ordering::Relaxed) => return,
            None => {}
        }
    }
}

fn lock(frames: &Frames) -> MutexGuard<'_, Vec<Vec<u8>>> {
    frames.lock().unwrap_or_else(PoisonError::into_inner)
}
