//! Raw frames out of and into a container's interface, byte for byte.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use switch_common::wire::vlan::Tag;
use switch_userspace::netns::{Netlink, Netns};

use crate::support::{
    netns,
    sys::{self, Wait},
};

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

    /// Sends one frame, if the interface is up.
    ///
    /// # Errors
    /// What the kernel says where it does not take it.
    pub fn try_send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.write_all(frame)
    }

    /// Sends frames, in few system calls.
    ///
    /// # Panics
    /// When the kernel does not take them.
    pub fn send_all(&mut self, frames: &[Vec<u8>]) {
        let mut rest = frames;
        while !rest.is_empty() {
            let sent = sys::send_frames(self.0.as_fd(), rest).expect("frames are taken");
            rest = &rest[sent..];
        }
    }
}

/// Keeps the frames that come in through an interface until they are asked for.
pub struct Sniffer(OwnedFd);

impl Sniffer {
    /// Begins to keep the frames that come in through `interface` of `netns`.
    ///
    /// # Panics
    /// Without such an interface.
    #[must_use]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        Self(open(netns, interface))
    }

    /// Begins to keep the frames that come in through any interface of `netns`, those too that it does not have yet.
    ///
    /// # Panics
    /// Without the privilege.
    #[must_use]
    pub fn open_everywhere(netns: &Netns) -> Self {
        Self(netns::inside(netns, || sys::packet_socket(0).expect("a packet socket")))
    }

    /// The frames since the last call, in their order, tags in their place.
    ///
    /// # Panics
    /// When the interface went away meanwhile.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; FRAME_ROOM];
        let mut frames = Vec::new();
        while let Some((len, tag)) =
            sys::receive_frame(self.0.as_fd(), &mut buffer, Wait::No).expect("the interface stays")
        {
            frames.push(with_tag(&buffer[..len], tag));
        }
        frames
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
        match sys::receive_frame(socket.as_fd(), &mut buffer, Wait::AWhile).expect("the interface stays") {
            Some((len, tag)) => lock(frames).push(with_tag(&buffer[..len], tag)),
            None if stop.load(Ordering::Relaxed) => return,
            None => {}
        }
    }
}

/// Puts the tag back that the kernel took out.
fn with_tag(bytes: &[u8], tag: Option<Tag>) -> Vec<u8> {
    let mut frame = bytes.to_vec();
    if let Some(tag) = tag {
        frame.splice(12..12, [tag.tpid.to_be_bytes(), tag.tci.to_be_bytes()].concat());
    }
    frame
}

fn lock(frames: &Frames) -> MutexGuard<'_, Vec<Vec<u8>>> {
    frames.lock().unwrap_or_else(PoisonError::into_inner)
}
