//! The control plane and the userspace datapath of wye.
#![deny(unsafe_code)]

pub mod api;
pub mod datapath;
pub mod netns;
pub mod sys;
