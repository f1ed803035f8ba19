//! ARP requests and neighbour solicitations that the switch answers itself, from what the control plane knows.
//!
//! Enforces: only questions to a group are answered, only untagged, and only about stations behind another port that the
//! asker's frames may reach. So one that asks for its own address is heard by everybody, and one that takes another's
//! address is told (RFC 5227, RFC 4862). What nobody is known at is flooded, or dropped where the domain says so; an
//! announcement is no question.

mod reply;

pub use self::reply::{ADVERTISEMENT_FRAME, ARP_FRAME, advertisement, arp_reply};
use crate::{
    abi::{
        addr::{DomainId, PortId},
        domain::DomainFlags,
        neighbour::{Neighbour, NeighbourKey},
        port::PortConfig,
    },
    stage::{
        env::{Frame, Tables},
        forward::both_isolated,
        headers::{Fragment, Headers, Network, first4},
        vlan::Membership,
    },
    verdict::{DropReason, Verdict},
    wire::{arp, eth, icmp, ipv6, neighbour as wire},
};

/// Ports that the switch's own addresses are behind.
const NO_PORT: PortId = PortId(0);

/// Answers a question, or says with `None` that the frame is to be forwarded as any other.
///
/// # Errors
/// Nobody is known at the address, and the domain does not flood for it.
#[inline(always)]
pub fn respond<F: Frame, T: Tables>(
    frame: &F,
    headers: &Headers,
    member: Membership,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
) -> Result<Option<Verdict>, DropReason> {
    let is_plain = headers.tags == 0 && headers.l3_offset == eth::LEN;
    if !headers.dst.is_group() || !is_plain {
        return Ok(None);
    }
    let Some(key) = asked_for(frame, headers, port.domain()) else { return Ok(None) };
    let flags = tables.domain(port.domain()).map_or(DomainFlags::NONE, |domain| domain.flags());
    if !flags.has(DomainFlags::SUPPRESS) {
        return Ok(None);
    }
    match tables.neighbour(key) {
        Some(known) if known.port() == port_id => Ok(None),
        Some(known) if is_reachable(known, member, port, tables) => Ok(Some(Verdict::respond(known.mac()))),
        _ if flags.has(DomainFlags::DROP_UNKNOWN) && !is_announcement(headers) => {
            Err(DropReason::NoNeighbour)
        }
        _ => Ok(None),
    }
}

/// The address that a frame asks for.
#[inline(always)]
fn asked_for<F: Frame>(frame: &F, headers: &Headers, domain: DomainId) -> Option<NeighbourKey> {
    match headers.network {
        Network::Arp => {
            let operation = u16::from_be_bytes(frame.load(headers.l3_offset + arp::OPERATION_OFFSET)?);
            (operation == arp::REQUEST).then(|| NeighbourKey::ipv4(domain, first4(headers.dst_ip)))
        }
        Network::Ipv6 if is_solicitation(headers) => {
            let [hop_limit] = frame.load(headers.l3_offset + ipv6::HOP_LIMIT_OFFSET)?;
            let target: [u8; 16] = frame.load(headers.l4_offset + wire::TARGET_OFFSET)?;
            (hop_limit == wire::HOP_LIMIT).then(|| NeighbourKey::ipv6(domain, target))
        }
        Network::Ipv4 | Network::Ipv6 | Network::Other => None,
    }
}

/// Whether a packet is long enough for a solicitation, and is one (RFC 4861, 7.1.1).
#[inline(always)]
fn is_solicitation(headers: &Headers) -> bool {
    headers.protocol == icmp::PROTO_V6
        && headers.fragment == Fragment::Whole
        && headers.icmp_type() == icmp::NEIGHBOUR_SOLICITATION
        && headers.dst_port == 0
        && headers.l4_offset + wire::OPTIONS_OFFSET <= headers.l3_end
}

/// An ARP request of a station for its own address says where it is (RFC 5227, 2.3).
#[inline(always)]
fn is_announcement(headers: &Headers) -> bool {
    headers.network == Network::Arp && first4(headers.src_ip) == first4(headers.dst_ip)
}

/// Whether frames of the asker could get to the station, which has its address in the VLAN of its untagged frames.
#[inline(always)]
fn is_reachable<T: Tables>(known: Neighbour, member: Membership, asker: &PortConfig, tables: &T) -> bool {
    known.port() == NO_PORT
        || tables.port(known.port()).is_some_and(|at| {
            at.domain() == asker.domain()
                && at.flags().lets_out()
                && !both_isolated(asker, &at)
                && at.native_vlan() == member.vlan()
        })
}
