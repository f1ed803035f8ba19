//! The userspace switch: the stages of `switch-common` on ordinary memory and packet sockets.
//!
//! A frame's way: the kernel puts it into a ring ([`rings`]); a worker takes it out ([`worker`]), runs the pipeline and makes
//! the copies ([`engine`]) that are sent from the ring's own memory ([`tx`]). Super-frames and unfinished checksums pass as they
//! are, described by the header before the frame ([`packet`]). All ports are in a namespace of the switch's own
//! ([`namespace`]).

mod account;
mod clock;
mod datapath;
mod engine;
mod events;
mod frame;
mod icmp_error;
mod namespace;
mod packet;
mod rings;
mod snoop;
mod tables;
mod thread;
mod tx;
mod worker;

pub use self::{
    account::Accounts,
    clock::MonotonicClock,
    datapath::UserspaceDatapath,
    engine::{Egress, Engine, EngineTables, Outgoing, SEND_BATCH, SendQueue, originate},
    events::DropReporter,
    frame::{Depth, FastPath, SliceFrame, SlowPath},
    packet::{Packet, VnetHeader},
    snoop::Snooper,
    tables::{MemTables, View},
    tx::TxSockets,
};
pub(in crate::datapath) use self::{
    snoop::SNOOP_ROOM,
    thread::{Stop, StoppableThread},
};
