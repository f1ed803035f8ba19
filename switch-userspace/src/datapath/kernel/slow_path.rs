//! The slow path: a thread that takes punted frames from the CPU port and runs the pipeline on the kernel's tables.
//!
//! The CPU port is a TAP that stays when the daemon dies, so that its index cannot become another interface's; frames
//! that are punted meanwhile end there. It counts those, and the ones that find its queue full.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsFd as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use switch_common::{
    DropReason,
    abi::{
        addr::PortId,
        punt::{PUNT_HEADER_LEN, parse_punted},
    },
    stage::{env::Tables as _, pipeline::NO_SLOT},
};

use super::{accounts::Accounts, events::Reported, slow_tables::SlowTables};
use crate::{
    datapath::{
        DatapathError,
        userspace::{
            DropReporter, Engine, MonotonicClock, Packet, SendQueue, Snooper, Stop, StoppableThread,
            TxSockets, VnetHeader,
        },
    },
    netns::{ErrorKind, Family, IfName, LinkSettings, Netlink, Netns, NetnsError, Sysctl, Tap, TapSettings},
    sys::packet::VNET_HEADER_BYTES,
};

/// The largest that a TAP allows: every frame that a port takes fits, with its header.
const CPU_PORT_MTU: u32 = 65_521;
/// One frame with everything before it.
const READ_BYTES: usize = 1 << 17;
const TAG_BYTES: usize = 4;
/// How long a process that ends may still have the CPU port: the kernel closes its files one by one, that of its lock first.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// The running slow path. It ends, and is waited for, when this is dropped; the CPU port stays.
#[derive(Debug)]
pub(super) struct SlowPath {
    _thread: StoppableThread,
}

impl SlowPath {
    /// Makes the CPU port where it is missing, starts the thread, and returns the port's index.
    ///
    /// # Errors
    /// Another process has the CPU port; no more threads or descriptors.
    pub(super) fn start(
        netlink: &Netlink,
        host: &Netns,
        prefix: &str,
        maps: &Path,
        accounts: Arc<Accounts>,
        reported: Reported,
        snooper: Snooper,
    ) -> Result<(Self, PortId), DatapathError> {
        let name = cpu_port_name(prefix)?;
        let settings = TapSettings { name: name.clone(), index: None, vnet_header: true, persistent: true };
        let tap = open_when_free(&settings)?;
        Sysctl::interface(Family::Ipv6, &name, "disable_ipv6").set_if_there("1")?;
        let link = netlink.link_by_name(name.as_str())?;
        let up = LinkSettings {
            mtu: Some(CPU_PORT_MTU),
            arp: Some(false),
            up: Some(true),
            ..LinkSettings::default()
        };
        netlink.set_link(link.index, &up)?;
        let sockets = TxSockets::open(host, host)?;
        let maps = maps.to_path_buf();
        let failed =
            |source| DatapathError::Io { op: "start", object: String::from("the slow path"), source };
        let reporter = DropReporter::new(reported.events.clone());
        let running = Running { tap: tap.into_file(), sockets, reporter, reported, snooper };
        let thread = StoppableThread::start(String::from("slow-path"), move |stop| {
            match SlowTables::open(&maps, accounts) {
                Ok(tables) => running.run(&tables, &stop),
                Err(error) => tracing::error!(%error, "the slow path cannot open its tables and ends"),
            }
        });
        Ok((Self { _thread: thread.map_err(failed)? }, PortId(link.index.into())))
    }
}

/// Removes the CPU port.
///
/// # Errors
/// It is there and cannot be removed.
pub(super) fn remove_cpu_port(netlink: &Netlink, prefix: &str) -> Result<(), DatapathError> {
    match netlink.link_by_name(cpu_port_name(prefix)?.as_str()) {
        Ok(link) => Ok(netlink.delete_link(link.index)?),
        Err(error) if matches!(error.kind(), ErrorKind::NoDevice | ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Frames that the CPU port did not take since it was made.
///
/// # Errors
/// The kernel's count cannot be read.
pub(super) fn refused(netlink: &Netlink, prefix: &str) -> Result<u64, DatapathError> {
    match netlink.tx_dropped(cpu_port_name(prefix)?.as_str()) {
        Err(error) if error.kind() == ErrorKind::NoDevice => Ok(0),
        counted => Ok(counted?),
    }
}

fn open_when_free(settings: &TapSettings) -> Result<Tap, NetnsError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Tap::open(settings) {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < until => thread::sleep(PAUSE),
            opened => return opened,
        }
    }
}

fn cpu_port_name(prefix: &str) -> Result<IfName, NetnsError> {
    Ok(IfName::new(format!("{prefix}cpu"))?)
}

struct Running {
    tap: File,
    sockets: TxSockets,
    reporter: DropReporter,
    reported: Reported,
    snooper: Snooper,
}

impl Running {
    fn run(mut self, tables: &SlowTables, stop: &Stop) {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.read(&mut buffer, tables, stop) {
                Ok(Some(len)) => self.switch(&buffer[..len], tables),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "punted frames cannot be read any more; the slow path ends");
                    return;
                }
            }
        }
    }

    /// Waits for the next frame and returns its length; `None` once the thread has to end.
    fn read(&mut self, buffer: &mut [u8], tables: &SlowTables, stop: &Stop) -> io::Result<Option<usize>> {
        while !stop.is_requested() {
            if !stop.wait_with(self.tap.as_fd())? {
                continue;
            }
            match self.tap.read(buffer) {
                Err(error) if is_about_one_frame(&error) => {
                    tracing::debug!(%error, "a punted frame cannot be read");
                    tables.count_drop(NO_SLOT, DropReason::PuntFailed);
                }
                read => return read.map(Some),
            }
        }
        Ok(None)
    }

    fn switch(&mut self, bytes: &[u8], tables: &SlowTables) {
        let Some((vnet, bytes)) = bytes.split_first_chunk::<VNET_HEADER_BYTES>() else { return };
        // The kernel may send frames of its own out of any interface; they have no header and are nobody's.
        let Some(punted) = parse_punted(bytes) else { return };
        let before = PUNT_HEADER_LEN + if punted.tag.is_some() { TAG_BYTES } else { 0 };
        let shift = i16::try_from(before).unwrap_or(i16::MAX);
        let packet = Packet {
            port: punted.port,
            bytes: punted.frame,
            tag: punted.tag,
            vnet: VnetHeader::new(*vnet).moved(-shift),
        };
        let mut engine = Engine {
            tables,
            clock: &MonotonicClock,
            egress: &self.sockets,
            reporter: &mut self.reporter,
            snooper: &mut self.snooper,
            probes: &self.reported.probes,
        };
        let mut queue = SendQueue::default();
        engine.switch(packet, &mut queue);
        engine.flush(&mut queue);
        self.reported.notify();
    }
}

/// A TAP takes a frame out of its queue before it finds that it cannot hand it over. Only where the interface is going (EIO) or
/// gone (EBADFD) does the error stay.
fn is_about_one_frame(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EIO | libc::EBADFD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_cannot_be_read_is_no_reason_to_end_and_a_removed_interface_is_one() {
        for (errno, goes_on) in
            [(libc::EINVAL, true), (libc::EFAULT, true), (libc::EIO, false), (libc::EBADFD, false)]
        {
            assert_eq!(is_about_one_frame(&io::Error::from_raw_os_error(errno)), goes_on, "{errno}");
        }
    }
}
