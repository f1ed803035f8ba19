//! The one place with `unsafe`: marks ABI types as plain old data.
//!
//! Proof: the macro accepts a type only if its size equals the size written beside it *and* the sum of its fields'
//! sizes, so there is no padding; the types hold integers and byte arrays only, for which every bit pattern is valid.
#![allow(unsafe_code, reason = "aya::Pod is an unsafe trait; the proof stands above")]

/// Asserts the size and the absence of padding of an ABI type and marks it as plain old data for aya.
macro_rules! pod {
    ($ty:ty, $size:literal, [$($field:ty),* $(,)?]) => {
        const _: () = {
            assert!(core::mem::size_of::<$ty>() == $size, "the ABI size changed");
            assert!(0 $(+ core::mem::size_of::<$field>())* == $size, "the ABI type has padding");
        };
        // SAFETY: no padding (asserted above), integers and byte arrays only.
        #[cfg(feature = "user")]
        unsafe impl aya::Pod for $ty {}
    };
}

use crate::abi::{
    addr::{DomainId, IpWords, MacAddr, PortId, Slot},
    counters::PortCounters,
    domain::DomainConfig,
    event::{DropEvent, EventGate},
    fdb::{FdbEntry, FdbKey},
    group::{FloodKey, GroupKey, ListId, SnoopRecord},
    host::HostAddress,
    neighbour::{Neighbour, NeighbourKey},
    port::{PortConfig, PortState, SwitchConfig},
    source::SourceKey,
    storm::StormGate,
    vlan::VlanSet,
};

pod!(MacAddr, 6, [[u8; 6]]);
pod!(IpWords, 16, [[u32; 4]]);
pod!(PortId, 4, [u32]);
pod!(DomainId, 2, [u16]);
pod!(Slot, 2, [u16]);
pod!(FdbKey, 12, [DomainId, u16, MacAddr, [u8; 2]]);
pod!(FdbEntry, 16, [PortId, u32, u64]);
pod!(NeighbourKey, 20, [DomainId, u16, IpWords]);
pod!(Neighbour, 12, [PortId, MacAddr, [u8; 2]]);
pod!(HostAddress, 20, [u32, IpWords]);
pod!(PortConfig, 64, [u32, DomainId, Slot, MacAddr, u16, u32, u32, [u8; 4], [u8; 4], [u8; 16], [u8; 16]]);
pod!(SourceKey, 28, [Slot, u16, MacAddr, [u8; 2], IpWords]);
pod!(StormGate, 16, [u64, u64]);
pod!(VlanSet, 512, [[u64; 64]]);
pod!(PortState, 32, [u64, u64, u64, u64]);
pod!(SwitchConfig, 16, [PortId, PortId, u64]);
pod!(DomainConfig, 16, [u64, u32, u32]);
pod!(ListId, 4, [u32]);
pod!(FloodKey, 8, [ListId, u32]);
pod!(GroupKey, 24, [DomainId, u16, u16, [u8; 2], IpWords]);
pod!(SnoopRecord, 2064, [u64, PortId, u16, u16, [u8; 2048]]);
pod!(PortCounters, 32, [u64, u64, u64, u64]);
pod!(EventGate, 16, [u64, u64]);
pod!(DropEvent, 96, [u64, u64, PortId, u32, u32, u32, [u8; 64]]);
