//! What an instance leaves in the kernel when its daemon ends, and its removal without the daemon.

use super::{DaemonError, io_error, lock, open_datapath};
use crate::{
    api::types::Stop,
    control::{Control, Settings},
    datapath::{Mode, kernel::KernelDatapath, userspace::UserspaceDatapath},
    events::Hub,
    run_dir::LastStart,
    store::Store,
};

/// Refuses a start beside the other datapath: its ports would go on without anybody who knows them.
///
/// # Errors
/// The other datapath is there.
pub(super) fn refuse_other_mode(settings: &Settings) -> Result<(), DaemonError> {
    let other = match settings.mode {
        Mode::Ebpf => Mode::Userspace,
        Mode::Userspace => Mode::Ebpf,
    };
    let bpffs = LastStart::read(&settings.run_dir).map_or(settings.bpffs.clone(), |start| start.bpffs);
    if is_left(&Settings { mode: other, bpffs, ..settings.clone() }) {
        return Err(DaemonError::OtherMode { instance: settings.instance.to_string(), mode: other });
    }
    Ok(())
}

/// Removes everything of an instance whose daemon is not running, its run directory with it: of the datapath that `settings` name where a daemon was
/// started or a state is there, and of each that has left something.
///
/// # Errors
/// A daemon is running after all, or something could not be removed; the rest was.
pub fn purge(settings: &Settings) -> Result<(), DaemonError> {
    let was_started = LastStart::read(&settings.run_dir).is_some() || Store::is_at(&settings.state_dir);
    let all = [Mode::Ebpf, Mode::Userspace].map(|mode| Settings { mode, ..settings.clone() });
    let mut left: Vec<Settings> =
        all.into_iter().filter(|of| is_left(of) || (was_started && of.mode == settings.mode)).collect();
    // The state is that of the datapath that was started last.
    left.sort_by_key(|of| of.mode != settings.mode);
    if left.is_empty() && !settings.run_dir.exists() {
        return Ok(());
    }
    let lock = lock(settings)?;
    left.into_iter().map(purge_one).fold(Ok(()), Result::and)?;
    lock.clear().map_err(io_error("clear", &settings.run_dir))
}

fn purge_one(settings: Settings) -> Result<(), DaemonError> {
    let store = Store::open(&settings.state_dir)?;
    let datapath = open_datapath(&settings)?;
    Control::open(settings, datapath, store, Hub::default())?.stop(Stop { purge: true })?;
    Ok(())
}

/// Whether the datapath that `settings` name has left something in the kernel.
fn is_left(settings: &Settings) -> bool {
    let instance = settings.instance.as_str();
    match settings.mode {
        Mode::Ebpf => KernelDatapath::has_pins(instance, &settings.bpffs),
        Mode::Userspace => UserspaceDatapath::has_namespace(instance),
    }
}
