//! What the API's requests and answers look like. Keys are stable: `-o json` of the command line prints them as they are.
//!
//! Names and MACs are plain text here, checked by the model behind the API; times are RFC 3339 in UTC; `mtu` is bytes of
//! the largest L3 packet. Absent optional fields of a request mean "as usual".

mod daemon;
mod endpoint;
mod error;
mod event;
mod fdb;
mod mdb;
mod network;
mod port;

pub use self::{
    daemon::{Facts, Limits, Status, Stop, Stopped, TableFill, Version},
    endpoint::{
        Attachment, Connect, Endpoint, EndpointAdd, EndpointState, LabelChange, NetnsChoice, NetnsRef,
    },
    error::{ErrorBody, ExitClass},
    event::{Event, EventKind, EventQuery},
    fdb::{FdbAdd, FdbDelete, FdbEntry, FdbFilter, FdbFlush, FdbQuery, FdbType, Flushed, SetType},
    mdb::{MdbEntry, MdbKind, MdbQuery},
    network::{Network, NetworkCreate, Removed},
    port::{
        Counters, McastRouter, Port, PortChange, PortKind, PortSettings, StormChange, StormSettings,
        VlanChange,
    },
};
