//! What walking over a range of keys costs, and what it finds.

use std::cell::Cell;

use super::{error::LimitExceeded, merge::Found};

/// What a caller pays for a scan, in units of its own.
///
/// Everything that is walked over costs: each committed entry under the prefix, also one that the block has
/// deleted or replaced, and each value that the block has written there. Keys that are absent, and deletions,
/// are not walked over. So the cost follows from the state and the prefix, whatever is cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanCost {
    /// For each entry.
    pub entry: u64,
    /// For each byte of its key, with the namespace, and of its value if values are asked for.
    pub byte: u64,
    /// What there is. A scan that would cost more ends with [`LimitExceeded::Cost`] as soon as that is known.
    pub limit: u64,
}

/// What a scan found, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<T> {
    /// In key order.
    pub found: Vec<T>,
    /// In the units of the [`ScanCost`].
    pub cost: u64,
}

/// Adds up what a scan costs.
pub(super) struct Meter {
    rates: ScanCost,
    with_values: bool,
    cost: Cell<u64>,
}

impl Meter {
    pub(super) fn new(rates: ScanCost, with_values: bool) -> Self {
        let cost = Cell::new(0);
        Self {
            rates,
            with_values,
            cost,
        }
    }

    pub(super) fn add(&self, (key, value): &Found<'_>) {
        let value_bytes = value.map_or(0, |value| value.len());
        self.add_bytes(key.len(), value_bytes);
    }

    pub(super) fn add_bytes(&self, key_bytes: usize, value_bytes: usize) {
        let bytes = key_bytes + if self.with_values { value_bytes } else { 0 };
        let bytes_cost = self.rates.byte.saturating_mul(bytes as u64);
        let cost = self.cost.get().saturating_add(self.rates.entry);
        self.cost.set(cost.saturating_add(bytes_cost));
    }

    pub(super) fn with_values(&self) -> bool {
        self.with_values
    }

    pub(super) fn check(&self) -> Result<(), LimitExceeded> {
        match self.cost.get() > self.rates.limit {
            true => Err(LimitExceeded::Cost),
            false => Ok(()),
        }
    }

    /// Begins again, as nothing had been walked over.
    pub(super) fn reset(&self) {
        self.cost.set(0);
    }

    pub(super) fn cost(&self) -> u64 {
        self.cost.get()
    }
}
