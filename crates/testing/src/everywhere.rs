//! One block, built and run on every engine and session over the same store.

use resident_chain::{BlockError, StagedBlock, StagingPolicy, Transaction};
use resident_execution::{EngineKind, SessionKind, Trace};

use crate::{PAIRS, TestChain, TestChains};

/// A block that came out the same on every engine and session, built and as committed.
pub struct StagedEverywhere {
    /// The block as the first of [`PAIRS`] built it.
    pub staged: StagedBlock,
    /// What building it took, in the order of [`PAIRS`].
    pub staging: Vec<Trace>,
    /// What running it as committed took, in the order of [`PAIRS`].
    pub committed: Vec<Trace>,
}

impl TestChains {
    /// Builds the chain's next block on every engine and session, runs it on each of them as committed,
    /// and compares: outcomes, what became of failing bundles, what would be stored, and errors.
    ///
    /// # Errors
    /// The one error that all of them agree on.
    ///
    /// # Panics
    /// If any of them differs.
    pub fn stage_everywhere(
        &self,
        chain: &TestChain,
        transactions: &[Transaction],
        policy: &StagingPolicy,
    ) -> Result<StagedEverywhere, BlockError> {
        let mut results = Vec::new();
        for pair in PAIRS {
            results.push(self.stage_on(pair, chain, transactions.to_vec(), policy));
        }
        for (pair, result) in PAIRS.into_iter().zip(&results) {
            compare(pair, &results[0], result);
        }
        let all: Result<Vec<_>, _> = results.into_iter().collect();
        let all = all?;
        let staging = all
            .iter()
            .map(|staged| staged.execution.trace.clone())
            .collect();
        let staged = all.into_iter().next().expect("there is an engine");
        let committed = self.check_everywhere(&staged.execution);
        Ok(StagedEverywhere {
            staged,
            staging,
            committed,
        })
    }

    /// As [`stage_everywhere`](Self::stage_everywhere), and stores the block. What was to be stored is
    /// gone from the answer.
    ///
    /// # Errors
    /// As [`stage_everywhere`](Self::stage_everywhere). Nothing is stored then.
    pub fn add_everywhere(
        &self,
        chain: &TestChain,
        transactions: &[Transaction],
        policy: &StagingPolicy,
    ) -> Result<StagedEverywhere, BlockError> {
        let mut everywhere = self.stage_everywhere(chain, transactions, policy)?;
        self.write(std::mem::take(&mut everywhere.staged.execution.batch));
        Ok(everywhere)
    }
}

fn compare(
    (engine, session): (EngineKind, SessionKind),
    first: &Result<StagedBlock, BlockError>,
    other: &Result<StagedBlock, BlockError>,
) {
    match (first, other) {
        (Ok(first), Ok(other)) => {
            let (expected, found) = (&first.execution, &other.execution);
            assert_eq!(
                found.executed, expected.executed,
                "staged on {engine}, {session}"
            );
            assert_eq!(
                other.rejected, first.rejected,
                "rejected on {engine}, {session}"
            );
            assert_eq!(
                other.dropped, first.dropped,
                "dropped on {engine}, {session}"
            );
            assert_eq!(
                other.dropped_updates, first.dropped_updates,
                "not told on {engine}, {session}"
            );
            assert_eq!(
                other.executions, first.executions,
                "tried on {engine}, {session}"
            );
            assert!(
                found.batch == expected.batch,
                "{engine}, {session} would store something else"
            );
            assert_eq!(
                found.outgoing, expected.outgoing,
                "sent on {engine}, {session}"
            );
            assert_eq!(
                found.report, expected.report,
                "reported by {engine}, {session}"
            );
            assert_eq!(
                found.trace.fuel, expected.trace.fuel,
                "fuel on {engine}, {session}"
            );
        }
        (Err(first), Err(other)) => {
            assert_eq!(
                other.to_string(),
                first.to_string(),
                "refused on {engine}, {session}"
            );
        }
        (first, other) => {
            let (first, other) = (outcome(first), outcome(other));
            panic!("{first} on the first engine, but {other} on {engine}, {session}");
        }
    }
}

fn outcome(result: &Result<StagedBlock, BlockError>) -> String {
    match result {
        Ok(_) => "staged".to_owned(),
        Err(error) => format!("refused ({error})"),
    }
}
