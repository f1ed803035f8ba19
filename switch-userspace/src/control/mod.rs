//! The control plane.

pub mod handle;
