//! What happens to a frame: pure functions over [`mod@env`], in the order that [`pipeline`] shows.

pub mod env;
pub mod flood;
pub mod forward;
pub mod gateway;
pub mod guard;
pub mod headers;
pub mod learn;
pub mod multicast;
pub mod parse;
pub mod pipeline;
pub mod probe;
pub mod respond;
pub mod storm;
pub mod unreachable;
pub mod vlan;
