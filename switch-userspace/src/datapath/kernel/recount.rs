//! Learned-MAC accounts that are off: the control plane and a frame may change an entry at the same moment, and each takes it off, or
//! neither does.
//!
//! Frames go on changing both while they are compared, so only what is off by the same number twice in a row is mended.

use std::collections::{BTreeMap, BTreeSet};

use switch_common::abi::addr::Slot;

use super::accounts::Accounts;

/// What was off at the last count.
#[derive(Debug, Default)]
pub(super) struct Recount {
    off: BTreeMap<Slot, i64>,
}

impl Recount {
    /// Compares the accounts of `slots` with how many entries were counted for each.
    pub(super) fn mend(
        &mut self,
        accounts: &Accounts,
        slots: &BTreeSet<Slot>,
        counted: &BTreeMap<Slot, i64>,
    ) {
        let mut off = BTreeMap::new();
        for slot in slots {
            let by = counted.get(slot).copied().unwrap_or(0) - accounts.state(*slot).learned.cast_signed();
            if by == 0 {
                continue;
            }
            if self.off.get(slot) == Some(&by) {
                accounts.correct_learned(*slot, by);
            } else {
                off.insert(*slot, by);
            }
        }
        self.off = off;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(7);

    fn learned(accounts: &Accounts) -> i64 {
        accounts.state(SLOT).learned.cast_signed()
    }

    #[test]
    fn an_account_that_is_off_by_the_same_number_twice_is_mended() {
        for (account, entries) in [(3, 2), (-1, 0), (0, 1)] {
            let (accounts, mut recount) = (Accounts::in_memory(), Recount::default());
            accounts.correct_learned(SLOT, account);
            let (slots, counted) = ([SLOT].into(), [(SLOT, entries)].into());
            recount.mend(&accounts, &slots, &counted);
            assert_eq!(learned(&accounts), account, "the first time may be chance");
            recount.mend(&accounts, &slots, &counted);
            assert_eq!(learned(&accounts), entries);
        }
    }

    #[test]
    fn an_account_that_is_off_by_chance_is_left_alone() {
        let (accounts, mut recount) = (Accounts::in_memory(), Recount::default());
        accounts.correct_learned(SLOT, 5);
        for entries in [4, 6, 5, 4] {
            recount.mend(&accounts, &[SLOT].into(), &[(SLOT, entries)].into());
        }
        assert_eq!(learned(&accounts), 5);
    }
}
