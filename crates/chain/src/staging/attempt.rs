//! One pass over the candidates.

use std::collections::BTreeSet;

use resident_base::{ApplicationId, ChainId};
use resident_execution::{Failure, Stop};

use super::{Candidate, Staging};
use crate::{
    BlockError, BlockExecutionTracker, DropReason, FailureSummary, Halt, Progress, StagingPolicy,
    TransactionRunner, Verdict,
    committed::{check_time, failed},
    decide,
    policy::may_be_rejected,
};

/// What one pass has come to.
#[derive(Default)]
pub(super) struct Attempt {
    /// Which candidate each transaction of the block is.
    included: Vec<usize>,
    /// Accepted bundles among them.
    accepted: BTreeSet<usize>,
    limit_failures: u32,
    /// Senders of whom a bundle was dropped.
    dropped_senders: BTreeSet<ChainId>,
    /// Why no more bundles are tried, if so.
    stopped: Option<DropReason>,
}

impl Attempt {
    /// The last candidate in the block that is a bundle and entered the application.
    pub(super) fn latest_touching<R: TransactionRunner>(
        &self,
        tracker: &BlockExecutionTracker<R>,
        application_id: &ApplicationId,
    ) -> Option<usize> {
        let has_touched =
            |(position, _): &(usize, &usize)| tracker.has_touched(*position, application_id);
        let touching = self.included.iter().enumerate().rev().filter(has_touched);
        touching
            .map(|(_, index)| *index)
            .find(|index| self.accepted.contains(index))
    }

    fn include(&mut self, index: usize, is_accepted: bool) {
        self.included.push(index);
        if is_accepted {
            self.accepted.insert(index);
        }
    }
}

impl Staging<'_> {
    /// Runs every candidate once, and notes what becomes of it.
    pub(super) fn attempt<R: TransactionRunner>(
        &mut self,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        for index in 0..self.candidates.len() {
            if self.candidates[index].is_removed() {
                continue;
            }
            match (self.candidates[index].origin(), self.policy) {
                (Some(origin), StagingPolicy::AutoRetry { .. }) => {
                    self.try_bundle(index, origin, attempt, tracker)?;
                }
                _ => self.run_or_fail(index, attempt, tracker)?,
            }
        }
        Ok(())
    }

    /// An operation, or a bundle that the policy does not let fail.
    fn run_or_fail<R: TransactionRunner>(
        &self,
        index: usize,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let limit = self.max_transactions;
        if tracker.transactions() >= limit {
            let found = self.candidates.len();
            return Err(BlockError::TooLarge {
                what: "transactions",
                found,
                limit,
            });
        }
        let transaction = &self.candidates[index].transaction;
        if let Some(incoming) = transaction.bundle() {
            check_time(self.timestamp, incoming.bundle.timestamp)?;
        }
        tracker
            .execute(transaction)
            .map_err(|halt| failed(index, halt))?;
        attempt.include(index, false);
        Ok(())
    }

    fn try_bundle<R: TransactionRunner>(
        &mut self,
        index: usize,
        origin: ChainId,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        if let Some(reason) = self.reason_to_skip(index, origin, attempt, tracker.transactions()) {
            attempt.dropped_senders.insert(origin);
            self.candidates[index].drop(reason);
            return Ok(());
        }
        let checkpoint = tracker.checkpoint()?;
        match tracker.execute(&self.candidates[index].transaction) {
            Ok(()) => attempt.include(index, true),
            Err(Halt::Stop(Stop::Failure(failure))) => {
                tracker.roll_back(&checkpoint)?;
                self.fail(index, failure, attempt, tracker)?;
            }
            Err(halt) => return Err(failed(index, halt)),
        }
        Ok(())
    }

    fn reason_to_skip(
        &mut self,
        index: usize,
        origin: ChainId,
        attempt: &mut Attempt,
        transactions: usize,
    ) -> Option<DropReason> {
        if transactions >= self.max_transactions {
            attempt.stopped.get_or_insert(DropReason::BlockFull);
        }
        if transactions > 0 && self.is_out_of_time() {
            attempt.stopped.get_or_insert(DropReason::TimeBudget);
        }
        if attempt.stopped.is_some() {
            return attempt.stopped.clone();
        }
        if attempt.dropped_senders.contains(&origin) {
            return Some(DropReason::AfterDropped);
        }
        let sent = self.candidates[index]
            .transaction
            .bundle()?
            .bundle
            .timestamp;
        (sent > self.timestamp).then_some(DropReason::TooNew(sent))
    }

    fn is_out_of_time(&mut self) -> bool {
        match self.policy {
            StagingPolicy::AutoRetry {
                time_budget: Some(budget),
                ..
            } => (self.clock)() > *budget,
            _ => false,
        }
    }

    /// Does with a bundle that failed and was rolled back what the policy says.
    fn fail<R: TransactionRunner>(
        &mut self,
        index: usize,
        failure: Failure,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let transactions = tracker.transactions();
        let verdict = self.verdict(index, &failure, attempt, transactions);
        if failure.is_limit() && transactions > 0 {
            attempt.limit_failures += 1;
        }
        let candidate = &mut self.candidates[index];
        match verdict {
            Verdict::Reject => return reject(candidate, index, failure, attempt, tracker),
            Verdict::DropSender => {}
            Verdict::DropRemaining => attempt.stopped = Some(DropReason::TooManyFailures),
        }
        attempt.dropped_senders.extend(candidate.origin());
        candidate.drop(DropReason::Failed(failure));
        Ok(())
    }

    fn verdict(
        &self,
        index: usize,
        failure: &Failure,
        attempt: &Attempt,
        transactions: usize,
    ) -> Verdict {
        let (max_failures, never_reject) = match self.policy {
            StagingPolicy::AutoRetry {
                max_failures,
                never_reject_application_ids,
                ..
            } => (*max_failures, never_reject_application_ids),
            StagingPolicy::Abort => (0, &BTreeSet::new()),
        };
        let incoming = self.candidates[index].transaction.bundle();
        let summary = FailureSummary {
            is_limit: failure.is_limit(),
            may_be_rejected: incoming
                .is_some_and(|incoming| may_be_rejected(&incoming.bundle, never_reject)),
        };
        let limit_failures = attempt.limit_failures;
        decide(
            &summary,
            &Progress {
                transactions,
                limit_failures,
                max_failures,
            },
        )
    }
}

/// Puts a bundle into the block as rejected. If not even that fits, nothing has happened, and it waits for
/// a block in which it does.
fn reject<R: TransactionRunner>(
    candidate: &mut Candidate,
    index: usize,
    failure: Failure,
    attempt: &mut Attempt,
    tracker: &mut BlockExecutionTracker<R>,
) -> Result<(), BlockError> {
    candidate.reject(failure);
    match tracker.execute(&candidate.transaction) {
        Ok(()) => attempt.include(index, false),
        Err(Halt::Stop(Stop::Failure(failure))) => {
            attempt.dropped_senders.extend(candidate.origin());
            candidate.drop(DropReason::Failed(failure));
        }
        Err(halt) => return Err(failed(index, halt)),
    }
    Ok(())
}
