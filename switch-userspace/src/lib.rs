//! The control plane and the userspace datapath of wye.
