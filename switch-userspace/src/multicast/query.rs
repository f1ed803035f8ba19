//! Questions of the switch's own: IGMPv3 and MLDv2 queries, which hosts of older versions understand too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use switch_common::{
    abi::addr::MacAddr,
    units::Nanos,
    wire::{eth, icmp, igmp, ipv6},
};

use super::message::{ALL_HOSTS, checksum, pseudo_header};

/// How often a message may be lost (RFC 3376, 8.1).
const ROBUSTNESS: u8 = 2;
/// Router alert (RFC 2113), and its IPv6 form with padding in a hop-by-hop header (RFC 2711).
const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];
const ROUTER_ALERT_V6: [u8; 8] = [icmp::PROTO_V6, 0, 5, 2, 0, 0, 1, 0];
/// Internetwork control (RFC 3376, 4).
const PRECEDENCE: u8 = 0xc0;
const DECISECOND: u64 = Nanos::PER_SEC / 10;
const MILLISECOND: u64 = Nanos::PER_SEC / 1_000;

/// A query frame from `mac`. The source address is 0.0.0.0, which no router yields to (RFC 4541, 2.1.1), or the link-local one that
/// the MAC makes.
#[must_use]
pub fn frame(
    mac: MacAddr,
    is_ipv4: bool,
    group: Option<IpAddr>,
    max_response: Nanos,
    interval: Nanos,
) -> Vec<u8> {
    match group {
        Some(IpAddr::V4(group)) => ipv4(mac, Some(group), max_response, interval),
        Some(IpAddr::V6(group)) => ipv6(mac, Some(group), max_response, interval),
        None if is_ipv4 => ipv4(mac, None, max_response, interval),
        None => ipv6(mac, None, max_response, interval),
    }
}

fn ipv4(mac: MacAddr, group: Option<Ipv4Addr>, max_response: Nanos, interval: Nanos) -> Vec<u8> {
    let to = group.unwrap_or(ALL_HOSTS);
    let code = plain_code(max_response.0 / DECISECOND, 0x7f);
    let asked = group.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
    let mut message =
        [&[igmp::QUERY, code, 0, 0][..], &asked, &[ROBUSTNESS, seconds(interval), 0, 0]].concat();
    let sum = checksum(&message, 0);
    message[2..4].copy_from_slice(&sum);
    let mut header = [0x46, PRECEDENCE, 0, 36, 0, 0, 0, 0, 1, igmp::PROTO, 0, 0, 0, 0, 0, 0].to_vec();
    header.extend(to.octets());
    header.extend(ROUTER_ALERT);
    let sum = checksum(&header, 0);
    header[10..12].copy_from_slice(&sum);
    let [_, b, c, d] = to.octets();
    let dst = MacAddr::new([1, 0, 0x5e, b & 0x7f, c, d]);
    framed(dst, mac, eth::TYPE_IPV4, &[header, message].concat())
}

fn ipv6(mac: MacAddr, group: Option<Ipv6Addr>, max_response: Nanos, interval: Nanos) -> Vec<u8> {
    let (source, to) = (Ipv6Addr::from(ipv6::link_local(mac)), group.unwrap_or(ipv6::ALL_NODES.into()));
    let [high, low] =
        u16::try_from(max_response.0 / MILLISECOND).unwrap_or(u16::MAX).min(0x7fff).to_be_bytes();
    let asked = group.unwrap_or(Ipv6Addr::UNSPECIFIED).octets();
    let mut message = [&[icmp::MLD_QUERY, 0, 0, 0, high, low, 0, 0][..], &asked].concat();
    message.extend([ROBUSTNESS, seconds(interval), 0, 0]);
    let sum = checksum(&message, pseudo_header(source, to, 28));
    message[2..4].copy_from_slice(&sum);
    let fixed = [0x60, 0, 0, 0, 0, 36, ipv6::NEXT_HOP_BY_HOP, 1];
    let packet = [&fixed[..], &source.octets(), &to.octets(), &ROUTER_ALERT_V6, &message].concat();
    let [.., a, b, c, d] = to.octets();
    framed(MacAddr::new([0x33, 0x33, a, b, c, d]), mac, eth::TYPE_IPV6, &packet)
}

fn framed(dst: MacAddr, src: MacAddr, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    [&dst.bytes()[..], &src.bytes(), &ethertype.to_be_bytes(), packet].concat()
}

/// An interval in seconds as far as the plain half of the code goes: a hint for other routers only.
fn seconds(interval: Nanos) -> u8 {
    plain_code(interval.as_secs(), 0x7f)
}

fn plain_code(value: u64, most: u8) -> u8 {
    u8::try_from(value).unwrap_or(most).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multicast::message::{Message, Query, parse};

    #[test]
    fn a_query_of_the_switchs_own_is_one() {
        let mac = MacAddr::new([2, 0x11, 0x22, 0x33, 0, 1]);
        let (response, interval) = (Nanos::from_secs(10), Nanos::from_secs(125));
        let groups =
            ["239.1.2.3", "ff0e::1:2"].map(|group| Some(group.parse::<IpAddr>().expect("an address")));
        for (is_ipv4, group) in [(true, None), (false, None), (true, groups[0]), (false, groups[1])] {
            let frame = frame(mac, is_ipv4, group, response, interval);
            let source: IpAddr = if is_ipv4 {
                Ipv4Addr::UNSPECIFIED.into()
            } else {
                Ipv6Addr::from(ipv6::link_local(mac)).into()
            };
            let query = Query { source, group, has_sources: false, max_response: response };
            assert_eq!(parse(&frame[14..]), Some(Message::Query(query)));
        }
    }
}
