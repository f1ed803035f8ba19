//! Every path of the API, once, for the server and its clients. `{…}` stands for one percent-encoded segment ([`fill`]).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The socket's file name below `<run-dir>/<instance>/`.
pub const SOCKET_NAME: &str = "wye.sock";

/// GET: [`Version`](super::types::Version).
pub const VERSION: &str = "/v1/version";
/// GET: [`Status`](super::types::Status).
pub const STATUS: &str = "/v1/status";
/// GET: [`Facts`](super::types::Facts).
pub const FACTS: &str = "/v1/facts";
/// POST [`Stop`](super::types::Stop): [`Stopped`](super::types::Stopped); the daemon ends after the answer.
pub const STOP: &str = "/v1/stop";
/// GET, query [`EventQuery`](super::types::EventQuery): one [`Event`](super::types::Event) a line, until the client leaves.
pub const EVENTS: &str = "/v1/events";

/// GET: a list of [`Network`](super::types::Network). POST [`NetworkCreate`](super::types::NetworkCreate): the new one.
pub const NETWORKS: &str = "/v1/networks";
/// GET: a [`Network`](super::types::Network). DELETE: [`Removed`](super::types::Removed).
pub const NETWORK: &str = "/v1/networks/{network}";
/// POST: [`Removed`](super::types::Removed), the networks that had no endpoint.
pub const NETWORK_PRUNE: &str = "/v1/prune/networks";
/// POST [`Connect`](super::types::Connect), DELETE: the [`Endpoint`](super::types::Endpoint) as it is then.
pub const ATTACHMENT: &str = "/v1/networks/{network}/endpoints/{endpoint}";

/// GET: a list of [`Endpoint`](super::types::Endpoint). POST [`EndpointAdd`](super::types::EndpointAdd): the new one.
pub const ENDPOINTS: &str = "/v1/endpoints";
/// GET: an [`Endpoint`](super::types::Endpoint). DELETE: [`Removed`](super::types::Removed).
pub const ENDPOINT: &str = "/v1/endpoints/{endpoint}";
/// PATCH [`LabelChange`](super::types::LabelChange): the [`Endpoint`](super::types::Endpoint) as it is then.
pub const ENDPOINT_LABELS: &str = "/v1/endpoints/{endpoint}/labels";

/// GET: a list of [`Port`](super::types::Port).
pub const PORTS: &str = "/v1/ports";
/// GET: a [`Port`](super::types::Port). PATCH [`PortChange`](super::types::PortChange): the port as it is then.
pub const PORT: &str = "/v1/ports/{port}";

/// GET, query [`MdbQuery`](super::types::MdbQuery): a list of [`MdbEntry`](super::types::MdbEntry).
pub const MDB: &str = "/v1/mdb";

/// GET, query [`FdbQuery`](super::types::FdbQuery): a list of [`FdbEntry`](super::types::FdbEntry).
/// POST [`FdbAdd`](super::types::FdbAdd): the new entry.
pub const FDB: &str = "/v1/fdb";
/// POST [`FdbDelete`](super::types::FdbDelete): the entry that was deleted.
pub const FDB_DELETE: &str = "/v1/fdb/delete";
/// POST [`FdbFlush`](super::types::FdbFlush): [`Flushed`](super::types::Flushed).
pub const FDB_FLUSH: &str = "/v1/fdb/flush";

/// Replaces the `{…}` segments of `path` by `values`, in order and percent-encoded.
#[must_use]
pub fn fill(path: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut filled = String::new();
    for segment in path.split('/').skip(1) {
        let value = if segment.starts_with('{') { values.next().copied() } else { None };
        filled.push('/');
        match value {
            Some(value) => filled.extend(utf8_percent_encode(value, NON_ALPHANUMERIC)),
            None => filled.push_str(segment),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_into_their_segments() {
        assert_eq!(fill(ATTACHMENT, &["red", "a?b"]), "/v1/networks/red/endpoints/a%3Fb");
        assert_eq!(fill(STATUS, &[]), STATUS);
    }
}
