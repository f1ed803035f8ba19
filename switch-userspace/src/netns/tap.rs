//! TAP interfaces: frames that the kernel sends out of one are read from a descriptor, and the other way round.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, BorrowedFd},
};

use super::{
    error::NetnsError,
    names::{IfIndex, IfName},
};
use crate::sys::ifreq;

const TUN_DEVICE: &str = "/dev/net/tun";

/// What a TAP interface is to be.
#[derive(Clone, Debug)]
pub struct TapSettings {
    /// Its name.
    pub name: IfName,
    /// The index that it gets when it is made.
    pub index: Option<IfIndex>,
    /// Whether every frame has a 10-byte `struct virtio_net_hdr` before it. The kernel then hands over super-frames and
    /// partial checksums whole.
    pub vnet_header: bool,
    /// Whether it stays when the descriptor is closed.
    pub persistent: bool,
}

/// The open end of a TAP interface.
pub struct Tap {
    file: File,
    name: IfName,
}

impl Tap {
    /// Makes the interface in the calling thread's namespace, or attaches to one of that name that stayed.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`](super::ErrorKind::Busy) where another process has it; a name that belongs to another kind of
    /// interface; no permission; a kernel without TUN/TAP.
    pub fn open(settings: &TapSettings) -> Result<Self, NetnsError> {
        let failed = |source: io::Error| NetnsError::system("open TAP interface", &settings.name, source);
        let file = OpenOptions::new().read(true).write(true).open(TUN_DEVICE).map_err(failed)?;
        let tun = file.as_fd();
        if let Some(index) = settings.index {
            ifreq::tun_choose_index(tun, index.into()).map_err(failed)?;
        }
        let header = if settings.vnet_header { libc::IFF_VNET_HDR } else { 0 };
        ifreq::tun_attach(tun, settings.name.raw(), libc::IFF_TAP | libc::IFF_NO_PI | header)
            .map_err(failed)?;
        if settings.vnet_header {
            take_super_frames(tun).map_err(failed)?;
        }
        ifreq::tun_set_persistent(tun, settings.persistent).map_err(failed)?;
        Ok(Self { file, name: settings.name.clone() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &IfName {
        &self.name
    }

    /// Frames are read from and written to this file, one a call.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }
}

fn take_super_frames(tun: BorrowedFd<'_>) -> io::Result<()> {
    let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    match ifreq::tun_set_offload(tun, tcp | libc::TUN_F_USO4 | libc::TUN_F_USO6) {
        // Kernels before 6.2 have no UDP super-frames.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => ifreq::tun_set_offload(tun, tcp),
        set => set,
    }
}
