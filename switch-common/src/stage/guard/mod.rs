//! What a port may not send.
//!
//! Enforces: on every port, the source MAC is one station's and link-local groups (IEEE 802.1Q-2018, table 8-1) are not
//! forwarded. On a guarded port, whoever is behind it speaks for itself only: MAC, addresses, ARP and neighbour
//! discovery; it is no router, no multicast querier and no DHCP server; no encapsulation hides what it says; and it asks nobody but
//! the switch whether an address that is not its own is free: those who hear the question do without the address (RFC 4862, 5.4.3;
//! RFC 5227, 2.1.1).

mod arp;
mod icmp;
mod ipv4;
mod ipv6;
mod neighbour;
mod plain;
mod source;
mod tentative;

use self::source::Source;
use crate::{
    abi::{addr::PortId, port::PortConfig},
    stage::{
        env::{Frame, Tables},
        headers::{Headers, Network},
    },
    verdict::{DropReason, Verdict},
};

/// UDP ports of DHCP servers and of their clients (RFC 2131, RFC 8415).
const DHCP_V4: DhcpPorts = DhcpPorts { server: 67, client: 68 };
const DHCP_V6: DhcpPorts = DhcpPorts { server: 547, client: 546 };

#[derive(Clone, Copy)]
struct DhcpPorts {
    server: u16,
    client: u16,
}

impl DhcpPorts {
    /// Whether a datagram may be a server's. Clients take answers from any port: what is sent to theirs is one.
    #[inline(always)]
    const fn are_of_server(self, headers: &Headers) -> bool {
        headers.src_port == self.server || headers.dst_port == self.client
    }
}

/// Checks what holds for every port.
///
/// # Errors
/// The reason to drop the frame.
#[inline(always)]
pub fn check(headers: &Headers) -> Result<(), DropReason> {
    if headers.src.is_group() || headers.src.is_zero() {
        return Err(DropReason::SourceMac);
    }
    if headers.dst.is_bridge_reserved() {
        return Err(DropReason::ReservedGroup);
    }
    Ok(())
}

/// Whether a frame has to be looked at more closely: [`check_identity`] lets every other one pass.
#[must_use]
#[inline(always)]
pub fn is_in_doubt<T: Tables>(headers: &Headers, port_id: PortId, tables: &T) -> bool {
    // Looked up again: addresses that were carried along from the first lookup would fill the kernel programs' stack.
    tables.port(port_id).is_none_or(|port| !plain::is_plain(headers, &port))
}

/// Checks that a guarded port speaks for itself.
///
/// # Errors
/// The verdict on a frame that is not its own (drop) or that this datapath does not see to the end (punt).
#[inline(always)]
pub fn check_identity<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
) -> Result<(), Verdict> {
    if headers.is_ambiguous {
        return Err(Verdict::drop(DropReason::L2Encap));
    }
    let source = Source { mac: headers.src, id: port_id, port, tables };
    if !source.may_use_mac() {
        return Err(Verdict::drop(DropReason::SourceMac));
    }
    match headers.network {
        Network::Arp => arp::check(frame, headers, &source).map_err(Verdict::drop),
        Network::Ipv4 => ipv4::check(frame, headers, &source),
        Network::Ipv6 => ipv6::check(frame, headers, &source),
        Network::Other => Ok(()),
    }
}

/// Whether a frame asks, without a sender, for an address that is not its port's own: the switch may answer it, and nobody else is
/// to hear it.
#[inline(always)]
pub fn asks_for_another<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
) -> bool {
    let source = Source { mac: headers.src, id: port_id, port, tables };
    tentative::asks_for_another(frame, headers, &source)
}

/// Checks a frame that the switch has no answer to and that others are to hear.
///
/// # Errors
/// The reason to drop the frame.
#[inline(always)]
pub const fn check_unanswered(headers: &Headers) -> Result<(), DropReason> {
    if headers.asks_for_another { Err(tentative::refusal(headers)) } else { Ok(()) }
}
