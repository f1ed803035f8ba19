//! Threads that watch the kernel for the control plane: links that change, frames that are dropped, probes that come in.

use std::{io, thread, time::Duration};

use super::{
    Control,
    handle::{Gone, Handle},
    multicast::Heard,
};
use crossbeam::channel::Receiver;

use crate::{
    api::types::EventKind,
    datapath::{EventSource, SeenProbe, SnoopSource},
    events::Hub,
    multicast::message,
    netns::{LinkEvent, Monitor, NetnsError},
};
use switch_common::{DropReason, abi::event::DropEvent};

/// How long the drop watcher waits at most before it looks whether the daemon is still there.
const WATCH_PATIENCE: Duration = Duration::from_secs(60);

/// Starts the link watcher. `monitor` must have been opened before the links were listed, or changes in between are lost.
///
/// # Errors
/// No thread could be started.
pub fn watch_links(mut monitor: Monitor, control: Handle<Control>) -> io::Result<()> {
    thread::Builder::new().name(String::from("links")).spawn(move || {
        loop {
            match forward_link_event(&mut monitor, &control) {
                Ok(()) => {}
                Err(WatchEnd::Gone) => return,
                Err(WatchEnd::Broken(error)) => {
                    tracing::error!(%error, "watching links ended; changes of interfaces are not followed");
                    return;
                }
            }
        }
    })?;
    Ok(())
}

enum WatchEnd {
    Gone,
    Broken(NetnsError),
}

impl From<Gone> for WatchEnd {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

fn forward_link_event(monitor: &mut Monitor, control: &Handle<Control>) -> Result<(), WatchEnd> {
    let event = monitor.wait_event(None).map_err(WatchEnd::Broken)?;
    if event == Some(LinkEvent::Readdressed) {
        // One look is enough for all that happened so far; who hears of addresses hears of nothing else.
        while monitor.next_event().map_err(WatchEnd::Broken)?.is_some() {}
    }
    if let Some(event) = event {
        control.post(move |control| control.link_event(event))?;
    }
    Ok(())
}

/// Starts the drop watcher: it reads the event ring and tells the hub, with names instead of numbers.
///
/// # Errors
/// No thread could be started.
pub fn watch_drops(mut source: Box<dyn EventSource>, control: Handle<Control>, hub: Hub) -> io::Result<()> {
    thread::Builder::new().name(String::from("drops")).spawn(move || {
        loop {
            match source.next(WATCH_PATIENCE) {
                Ok(Some(event)) if hub.is_heard() => {
                    let hub = hub.clone();
                    if control.post(move |control| hub.publish(describe(control, &event))).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "reading drop events ended");
                    return;
                }
            }
        }
    })?;
    Ok(())
}

/// Starts the group watcher: it reads copies of membership messages and hands over what they say. It waits for each to be
/// taken note of, so that no more of them pile up than the datapath keeps.
///
/// # Errors
/// No thread could be started.
pub fn watch_groups(mut source: Box<dyn SnoopSource>, control: Handle<Control>) -> io::Result<()> {
    thread::Builder::new().name(String::from("groups")).spawn(move || {
        loop {
            let copy = match source.next(WATCH_PATIENCE) {
                Ok(Some(copy)) => copy,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(%error, "listening to membership messages ended");
                    return;
                }
            };
            let Some(message) = message::parse(&copy.packet) else { continue };
            let is_ipv4 = copy.packet.first().is_some_and(|first| first >> 4 == 4);
            let heard = Heard { at: copy.at, port: copy.port, vlan: copy.vlan, is_ipv4, message };
            let (done, wait) = crossbeam::channel::bounded::<()>(1);
            let posted = control.post(move |control| {
                control.hear(&heard);
                drop(done);
            });
            // An error says that it was done, or never will be.
            let _done = wait.recv();
            if posted.is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Starts the probe watcher: what comes in of the loop guards' probes goes to the control plane.
///
/// # Errors
/// No thread could be started.
pub fn watch_probes(probes: Receiver<SeenProbe>, control: Handle<Control>) -> io::Result<()> {
    thread::Builder::new().name(String::from("probes")).spawn(move || {
        for probe in probes {
            if control.post(move |control| control.probe_seen(&probe)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn describe(control: &Control, event: &DropEvent) -> EventKind {
    let reason = u8::try_from(event.reason).ok().and_then(DropReason::from_code);
    let shown = event.head.iter().take(event.head_len as usize);
    EventKind::Drop {
        port: control.port_name(event.port),
        reason: reason.map_or_else(|| event.reason.to_string(), |reason| String::from(reason.name())),
        text: reason.map_or_else(String::new, |reason| String::from(reason.text())),
        frame_len: event.frame_len,
        head: shown.map(|byte| format!("{byte:02x}")).collect(),
        unreported: event.unreported,
    }
}
