//! A container that sends broadcasts at a steady rate.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use switch_userspace::{
    netns::Netlink,
    sys::packet::{self, Datagram, VNET_HEADER_BYTES},
};

use crate::{frame, sys, topology::Container};

/// How long the sender sleeps between two bursts.
const PAUSE: Duration = Duration::from_micros(200);
/// Frames that one call sends at most. What is due beyond that is not made up for: a storm does not become a burst.
const BURST: usize = 64;

/// The sender.
pub(super) struct Storm {
    socket: OwnedFd,
    interface: u32,
    frame: Vec<u8>,
}

impl Storm {
    /// From this container, with its own addresses.
    ///
    /// # Errors
    /// No packet socket can be opened.
    pub(super) fn from(container: &Container) -> Result<Self> {
        let socket = container.netns().run(|| packet::open().context("cannot open a packet socket"))?;
        packet::bypass_queues(socket.as_fd()).context("cannot set up the packet socket")?;
        let link = Netlink::open_in(container.netns())?.link_by_name(container.interface())?;
        let frame = frame::udp(container.mac(), frame::BROADCAST, container.ip(), frame::BROADCAST_IP);
        Ok(Self { socket, interface: link.index.into(), frame })
    }

    /// Sends `rate` frames a second from CPU `cpu`, as an ordinary thread, until `stop`; says how many went out in a second.
    ///
    /// # Errors
    /// The CPU is not ours to use; the kernel refuses the frames.
    pub(super) fn blow(&self, rate: f64, cpu: usize, stop: &AtomicBool) -> Result<f64> {
        sys::pin_to(cpu).with_context(|| format!("cannot run on CPU {cpu}"))?;
        let datagram = Datagram {
            interface: self.interface,
            vnet_header: [0; VNET_HEADER_BYTES],
            head: &self.frame,
            inserted: None,
            tail: &[],
        };
        let burst = [datagram; BURST];
        let start = Instant::now();
        let mut sent: u64 = 0;
        let mut skipped: u64 = 0;
        while !stop.load(Ordering::Relaxed) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
            let scheduled = (start.elapsed().as_secs_f64() * rate) as u64;
            let due = scheduled.saturating_sub(sent + skipped);
            let now = usize::try_from(due).unwrap_or(BURST).min(BURST);
            skipped += due - now as u64;
            if now == 0 {
                thread::sleep(PAUSE);
            } else {
                sent +=
                    packet::send(self.socket.as_fd(), &burst[..now]).context("cannot send frames")? as u64;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 frames")]
        Ok(sent as f64 / start.elapsed().as_secs_f64())
    }
}
