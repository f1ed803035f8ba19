//! The userspace switch between real containers: namespaces, veth pairs, and what is sent through them.

mod flooding;
mod frames;
mod lab;
mod life;
mod streams;
mod uplink;
mod verdicts;
