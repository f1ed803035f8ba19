//! Two containers of which one asks and the other answers: UDP, one question at a time.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::topology::Container;

/// The echo service.
const L4_PORT: u16 = 7;
/// How long an answer may take: then the question or the answer is taken for lost.
const LIMIT: Duration = Duration::from_millis(20);

/// The two ends.
pub(super) struct Echo {
    client: UdpSocket,
    server: UdpSocket,
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundTrips {
    /// Each in nanoseconds, in ascending order; a lost one counts with the limit.
    nanos: Vec<f64>,
    /// How many of them were lost.
    pub(super) lost: usize,
}

impl Echo {
    /// Between these containers.
    ///
    /// # Errors
    /// No sockets can be opened.
    pub(super) fn between(client: &Container, server: &Container) -> Result<Self> {
        let (ours, theirs) = (Ipv4Addr::from(client.ip()), Ipv4Addr::from(server.ip()));
        let open = |container: &Container, address| {
            let socket =
                container.netns().run(|| UdpSocket::bind(address).context("cannot open a socket"))?;
            socket.set_read_timeout(Some(LIMIT))?;
            anyhow::Ok(socket)
        };
        let client = open(client, SocketAddrV4::new(ours, 0))?;
        client.connect(SocketAddrV4::new(theirs, L4_PORT)).context("cannot reach the server")?;
        Ok(Self { client, server: open(server, SocketAddrV4::new(theirs, L4_PORT))? })
    }

    /// Answers until `stop`.
    ///
    /// # Errors
    /// The socket fails.
    pub(super) fn serve(&self, stop: &AtomicBool) -> Result<()> {
        let mut question = [0; 8];
        while !stop.load(Ordering::Relaxed) {
            match self.server.recv_from(&mut question) {
                Ok((len, from)) => self.server.send_to(&question[..len], from).context("cannot answer")?,
                Err(error) if is_timeout(&error) => continue,
                Err(error) => return Err(error).context("cannot receive questions"),
            };
        }
        Ok(())
    }

    /// Asks for `duration`.
    ///
    /// # Errors
    /// The socket fails.
    pub(super) fn ask(&self, duration: Duration) -> Result<RoundTrips> {
        let mut trips = RoundTrips::default();
        let start = Instant::now();
        let mut number: u64 = 0;
        while start.elapsed() < duration {
            number += 1;
            let asked = Instant::now();
            self.client.send(&number.to_ne_bytes()).context("cannot ask")?;
            if self.wait_for(number)? {
                trips.nanos.push(asked.elapsed().as_secs_f64() * 1e9);
            } else {
                trips.nanos.push(LIMIT.as_secs_f64() * 1e9);
                trips.lost += 1;
            }
        }
        trips.nanos.sort_by(f64::total_cmp);
        Ok(trips)
    }

    /// Whether the answer came; late answers to earlier questions are passed over.
    fn wait_for(&self, number: u64) -> Result<bool> {
        let mut answer = [0; 8];
        loop {
            match self.client.recv(&mut answer) {
                Ok(_) if u64::from_ne_bytes(answer) == number => return Ok(true),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => return Ok(false),
                Err(error) => return Err(error).context("cannot receive answers"),
            }
        }
    }
}

impl RoundTrips {
    /// The value that a share of `parts` in `of` round trips does not exceed; NaN without any.
    #[must_use]
    pub(super) fn percentile(&self, parts: usize, of: usize) -> f64 {
        let rank = (self.nanos.len() * parts).div_ceil(of).saturating_sub(1);
        self.nanos.get(rank).copied().unwrap_or(f64::NAN)
    }

    /// Round trips that were tried.
    #[must_use]
    pub(super) fn count(&self) -> usize {
        self.nanos.len()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let trips = RoundTrips { nanos: (1..=1000).map(f64::from).collect(), lost: 0 };
        assert_eq!(
            [(1, 2), (99, 100), (999, 1000)].map(|(parts, of)| trips.percentile(parts, of)),
            [500.0, 990.0, 999.0]
        );
        assert!(RoundTrips::default().percentile(1, 2).is_nan());
    }
}
