//! Any bytes parse to headers that lie within the frame, or to a verdict that ends its way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switch_common::stage::env::Frame;
use switch_common::stage::headers::Network;
use switch_common::stage::parse::{self, MAX_TAGS};
use switch_common::verdict::Outcome;
use wye_fuzz::FuzzFrame;

fuzz_target!(|input: &[u8]| {
    let Some(frame) = FuzzFrame::new(input) else { return };
    match parse::parse(&frame) {
        Ok(headers) => {
            assert!(headers.tags <= MAX_TAGS);
            assert!(headers.l3_offset <= headers.payload_offset);
            assert!(headers.payload_offset <= frame.len());
            if matches!(headers.network, Network::Ipv4 | Network::Ipv6) {
                assert!(headers.l3_offset < headers.l4_offset);
                assert!(headers.l4_offset <= headers.payload_offset);
            }
        }
        Err(verdict) => assert!(matches!(verdict.outcome(), Some(Outcome::Drop(_) | Outcome::Punt(_)))),
    }
});
