//! What no container may do to its neighbours: every attack from a guarded port reaches nobody, is counted by its reason, and
//! disturbs no bystander. From an unguarded port, and over a Linux bridge, the same frames arrive.

mod address;
mod allowed;
mod arena;
mod arp;
mod attack;
mod bridge;
mod encapsulation;
mod extensions;
mod flow;
mod fragments;
mod icmp_error;
mod ipv4_header;
mod mac;
mod message;
mod neighbour;
mod ordinary;
mod overflow;
mod router;
mod start_window;
