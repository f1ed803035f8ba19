//! The control plane and the userspace datapath of wye.

pub mod api;
