//! Who used what in a whole block.

use std::collections::BTreeMap;

use resident_base::{Amount, ApplicationId};
use resident_execution::{ApplicationReport, TransactionReport};
use serde::{Deserialize, Serialize};

/// What every transaction of a block used, and every application in it. Not in the block's hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// By transaction, in their order.
    pub transactions: Vec<TransactionReport>,
    /// The finalization of all applications.
    pub finalization: TransactionReport,
}

impl ExecutionReport {
    /// All transactions, and then the finalization.
    pub fn all(&self) -> impl Iterator<Item = &TransactionReport> {
        self.transactions.iter().chain([&self.finalization])
    }

    /// What each application did in the whole block.
    pub fn by_application(&self) -> BTreeMap<ApplicationId, ApplicationReport> {
        let mut totals = BTreeMap::<_, ApplicationReport>::new();
        for (id, report) in self.all().flat_map(|report| &report.by_application) {
            totals.entry(*id).or_default().add(*report);
        }
        totals
    }

    /// All that was paid.
    pub fn fees(&self) -> Amount {
        let fees = self.all().map(|report| report.fee);
        fees.fold(Amount::ZERO, Amount::saturating_add)
    }
}
