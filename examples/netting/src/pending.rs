//! What is to be sent when the block ends.

use std::collections::BTreeMap;

use netting::{MAX_ENTRIES, Settlement};
use resident_sdk::base_types::{Account, AccountOwner, Amount, ChainId};

/// The transfers of this block, by destination. Lives in the instance's memory and is never stored.
#[derive(Default)]
pub(crate) struct Pending {
    settlements: BTreeMap<ChainId, Settlement>,
    entries: usize,
}

impl Pending {
    /// Adds a transfer that has been paid.
    pub(crate) fn add(&mut self, source: AccountOwner, amount: Amount, target: Account) {
        let settlement = self.settlements.entry(target.chain_id).or_default();
        self.entries += add(&mut settlement.debits, source, amount);
        self.entries += add(&mut settlement.credits, target.owner, amount);
        assert!(
            self.entries <= MAX_ENTRIES,
            "one block can send to {MAX_ENTRIES} accounts, payers included; send the rest in another one"
        );
    }

    /// What each destination is sent.
    pub(crate) fn into_settlements(self) -> impl Iterator<Item = (ChainId, Settlement)> {
        self.settlements.into_iter()
    }
}

/// Adds to an entry, and gives the number of entries that came into being.
fn add(entries: &mut BTreeMap<AccountOwner, Amount>, owner: AccountOwner, amount: Amount) -> usize {
    let before = entries.len();
    let sum = entries.entry(owner).or_default().try_add_assign(amount);
    sum.expect("what was paid fits in an amount");
    entries.len() - before
}
