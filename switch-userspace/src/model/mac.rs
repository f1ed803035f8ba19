//! MAC addresses: those that are chosen, and those that are given.

use switch_common::abi::addr::{MacAddr, Slot};

use super::{
    error::ModelError,
    names::{InstanceName, NetworkName},
};

/// A locally administered station address.
const FIRST_BYTE: u8 = 0x02;

/// The address of the port in `slot`: three bytes tell instance and network apart, two are the slot. Another `attempt`
/// gives another address.
pub(super) fn default_mac(
    instance: &InstanceName,
    network: &NetworkName,
    slot: Slot,
    attempt: u32,
) -> MacAddr {
    let [_, a, b, c] = crc32fast::hash(format!("{instance}/{network}/{attempt}").as_bytes()).to_be_bytes();
    let [high, low] = slot.0.to_be_bytes();
    MacAddr::new([FIRST_BYTE, a, b, c, high, low])
}

/// Reads the address of a station.
///
/// # Errors
/// Not a MAC address, or that of a group or nobody.
pub fn parse_mac(text: &str) -> Result<MacAddr, ModelError> {
    let bad = |why: String| ModelError::BadMac { text: text.to_owned(), why };
    let mac: MacAddr =
        text.parse().map_err(|error: switch_common::abi::addr::MacParseError| bad(error.to_string()))?;
    if mac.is_group() {
        return Err(bad(String::from("it is the address of a group; one interface has an even first byte")));
    }
    if mac.is_zero() {
        return Err(bad(String::from("it is nobody's address")));
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_addresses_differ_by_slot_network_instance_and_attempt() {
        let mac = |instance: &str, network: &str, slot, attempt| {
            let instance = InstanceName::new(instance).expect("instance");
            default_mac(&instance, &NetworkName::new(network).expect("network"), Slot(slot), attempt)
        };
        let first = mac("default", "red", 1, 0);
        assert_eq!(first.bytes()[0], 0x02);
        for other in [
            mac("a", "red", 1, 0),
            mac("default", "b", 1, 0),
            mac("default", "red", 2, 0),
            mac("default", "red", 1, 1),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn only_station_addresses_are_taken() {
        assert!(parse_mac("02:00:00:00:00:01").is_ok());
        for text in ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "x"] {
            assert!(parse_mac(text).is_err(), "{text}");
        }
    }
}
