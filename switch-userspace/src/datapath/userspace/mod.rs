//! The userspace switch: the stages of `switch-common` on ordinary memory.

mod account;
mod clock;
mod frame;
mod tables;

pub use self::{
    account::Accounts,
    clock::MonotonicClock,
    frame::{Depth, FastPath, SliceFrame, SlowPath},
    tables::{MemTables, Occupancy, View},
};
