//! Which VLANs a trunk port carries.

use crate::wire::vlan::VlanId;

const WORDS: usize = 64;

/// A set of VLANs: one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VlanSet([u64; WORDS]);

impl Default for VlanSet {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl VlanSet {
    /// Whether a VLAN is in the set.
    #[must_use]
    #[inline(always)]
    pub const fn has(&self, vlan: VlanId) -> bool {
        self.0[(vlan.get() >> 6) as usize & (WORDS - 1)] >> (vlan.get() & 63) & 1 == 1
    }

    /// With a VLAN added.
    #[must_use]
    pub const fn with(mut self, vlan: VlanId) -> Self {
        self.0[(vlan.get() >> 6) as usize & (WORDS - 1)] |= 1 << (vlan.get() & 63);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_added_and_nothing_else() {
        let vlan = |id| VlanId::new(id).expect("a VLAN");
        let set = [1, 63, 64, 4094].into_iter().fold(VlanSet::default(), |set, id| set.with(vlan(id)));
        let members: std::vec::Vec<u16> = (0..=VlanId::MAX).filter(|id| set.has(vlan(*id))).collect();
        assert_eq!(members, [1, 63, 64, 4094]);
    }
}
