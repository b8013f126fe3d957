//! Who used what. For people and tools; no part of the outcome, but the same wherever a block is run.

use std::collections::BTreeMap;

use resident_base::{Amount, ApplicationId, Resources};
use serde::{Deserialize, Serialize};

/// What one transaction used, or the finalization. Nothing, for a rejected bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionReport {
    /// All that it used.
    pub resources: Resources,
    /// What was paid for it, by whomever.
    pub fee: Amount,
    /// What each application did in it.
    pub by_application: BTreeMap<ApplicationId, ApplicationReport>,
}

/// What one application did, without the applications that it called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationReport {
    /// How often it was entered: for operations, messages, calls and finalizations.
    pub entries: u64,
    /// The fuel that it spent, that of its host calls included.
    pub fuel: u64,
    /// The host functions that it called.
    pub host_calls: u64,
}

impl ApplicationReport {
    /// Adds what the same application did another time.
    pub fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.fuel += other.fuel;
        self.host_calls += other.host_calls;
    }
}
