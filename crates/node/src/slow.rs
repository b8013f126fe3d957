//! What keeps the node busy, for its operator.

use std::{collections::BTreeMap, time::Duration};

use resident_base::{ApplicationId, ChainId};
use resident_chain::StagedBlock;

use crate::NodeError;

/// A block that takes as long as this is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// Tells the operator which chain keeps the node busy, and which application most of all.
pub(crate) fn note(chain: ChainId, time: Duration, staged: &Result<StagedBlock, NodeError>) {
    if time < SLOW {
        return;
    }
    let milliseconds = time.as_millis();
    match staged {
        Ok(staged) => {
            let report = &staged.execution.report;
            let reports = report.transactions.iter().chain([&report.finalization]);
            let mut fuel = BTreeMap::<ApplicationId, u64>::new();
            for (id, used) in reports.flat_map(|report| &report.by_application) {
                *fuel.entry(*id).or_default() += used.fuel;
            }
            let most = fuel.into_iter().max_by_key(|(_, fuel)| *fuel);
            let most =
                most.map(|(id, fuel)| format!("; application {id} spent {fuel} of fuel in it"));
            log::warn!(
                target: "block",
                "chain {chain}: building a block took {milliseconds} ms, with {} transactions run{}",
                staged.executions,
                most.unwrap_or_default()
            );
        }
        Err(error) => {
            log::warn!(target: "block", "chain {chain}: no block after {milliseconds} ms: {error}");
        }
    }
}
