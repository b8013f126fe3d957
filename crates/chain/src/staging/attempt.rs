//! One pass over the candidates.

use std::collections::BTreeSet;

use resident_base::{ApplicationId, ChainId};
use resident_execution::{Failure, FailureReason, Fault, Stop};

use super::{Candidate, Staging};
use crate::{
    BlockCheckpoint, BlockError, BlockExecutionTracker, DropReason, FailureSummary, Halt, Progress,
    StagingPolicy, TransactionRunner, Verdict,
    committed::{check_time, failed},
    decide,
    policy::may_be_rejected,
};

/// What one pass has come to.
#[derive(Default)]
pub(super) struct Attempt {
    /// Which candidate each transaction of the block is.
    included: Vec<usize>,
    /// Accepted bundles and updates among them.
    accepted: BTreeSet<usize>,
    limit_failures: u32,
    /// Senders of whom a bundle was dropped.
    dropped_senders: BTreeSet<ChainId>,
    /// Why no more bundles are tried, if so.
    stopped: Option<DropReason>,
    /// How many bundles the next checkpoint is for, as a power of two.
    spacing_log2: u32,
}

/// A checkpoint and how many bundles it is still for.
///
/// Strictly, there is a checkpoint before every bundle. But instances are copied for each, and most
/// bundles pass. So one checkpoint serves for a run of bundles, and to return to the moment before a
/// later one of the run, those before it are executed again: they passed, and execution is
/// deterministic. Runs get longer while bundles pass (1, 2, 4 …) and start over after a failure, so a run
/// of n bundles follows at least n - 1 that passed, and what is executed again is in total less than
/// what passed.
pub(super) struct Run<C> {
    checkpoint: BlockCheckpoint<C>,
    /// Transactions that were in the block at the checkpoint.
    included: usize,
    bundles_left: u32,
}

/// The longest run is of two to the power of this many bundles.
const MAX_SPACING_LOG2: u32 = 5;

impl Attempt {
    /// The last candidates in the block that could wait and entered the application, the last first.
    pub(super) fn latest_touching<R: TransactionRunner>(
        &self,
        tracker: &BlockExecutionTracker<R>,
        application_id: &ApplicationId,
        count: usize,
    ) -> Vec<usize> {
        let has_touched =
            |(position, _): &(usize, &usize)| tracker.has_touched(*position, application_id);
        let touching = self.included.iter().enumerate().rev().filter(has_touched);
        touching
            .map(|(_, index)| *index)
            .filter(|index| self.accepted.contains(index))
            .take(count)
            .collect()
    }

    fn start_run<R: TransactionRunner>(
        &mut self,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<Run<R::Checkpoint>, Fault> {
        let bundles_left = 1 << self.spacing_log2;
        self.spacing_log2 = MAX_SPACING_LOG2.min(self.spacing_log2 + 1);
        Ok(Run {
            checkpoint: tracker.checkpoint()?,
            included: self.included.len(),
            bundles_left,
        })
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
        let mut run = None;
        for index in 0..self.candidates.len() {
            if self.candidates[index].is_removed() {
                continue;
            }
            let may_wait = self.candidates[index].transaction.may_wait();
            match self.policy {
                StagingPolicy::AutoRetry { .. } if may_wait => {
                    self.try_waiting(index, attempt, tracker, &mut run)?;
                }
                _ => self.run_or_fail(index, attempt, tracker)?,
            }
        }
        Ok(())
    }

    /// An operation, or something else that the policy does not let fail.
    fn run_or_fail<R: TransactionRunner>(
        &mut self,
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
            if tracker.is_closed() {
                return self.reject_unseen(index, attempt, tracker);
            }
        }
        let transaction = &self.candidates[index].transaction;
        tracker
            .execute(transaction, None)
            .map_err(|halt| failed(index, halt))?;
        attempt.include(index, false);
        Ok(())
    }

    /// A bundle or an update of streams.
    fn try_waiting<R: TransactionRunner>(
        &mut self,
        index: usize,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
        run: &mut Option<Run<R::Checkpoint>>,
    ) -> Result<(), BlockError> {
        let origin = self.candidates[index].origin();
        if let Some(reason) = self.reason_to_skip(index, origin, attempt, tracker.transactions()) {
            attempt.dropped_senders.extend(origin);
            self.candidates[index].drop(reason);
            return Ok(());
        }
        if tracker.is_closed() && origin.is_some() {
            return self.reject_unseen(index, attempt, tracker);
        }
        let mut current = match run.take() {
            Some(current) if current.bundles_left > 0 => current,
            _ => attempt.start_run(tracker)?,
        };
        current.bundles_left -= 1;
        match tracker.execute(&self.candidates[index].transaction, None) {
            Ok(()) => {
                attempt.include(index, true);
                *run = Some(current);
            }
            Err(Halt::Stop(Stop::Failure(failure))) => {
                self.return_to_before(&current, attempt, tracker)?;
                attempt.spacing_log2 = 0;
                self.fail(index, failure, attempt, tracker)?;
            }
            Err(Halt::Stop(Stop::Missing(data))) => {
                self.return_to_before(&current, attempt, tracker)?;
                attempt.spacing_log2 = 0;
                attempt.dropped_senders.extend(origin);
                self.candidates[index].drop(DropReason::Missing(data));
            }
            Err(halt) => return Err(failed(index, halt)),
        }
        Ok(())
    }

    /// What a closed chain does with every bundle, whatever the policy says. It stays closed, so there is
    /// nothing that could fail after it and undo this.
    fn reject_unseen<R: TransactionRunner>(
        &mut self,
        index: usize,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let failure = Failure {
            application_id: None,
            reason: FailureReason::ChainClosed,
        };
        let candidate = &mut self.candidates[index];
        reject(candidate, index, failure, attempt, tracker)
    }

    /// Undoes what failed: returns to the checkpoint of its run, and executes again what passed
    /// since.
    fn return_to_before<R: TransactionRunner>(
        &self,
        run: &Run<R::Checkpoint>,
        attempt: &Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let undone = tracker.roll_back(&run.checkpoint)?;
        for (index, undone) in attempt.included[run.included..].iter().zip(&undone) {
            // What the outside answers may have changed since.
            let recorded = Some(&*undone.effects.oracle_responses);
            tracker
                .execute(&self.candidates[*index].transaction, recorded)
                .map_err(|halt| not_repeated(*index, halt))?;
        }
        Ok(())
    }

    fn reason_to_skip(
        &mut self,
        index: usize,
        origin: Option<ChainId>,
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
        if origin.is_some_and(|origin| attempt.dropped_senders.contains(&origin)) {
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

    /// Does with what failed and was rolled back what the policy says. An update is never rejected: there
    /// is nobody whom it could go back to.
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

/// A transaction that passed a moment ago, from the same state, must pass again.
fn not_repeated(index: usize, halt: Halt) -> BlockError {
    match halt {
        Halt::Stop(Stop::Fault(fault)) => fault.into(),
        halt => {
            let difference = format!("transaction {index} passed once and then did not: {halt:?}");
            BlockError::OutcomeMismatch { difference }
        }
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
    match tracker.execute(&candidate.transaction, None) {
        Ok(()) => attempt.include(index, false),
        Err(Halt::Stop(Stop::Failure(failure))) => {
            attempt.dropped_senders.extend(candidate.origin());
            candidate.drop(DropReason::Failed(failure));
        }
        Err(halt) => return Err(failed(index, halt)),
    }
    Ok(())
}
