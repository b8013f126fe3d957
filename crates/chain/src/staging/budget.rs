//! How much may be spent on building one block, over all passes.

use std::time::Duration;

use resident_execution::ResourcePolicy;

use crate::{DropReason, StagingPolicy, assembly};

/// All passes together may spend as much fuel as so many full blocks. Then nobody looks any further for what made
/// an application refuse.
const SEARCH_BLOCKS: u64 = 4;

/// A failure that has spent more than this part of a transaction's fuel is not tried again in another pass.
const REMEMBERED_PART: u64 = 16;

/// A failure counts as this part of a transaction's fuel besides what it spent: instances are left in the middle of
/// something, and restored.
const FAILURE_PART: u64 = 4_096;

/// When as much was spent in vain as may be, what is tried for the first time gets this part of a transaction's fuel. So
/// whoever needs little is not kept from the block by those who burn.
const LITTLE_PART: u64 = 32;

/// What the policy on resources says to staging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most transactions that a block may have.
    pub(super) max_transactions: usize,
    /// Fuel of one transaction.
    pub(super) transaction_fuel: u64,
    /// Fuel of a block.
    pub(super) block_fuel: u64,
}

impl Bounds {
    pub(super) fn of(resources: &ResourcePolicy) -> Self {
        Self {
            max_transactions: assembly::max_transactions(resources),
            transaction_fuel: resources.limits.transaction_fuel,
            block_fuel: resources.limits.block_fuel,
        }
    }

    /// Failures that spend more than this are remembered.
    pub(super) fn remembered_fuel(&self) -> u64 {
        self.transaction_fuel / REMEMBERED_PART
    }
}

/// What has been spent, and what may be.
pub(super) struct Budget<'a> {
    /// Says how long staging has taken.
    clock: &'a mut dyn FnMut() -> Duration,
    time: Option<Duration>,
    most_spent: u64,
    most_wasted: u64,
    /// What each failure counts at least.
    failure_fuel: u64,
    /// What there is for a transaction after that.
    little: u64,
    /// When so much is spent, fewer are tried.
    next_halving: u64,
    /// Fuel of all passes that have come to their end.
    pub(super) spent: u64,
    /// Fuel of what failed, in all passes.
    pub(super) wasted: u64,
}

impl<'a> Budget<'a> {
    pub(super) fn new(
        policy: &StagingPolicy,
        bounds: &Bounds,
        clock: &'a mut dyn FnMut() -> Duration,
    ) -> Self {
        let failures = u64::from(policy.max_failures()) + 1;
        let failure_fuel = bounds.transaction_fuel / FAILURE_PART;
        let most_failed = bounds.transaction_fuel.saturating_add(failure_fuel);
        Self {
            clock,
            time: policy.time_budget(),
            most_spent: bounds.block_fuel.saturating_mul(SEARCH_BLOCKS),
            most_wasted: most_failed.saturating_mul(failures),
            failure_fuel,
            next_halving: bounds.block_fuel.saturating_mul(SEARCH_BLOCKS) / 2,
            little: bounds.transaction_fuel / LITTLE_PART,
            spent: 0,
            wasted: 0,
        }
    }

    /// Counts a failure that spent so much fuel.
    pub(super) fn waste(&mut self, fuel: u64) {
        let fuel = fuel.saturating_add(self.failure_fuel);
        self.wasted = self.wasted.saturating_add(fuel);
    }

    /// Whether half of what was left at the last halving is spent, so that there is enough for another search only
    /// among half as many.
    pub(super) fn is_half_spent(&mut self) -> bool {
        if self.spent <= self.next_halving {
            return false;
        }
        let left = self.most_spent.saturating_sub(self.next_halving);
        self.next_halving = self.next_halving.saturating_add(left / 2);
        true
    }

    /// Why nobody should search any further, if so.
    pub(super) fn used_up(&mut self) -> Option<DropReason> {
        if self.time.is_some_and(|most| (self.clock)() > most) {
            return Some(DropReason::TimeBudget);
        }
        (self.spent > self.most_spent).then_some(DropReason::FuelBudget)
    }

    /// Why nothing should be tried that has not passed before, if so. When as much is spent in vain as may be, there is as
    /// much again for what has to be tried a second time, and as much for those who need little.
    pub(super) fn wasted_up(&self) -> Option<DropReason> {
        let most = self.most_wasted.saturating_mul(3);
        (self.wasted > most).then_some(DropReason::FuelBudget)
    }

    /// How much fuel there is for what has not passed before, if it is less than a transaction's.
    pub(super) fn little_fuel(&self, is_second_try: bool) -> Option<u64> {
        let parts = 1 + u64::from(is_second_try);
        (self.wasted > self.most_wasted.saturating_mul(parts)).then_some(self.little)
    }
}
