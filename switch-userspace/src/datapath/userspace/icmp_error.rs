//! ICMP errors that a gateway sends about packets that it does not pass on.

use etherparse::{Icmpv4Type, Icmpv6Type, PacketBuilder, icmpv4, icmpv6};
use switch_common::{
    abi::port::PortConfig,
    stage::headers::{Headers, Network, first4},
};

/// The longest ICMP error as an IPv4 packet (RFC 1812, 4.3.2.3): with its headers.
const LONGEST_V4: usize = 576;
const HEADERS_V4: usize = 28;
/// The longest one as an IPv6 packet (RFC 4443, 3.1): what every link takes.
const LONGEST_V6: usize = 1_280;
const HEADERS_V6: usize = 48;
/// Hops that an error may make (RFC 1700).
const TTL: u8 = 64;

/// The frame in which `gateway` tells the sender of `packet`, a frame without tags, that there is no way to where it is for;
/// `None` where the packet is none of IP.
pub(super) fn no_route(packet: &[u8], headers: &Headers, gateway: &PortConfig) -> Option<Vec<u8>> {
    let quoted = packet.get(headers.l3_offset as usize..headers.l3_end as usize)?;
    let frame = PacketBuilder::ethernet2(gateway.mac().bytes(), headers.src.bytes());
    let mut bytes = Vec::with_capacity(LONGEST_V6);
    let written = match headers.network {
        Network::Ipv4 => {
            let kind = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Network);
            let error = frame.ipv4(gateway.ipv4(), first4(headers.src_ip), TTL).icmpv4(kind);
            error.write(&mut bytes, beginning(quoted, LONGEST_V4 - HEADERS_V4))
        }
        Network::Ipv6 => {
            let kind = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::NoRoute);
            let error = frame.ipv6(gateway.ipv6(), headers.src_ip, TTL).icmpv6(kind);
            error.write(&mut bytes, beginning(quoted, LONGEST_V6 - HEADERS_V6))
        }
        Network::Arp | Network::Other => return None,
    };
    written.ok().map(|()| bytes)
}

fn beginning(packet: &[u8], most: usize) -> &[u8] {
    packet.get(..most).unwrap_or(packet)
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    use switch_common::{
        abi::{
            addr::{DomainId, MacAddr, Slot},
            port::PortFlags,
        },
        stage::parse::parse,
    };

    use super::*;
    use crate::datapath::userspace::frame::{SliceFrame, SlowPath};

    const HOST: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
    const ROUTER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);
    const V4: [u8; 4] = [10, 0, 0, 254];
    const V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254];
    const FROM_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const TO_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    fn error_about(packet: &[u8]) -> Option<Vec<u8>> {
        let gateway = PortConfig::new(DomainId(1), Slot(1), ROUTER, 1500, 0, PortFlags::NONE);
        let headers = parse(&SliceFrame::<SlowPath>::new(packet, None, 0)).expect("a good packet");
        no_route(packet, &headers, &gateway.with_addresses(V4, V6))
    }

    fn datagram(is_v4: bool, payload: usize) -> Vec<u8> {
        let eth = PacketBuilder::ethernet2(HOST.bytes(), ROUTER.bytes());
        let ip = if is_v4 { eth.ipv4([10, 0, 0, 1], [192, 0, 2, 1], 3) } else { eth.ipv6(FROM_V6, TO_V6, 3) };
        let mut bytes = Vec::new();
        ip.udp(1, 2).write(&mut bytes, &vec![0xab; payload]).expect("room");
        bytes
    }

    #[test]
    fn error_goes_from_the_gateway_to_the_sender_and_quotes_as_much_as_it_may() {
        for (is_v4, longest) in [(true, LONGEST_V4), (false, LONGEST_V6)] {
            for payload in [0, 56, 1400] {
                let packet = datagram(is_v4, payload);
                let error = error_about(&packet).expect("an error");
                assert_eq!(error[..12], [HOST.bytes(), ROUTER.bytes()].concat());
                let fixed = if is_v4 { HEADERS_V4 } else { HEADERS_V6 };
                let quoted = (packet.len() - 14).min(longest - fixed);
                assert_eq!(error.len(), 14 + fixed + quoted);
                assert_eq!(error[14 + fixed..], packet[14..14 + quoted]);
            }
        }
    }

    #[test]
    fn error_is_one_that_receivers_take_for_good() {
        let v4 = error_about(&datagram(true, 9)).expect("an error");
        let sliced = SlicedPacket::from_ethernet(&v4).expect("headers");
        let Some(NetSlice::Ipv4(ip)) = sliced.net else { panic!("no IPv4") };
        let header = ip.header().to_header();
        assert_eq!((header.source, header.destination), (V4, [10, 0, 0, 1]));
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let Some(TransportSlice::Icmpv4(icmp)) = sliced.transport else { panic!("no ICMP") };
        let wanted = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Network);
        assert_eq!(icmp.icmp_type(), wanted);
        assert_eq!(icmp.checksum(), wanted.calc_checksum(icmp.payload()));

        let v6 = error_about(&datagram(false, 9)).expect("an error");
        let sliced = SlicedPacket::from_ethernet(&v6).expect("headers");
        let Some(TransportSlice::Icmpv6(icmp)) = sliced.transport else { panic!("no ICMPv6") };
        let wanted = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::NoRoute);
        assert_eq!(icmp.icmp_type(), wanted);
        assert!(icmp.is_checksum_valid(V6, FROM_V6));
    }

    #[test]
    fn nothing_is_said_of_what_is_no_packet() {
        let mut other = datagram(true, 9);
        other[12..14].copy_from_slice(&[0x88, 0xb5]);
        assert_eq!(error_about(&other), None);
    }
}
