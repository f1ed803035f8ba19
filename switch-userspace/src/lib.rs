//! The control plane and the userspace datapath of wye.
#![deny(unsafe_code)]

pub mod api;
mod class;
pub mod cli;
pub mod control;
pub mod daemon;
pub mod datapath;
pub mod dirs;
pub mod events;
pub mod model;
pub mod multicast;
pub mod netns;
mod privilege;
pub mod reconcile;
pub mod run_dir;
pub mod run_lock;
pub mod store;
pub mod sys;
