//! The stages over tables in memory, one behaviour a test.

#[path = "../../../tests/src/support/packet/build.rs"]
#[allow(unreachable_pub, reason = "a public module where it lives")]
mod build;
mod double;
mod flood;
mod forward;
mod guard;
mod learn;
mod multicast;
mod parse_ip;
mod parse_l2;
mod parse_properties;
mod pipeline;
mod respond;
mod storm;
mod unreachable;
mod vlan;
