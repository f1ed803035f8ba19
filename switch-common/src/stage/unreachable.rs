//! Packets that a gateway has no way for: who may be told so, and how often.
//!
//! Enforces: nobody is told of an error, of a fragment without its L4 header, of a packet that is not from or not for one station,
//! or of one that a gateway with no address in its family refused (RFC 1122, 3.2.2; RFC 4443, 2.4). A port is told no more than
//! [`ERROR_LIMIT`] says; what is beyond it is dropped as it would be without.

use crate::{
    abi::{addr::Slot, port::PortConfig, storm::ERROR_LIMIT},
    stage::{
        env::{Clock, Tables},
        headers::{Fragment, Headers, Network, first4},
    },
    wire::{eth, icmp, ipv4, ipv6},
};

/// How often the account is tried again after another CPU was quicker.
const ATTEMPTS: u32 = 4;

/// Whether the sender of a packet that came in on `port`, and that the router `out` refused, is told. Charges the port for it.
#[must_use]
#[inline(always)]
pub fn tells<T: Tables, C: Clock>(
    headers: &Headers,
    port: &PortConfig,
    out: &PortConfig,
    tables: &T,
    clock: &C,
) -> bool {
    may_be_told(headers, out) && is_within_limit(port.slot(), tables, clock)
}

/// Whether the router `out` may send an ICMP error about a packet.
#[inline(always)]
fn may_be_told(headers: &Headers, out: &PortConfig) -> bool {
    let is_plain = headers.tags == 0 && headers.l3_offset == eth::LEN;
    if !is_plain || headers.fragment == Fragment::Later {
        return false;
    }
    match headers.network {
        Network::Ipv4 => {
            let is_error = headers.protocol == icmp::PROTO_V4 && icmp::is_error(headers.icmp_type());
            let (src, dst) = (first4(headers.src_ip), first4(headers.dst_ip));
            !is_error && ipv4::is_station(src) && ipv4::is_station(dst) && out.ipv4() != ipv4::UNSPECIFIED
        }
        Network::Ipv6 => {
            let is_error = headers.protocol == icmp::PROTO_V6 && icmp::is_error_v6(headers.icmp_type());
            let is_station = |ip: [u8; 16]| ip[0] != ipv6::GROUP_BYTE && ip != ipv6::UNSPECIFIED;
            let are_stations = is_station(headers.src_ip) && is_station(headers.dst_ip);
            !is_error && are_stations && out.ipv6() != ipv6::UNSPECIFIED
        }
        Network::Arp | Network::Other => false,
    }
}

/// Charges the port that is to be told.
#[inline(always)]
fn is_within_limit<T: Tables, C: Clock>(slot: Slot, tables: &T, clock: &C) -> bool {
    let now = clock.exact_now();
    for _ in 0..ATTEMPTS {
        let known = tables.error_account(slot);
        let Some(next) = ERROR_LIMIT.admit(known, now, 1) else { return false };
        if tables.error_charge(slot, known, next) {
            return true;
        }
    }
    false
}
