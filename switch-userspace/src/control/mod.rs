//! The control plane: desired state, its store, and the kernel that is made to follow it.
//!
//! [`Control`] belongs on one thread ([`handle`]). Every change is checked against the whole model, applied to the kernel
//! with a way back, written to the store, and only then in force; a failure on the way takes all of it back.

mod ageing;
mod condition;
mod connect;
mod endpoint;
mod error;
mod fdb;
mod gateway;
pub mod handle;
mod inner;
mod kernel;
mod link;
mod loops;
pub mod multicast;
mod netns;
mod network;
mod plug;
mod port;
mod purge;
mod start;
mod status;
mod uplink;
mod view;
pub mod watch;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Instant, SystemTime},
};

use crossbeam::channel::Receiver;
use switch_common::abi::addr::{PortId, Slot};

pub use self::error::ControlError;
use self::{condition::Condition, handle::Owned, kernel::Kernel, loops::LoopGuard};
use crate::{
    api::types::{EndpointState, ErrorBody, EventKind},
    datapath::{EventSource, Mode, SeenProbe},
    events::Hub,
    model::{EndpointName, InstanceName, Model, NetworkName, Timestamp},
    multicast::Snooping,
    netns::Undo,
    store::{Store, StoreError},
};

/// What a control plane is told of itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The instance.
    pub instance: InstanceName,
    /// Where the socket and the lock are.
    pub run_dir: PathBuf,
    /// Where the desired state is kept.
    pub state_dir: PathBuf,
    /// The bpf file system.
    pub bpffs: PathBuf,
    /// The datapath's mode.
    pub mode: Mode,
}

/// What is wrong with an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ailment {
    state: EndpointState,
    reason: String,
}

/// The control plane of one instance.
pub struct Control {
    settings: Settings,
    kernel: Kernel,
    store: Store,
    hub: Hub,
    model: Model,
    /// Endpoints that are not ready.
    ailments: BTreeMap<EndpointName, Ailment>,
    /// The ports that are attached.
    attached: BTreeMap<Slot, Condition>,
    loops: LoopGuard,
    /// What was noticed at the start.
    notes: Vec<String>,
    since: Timestamp,
    last_sweep: Instant,
    snooping: Snooping,
    /// Whether networks or ports may have changed since snooping was told of them.
    is_multicast_stale: bool,
}

impl Control {
    /// Does `apply` to the kernel on the way to `next`, then keeps `next`. A failure takes everything back.
    fn transact<T>(
        &mut self,
        mut next: Model,
        apply: impl for<'a> FnOnce(&'a Kernel, &mut Undo<'a>, &mut Model) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let mut undo = Undo::new();
        let applied = apply(&self.kernel, &mut undo, &mut next).and_then(|value| {
            if next != self.model {
                self.store.save(&next)?;
            }
            Ok(value)
        });
        match applied {
            Ok(value) => {
                undo.commit();
                self.model = next;
                self.is_multicast_stale = true;
                Ok(value)
            }
            Err(cause) => match undo.unwind() {
                Ok(()) => Err(cause),
                Err(left) => Err(ControlError::LeftBehind { cause: Box::new(cause), left }),
            },
        }
    }

    /// Keeps `next`, which the kernel follows already.
    fn keep(&mut self, next: Model) -> Result<(), StoreError> {
        self.store.save(&next)?;
        self.model = next;
        self.is_multicast_stale = true;
        Ok(())
    }

    /// Notes that an endpoint is not ready, and tells whoever listens.
    fn mark(&mut self, endpoint: &EndpointName, state: EndpointState, reason: String) {
        let ailment = Ailment { state, reason };
        if self.ailments.get(endpoint) == Some(&ailment) {
            return;
        }
        tracing::warn!(%endpoint, reason = ailment.reason, "endpoint is not ready");
        self.hub.publish(EventKind::EndpointState {
            endpoint: endpoint.to_string(),
            state,
            reason: Some(ailment.reason.clone()),
        });
        self.ailments.insert(endpoint.clone(), ailment);
    }

    /// The name of the port with the index `id`; the number itself where it is no port.
    #[must_use]
    pub fn port_name(&self, id: PortId) -> String {
        self.model.port_by_id(id).map_or_else(|| id.0.to_string(), |port| port.name())
    }

    /// Opens the stream of sampled drops.
    ///
    /// # Errors
    /// The datapath cannot open it.
    pub fn events(&self) -> Result<Box<dyn EventSource>, ErrorBody> {
        self.kernel.datapath(|datapath| datapath.events()).map_err(|error| error.told("open events", ""))
    }

    /// The probes of loop guards that come in.
    ///
    /// # Errors
    /// The datapath is gone.
    pub fn probes(&self) -> Result<Receiver<SeenProbe>, ErrorBody> {
        let probes = self.kernel.datapath(|datapath| Ok(datapath.probes()));
        probes.map_err(|error| error.told("open probes", ""))
    }
}

impl Owned for Control {
    fn tick(&mut self, now: Instant) -> Option<Instant> {
        let due = [self.sweep_if_due(now), self.tick_multicast(now), self.probe_if_due(now)];
        due.into_iter().flatten().min()
    }
}

fn now() -> Timestamp {
    Timestamp::new(SystemTime::now())
}

fn network_name(text: &str) -> Result<NetworkName, ControlError> {
    Ok(NetworkName::new(text).map_err(crate::model::ModelError::from)?)
}

fn endpoint_name(text: &str) -> Result<EndpointName, ControlError> {
    Ok(EndpointName::new(text).map_err(crate::model::ModelError::from)?)
}
