//! Who may propose a chain's blocks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{AccountOwner, TimeDelta};

/// The weight of an owner who is the only one; any positive number would do.
const SINGLE_OWNER_WEIGHT: u64 = 100;

/// The owners of a chain, and how they take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainOwnership {
    /// Owners who may propose a block in the fast round, and in every other.
    #[serde(default)]
    pub super_owners: BTreeSet<AccountOwner>,
    /// The other owners, with their weights in the rounds that have a single leader.
    #[serde(with = "crate::exact::values")]
    pub owners: BTreeMap<AccountOwner, u64>,
    /// How many rounds there are in which every owner may propose.
    pub multi_leader_rounds: u32,
    /// Whether anybody at all may propose in those rounds.
    #[serde(default)]
    pub open_multi_leader_rounds: bool,
    /// How long rounds last.
    #[serde(default)]
    pub timeout_config: TimeoutConfig,
}

/// How long the rounds of a chain last.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeoutConfig {
    /// How long the fast round lasts; without a limit if absent.
    pub fast_round_duration: Option<TimeDelta>,
    /// How long the first round with a single leader lasts.
    pub base_timeout: TimeDelta,
    /// How much longer each further one lasts.
    pub timeout_increment: TimeDelta,
    /// How old a message may become before validators take over from the owners.
    pub fallback_duration: TimeDelta,
}

/// Ten seconds, one more in each round, and no fallback.
impl Default for TimeoutConfig {
    fn default() -> Self {
        Self {
            fast_round_duration: None,
            base_timeout: TimeDelta::from_secs(10),
            timeout_increment: TimeDelta::from_secs(1),
            fallback_duration: TimeDelta::MAX,
        }
    }
}

impl ChainOwnership {
    /// A chain with one owner.
    pub fn single(owner: AccountOwner) -> Self {
        let owners = [(owner, SINGLE_OWNER_WEIGHT)];
        Self::multiple(owners, u32::MAX, TimeoutConfig::default())
    }

    /// A chain with one owner, who may also use the fast round.
    pub fn single_super(owner: AccountOwner) -> Self {
        let super_owners = BTreeSet::from([owner]);
        Self {
            super_owners,
            ..Self::multiple([], u32::MAX, TimeoutConfig::default())
        }
    }

    /// A chain with several owners and their weights.
    pub fn multiple(
        owners: impl IntoIterator<Item = (AccountOwner, u64)>,
        multi_leader_rounds: u32,
        timeout_config: TimeoutConfig,
    ) -> Self {
        Self {
            super_owners: BTreeSet::new(),
            owners: owners.into_iter().collect(),
            multi_leader_rounds,
            open_multi_leader_rounds: false,
            timeout_config,
        }
    }

    /// Whether this is one of the owners, of either kind.
    pub fn is_owner(&self, owner: &AccountOwner) -> bool {
        self.super_owners.contains(owner) || self.owners.contains_key(owner)
    }

    /// All owners: first those of the fast round, then the others.
    pub fn all_owners(&self) -> impl Iterator<Item = &AccountOwner> {
        self.super_owners.iter().chain(self.owners.keys())
    }

    /// Whether anybody can propose a block: an owner of the fast round, or one whose turn comes in another. The
    /// chain itself signs nothing.
    pub fn is_active(&self) -> bool {
        let signs = |owner: &AccountOwner| *owner != AccountOwner::CHAIN;
        let has_turn = |weight: u64| weight > 0 || self.multi_leader_rounds > 0;
        let mut owners = self.owners.iter();
        self.super_owners.iter().any(signs)
            || owners.any(|(owner, weight)| signs(owner) && has_turn(*weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_in_both_kinds() {
        let (alice, bob) = (AccountOwner::Reserved(1), AccountOwner::Reserved(2));
        let mut ownership = ChainOwnership::single(alice);
        assert!(ownership.is_owner(&alice) && !ownership.is_owner(&bob));
        ownership.super_owners.insert(bob);
        assert!(ownership.is_owner(&bob));
        assert_eq!(ownership.all_owners().collect::<Vec<_>>(), [&bob, &alice]);
        assert!(ChainOwnership::single_super(bob).is_owner(&bob));
        assert!(ownership.is_active() && !ChainOwnership::default().is_active());
    }

    #[test]
    fn an_owner_who_never_has_a_turn_or_cannot_sign_makes_no_chain_active() {
        let alice = AccountOwner::Reserved(1);
        let owned = |owner, weight, rounds| {
            ChainOwnership::multiple([(owner, weight)], rounds, TimeoutConfig::default())
        };
        assert!(owned(alice, 1, 0).is_active() && owned(alice, 0, 1).is_active());
        assert!(!owned(alice, 0, 0).is_active());
        assert!(!owned(AccountOwner::CHAIN, 1, 1).is_active());
        assert!(!ChainOwnership::single_super(AccountOwner::CHAIN).is_active());
    }
}
