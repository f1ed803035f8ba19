//! Subnets that are free: for a network that names none, and to propose one in place of one that collides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Model, subnet::overlaps};

/// Addresses that are in use outside the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupied {
    /// The addresses.
    pub net: IpNet,
    /// By what: `the host's route to 10.0.0.0/8`.
    pub by: String,
    /// The interface that it is on.
    pub interface: Option<String>,
}

/// Length of the prefix of a subnet that is chosen.
const CHOSEN_PREFIX: u8 = 24;
/// Chosen subnets begin here, in 10.0.0.0/8, and go on from the beginning of that.
const FIRST_CHOSEN: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 0);
/// Unique local addresses to propose (RFC 4193): global ID `77 79 65` and zeros.
const PROPOSED_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0x7965, 0, 0, 0, 0, 0, 0);
/// How many proposals are looked at for one that is free.
const ATTEMPTS: u128 = 1 << 16;

impl Model {
    /// What has addresses in common with `net`: a network of the model, or something outside.
    #[must_use]
    pub fn overlapping(&self, net: IpNet, occupied: &[Occupied]) -> Option<String> {
        let networks = self
            .networks
            .iter()
            .flat_map(|(name, network)| network.subnets.iter().map(move |subnet| (name, subnet.net)));
        let ours = networks.into_iter().find(|(_, theirs)| overlaps(*theirs, net));
        ours.map(|(name, theirs)| format!("{theirs} of network {name}"))
            .or_else(|| occupied.iter().find(|other| overlaps(other.net, net)).map(|other| other.by.clone()))
    }

    /// An IPv4 subnet that nothing overlaps, for a network that names none.
    #[must_use]
    pub fn choose_subnet(&self, occupied: &[Occupied]) -> Option<IpNet> {
        self.free_like(IpNet::new_assert(FIRST_CHOSEN.into(), CHOSEN_PREFIX), occupied)
    }

    /// A private subnet of the size of `wanted` that nothing overlaps.
    #[must_use]
    pub fn free_like(&self, wanted: IpNet, occupied: &[Occupied]) -> Option<IpNet> {
        let prefix = wanted.prefix_len();
        let count =
            1_u128.checked_shl(u32::from(prefix.checked_sub(pool_prefix(wanted))?)).unwrap_or(ATTEMPTS);
        let start = start_of_pool(wanted);
        (0..count.min(ATTEMPTS))
            .filter_map(|number| nth_subnet(start, prefix, number))
            .find(|net| self.overlapping(*net, occupied).is_none())
    }
}

fn pool_prefix(wanted: IpNet) -> u8 {
    if matches!(wanted, IpNet::V4(_)) { 8 } else { 48 }
}

fn start_of_pool(wanted: IpNet) -> IpAddr {
    if matches!(wanted, IpNet::V4(_)) { FIRST_CHOSEN.into() } else { PROPOSED_V6.into() }
}

/// The `number`th subnet from `start` on; in IPv4 those behind the end of 10.0.0.0/8 are at its beginning.
fn nth_subnet(start: IpAddr, prefix: u8, number: u128) -> Option<IpNet> {
    match start {
        IpAddr::V4(start) => {
            let size = 1_u32.checked_shl(32_u32.checked_sub(prefix.into())?)?;
            let offset = size.checked_mul(u32::try_from(number).ok()?)?;
            let address = 0x0a00_0000 | (u32::from(start).wrapping_add(offset) & 0x00ff_ffff);
            Some(IpNet::new(Ipv4Addr::from(address).into(), prefix).ok()?.trunc())
        }
        IpAddr::V6(start) => {
            let size = 1_u128.checked_shl(128_u32.checked_sub(prefix.into())?)?;
            let address = u128::from(start).checked_add(size.checked_mul(number)?)?;
            Some(IpNet::new(Ipv6Addr::from(address).into(), prefix).ok()?.trunc())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(texts: &[&str]) -> Vec<Occupied> {
        let one = |text: &&str| Occupied {
            net: text.parse().expect("net"),
            by: format!("route to {text}"),
            interface: None,
        };
        texts.iter().map(one).collect()
    }

    fn chosen(texts: &[&str]) -> Option<String> {
        Model::default().choose_subnet(&occupied(texts)).map(|net| net.to_string())
    }

    #[test]
    fn the_first_free_subnet_is_chosen() {
        assert_eq!(chosen(&[]).as_deref(), Some("10.88.0.0/24"));
        assert_eq!(chosen(&["10.88.0.0/23", "10.88.2.7/32"]).as_deref(), Some("10.88.3.0/24"));
    }

    #[test]
    fn choosing_goes_on_at_the_beginning_of_the_block() {
        assert_eq!(chosen(&["10.64.0.0/10", "10.128.0.0/9"]).as_deref(), Some("10.0.0.0/24"));
        assert_eq!(chosen(&["10.0.0.0/8"]), None);
    }

    #[test]
    fn proposals_are_of_the_size_that_was_wanted() {
        let free = |text: &str| {
            Model::default().free_like(text.parse().expect("net"), &[]).map(|net| net.to_string())
        };
        assert_eq!(free("172.16.0.0/16").as_deref(), Some("10.88.0.0/16"));
        assert_eq!(free("172.16.0.0/30").as_deref(), Some("10.88.0.0/30"));
        assert_eq!(free("fd00::/64").as_deref(), Some("fd77:7965::/64"));
        assert_eq!(free("128.0.0.0/2"), None);
    }
}
