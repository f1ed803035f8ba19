//! Multicast snooping: who is a member of which group, told by IGMP and MLD. Nothing in here does I/O or reads a clock.
//!
//! [`message`] reads what hosts and routers say, [`state`] keeps what follows from it for as long as it is confirmed, [`query`]
//! makes the questions that a switch asks which is the querier itself.

pub mod message;
pub mod query;
mod segment;
pub mod state;

pub use self::{
    message::{Membership, Message, Query},
    segment::Scope,
    state::{Ask, Entry, EntryKind, NetworkRules, PortRules, RouterRule, Snooping, Timing},
};
