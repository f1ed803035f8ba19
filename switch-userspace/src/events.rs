//! The hub of events: whoever publishes does not wait, whoever listens and is slow is told how much was missed.

use std::time::SystemTime;

use tokio::sync::broadcast;

use crate::api::types::{Event, EventKind};

/// Events that a slow listener may be behind before the oldest are left out.
const BACKLOG: usize = 1_024;

/// The hub; clones are the same hub.
#[derive(Clone, Debug)]
pub struct Hub {
    events: broadcast::Sender<Event>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { events: broadcast::Sender::new(BACKLOG) }
    }
}

impl Hub {
    /// Tells everybody who listens.
    pub fn publish(&self, kind: EventKind) {
        // An error says that nobody listens, which is no fault.
        let _nobody = self.events.send(stamp(kind));
    }

    /// Listens from this moment on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener { events: self.events.subscribe(), first: true }
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.events.receiver_count() > 0
    }
}

/// One listener's place in the stream.
#[derive(Debug)]
pub struct Listener {
    events: broadcast::Receiver<Event>,
    first: bool,
}

impl Listener {
    /// The next event; `None` when the hub is gone. The first one says that the stream begins.
    pub async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.first) {
            return Some(stamp(EventKind::Listening));
        }
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(events)) => Some(stamp(EventKind::Missed { events })),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

fn stamp(kind: EventKind) -> Event {
    Event { at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_what_comes_after_it_listens() {
        let hub = Hub::default();
        hub.publish(EventKind::FdbFlushed { removed: 1 });
        let mut listener = hub.listen();
        hub.publish(EventKind::FdbFlushed { removed: 2 });
        assert_eq!(listener.next().await.map(|event| event.kind), Some(EventKind::Listening));
        assert_eq!(listener.next().await.map(|event| event.kind), Some(EventKind::FdbFlushed { removed: 2 }));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_was_missed() {
        let hub = Hub::default();
        let mut listener = hub.listen();
        let _listening = listener.next().await;
        for removed in 0..BACKLOG as u64 + 10 {
            hub.publish(EventKind::FdbFlushed { removed });
        }
        assert_eq!(listener.next().await.map(|event| event.kind), Some(EventKind::Missed { events: 10 }));
    }
}
