//! One pass over the candidates.

use std::collections::BTreeSet;

use resident_base::ChainId;
use resident_execution::{Failure, FailureReason, Fault, LimitKind, Stop};

use super::{Candidate, Staging};
use crate::{
    BlockCheckpoint, BlockError, BlockExecutionTracker, DropReason, FailureCause, FailureSummary,
    Halt, MessageAction, Progress, StagingPolicy, TransactionRunner, Verdict,
    committed::{check_time, failed},
    decide,
    policy::may_be_rejected,
};

/// What one pass has come to.
#[derive(Default)]
pub(super) struct Attempt {
    /// If set, only these of the candidates that may wait are tried: the pass is there to find something out.
    only: Option<BTreeSet<usize>>,
    /// Whether not even those that cannot wait are tried.
    is_alone: bool,
    /// Which candidate each transaction of the block is.
    included: Vec<usize>,
    /// Accepted bundles and updates among them.
    accepted: BTreeSet<usize>,
    /// Candidates that others left no room for.
    crowded: Vec<usize>,
    /// How many failed for want of room or of an answer.
    limit_failures: u32,
    /// Senders of whom a bundle was dropped.
    dropped_senders: BTreeSet<ChainId>,
    /// Why no more bundles are tried, if so.
    stopped: Option<DropReason>,
    /// An operation that others left no room for, which ends the pass.
    crowded_out: Option<(usize, Failure)>,
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
    /// A pass over all candidates, or over those of them that cannot wait and these.
    pub(super) fn new(only: Option<BTreeSet<usize>>) -> Self {
        Self {
            only,
            ..Self::default()
        }
    }

    /// The operation that others left no room for, if there is one, and its failure.
    pub(super) fn crowded_out(&self) -> Option<&(usize, Failure)> {
        self.crowded_out.as_ref()
    }

    /// A pass over nothing but one candidate.
    pub(super) fn alone(index: usize) -> Self {
        Self {
            is_alone: true,
            ..Self::new(Some(BTreeSet::from([index])))
        }
    }

    /// Those that others left no room for, in their order.
    pub(super) fn crowded(&self) -> &[usize] {
        &self.crowded
    }

    /// The candidates in the block that could wait, in their order.
    pub(super) fn accepted(&self) -> &BTreeSet<usize> {
        &self.accepted
    }

    /// The same, each with its position in the block.
    pub(super) fn accepted_positions(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let included = self.included.iter().copied().enumerate();
        included.filter(|(_, index)| self.accepted.contains(index))
    }

    fn leaves_out(&self, index: usize) -> bool {
        self.only
            .as_ref()
            .is_some_and(|only| !only.contains(&index))
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
            if let Some(failure) = self.candidates[index].settled_failure().cloned() {
                self.reject_settled(index, failure, attempt, tracker)?;
                continue;
            }
            let may_wait = self.candidates[index].transaction.may_wait();
            if !self.candidates[index].is_open() {
                // What is settled about a later one of its sender has to wait for it.
                let origin = self.candidates[index].origin();
                attempt.dropped_senders.extend(origin);
                continue;
            }
            if (may_wait || attempt.is_alone) && attempt.leaves_out(index) {
                continue;
            }
            match self.policy {
                StagingPolicy::AutoRetry { .. } if may_wait => {
                    self.try_waiting(index, attempt, tracker, &mut run)?;
                }
                _ => self.run_or_fail(index, attempt, tracker)?,
            }
            if attempt.crowded_out.is_some() {
                break;
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
        let limit = self.bounds.max_transactions;
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
            if incoming.action == MessageAction::Accept {
                check_time(self.timestamp, incoming.bundle.timestamp)?;
            }
            if tracker.is_closed() {
                return self.reject_unseen(index, attempt, tracker);
            }
        }
        self.begin_asking(index);
        match tracker.execute(&self.candidates[index].transaction, None) {
            Ok(()) => attempt.include(index, false),
            Err(Halt::Stop(Stop::Failure(failure)))
                if FailureCause::of(&failure) == FailureCause::Crowded
                    && !attempt.accepted.is_empty() =>
            {
                attempt.crowded_out = Some((index, failure));
            }
            Err(halt) => return Err(failed(index, halt)),
        }
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
        self.begin_asking(index);
        let little = self.little_fuel(index, attempt);
        let spent_before = tracker.spent_fuel();
        tracker.limit_fuel(little);
        let executed = tracker.execute(&self.candidates[index].transaction, None);
        tracker.limit_fuel(None);
        let stop = match executed {
            Ok(()) => {
                attempt.include(index, true);
                *run = Some(current);
                return Ok(());
            }
            Err(Halt::Stop(Stop::Failure(failure))) => Stop::Failure(failure),
            Err(Halt::Stop(Stop::Missing(data))) => Stop::Missing(data),
            Err(halt) => return Err(failed(index, halt)),
        };
        let spent = tracker.spent_fuel() - spent_before;
        self.return_to_before(&current, attempt, tracker)?;
        attempt.spacing_log2 = 0;
        self.budget.waste(spent);
        let is_main = attempt.only.is_none();
        if is_main {
            self.tried = self.tried.max(index + 1);
        }
        match stop {
            Stop::Failure(failure) if little.is_some() && is_out_of_fuel(&failure) => {
                attempt.dropped_senders.extend(origin);
                self.candidates[index].remove_for_now(DropReason::FuelBudget);
            }
            Stop::Failure(failure) => {
                if is_main {
                    self.remember(index, &failure, spent);
                }
                self.fail(index, failure, attempt, tracker)?;
            }
            Stop::Missing(data) => {
                attempt.dropped_senders.extend(origin);
                let candidate = &mut self.candidates[index];
                match is_main && spent > self.bounds.remembered_fuel() {
                    true => candidate.remove_for_now(DropReason::Missing(data)),
                    false => candidate.drop(DropReason::Missing(data)),
                }
            }
            Stop::Fault(fault) => return Err(fault.into()),
        }
        Ok(())
    }

    /// How much fuel a candidate may spend, if it is less than a transaction's.
    fn little_fuel(&self, index: usize, attempt: &Attempt) -> Option<u64> {
        match self.is_free(attempt) || self.has_passed(index) {
            true => None,
            false => {
                let is_second_try = self.candidates[index].is_reopened();
                self.budget.little_fuel(is_second_try)
            }
        }
    }

    /// Whether what the pass spends is not looked at.
    fn is_free(&self, attempt: &Attempt) -> bool {
        attempt.only.is_some() || self.is_closing
    }

    /// Whether a candidate has had its turn before, and need not wait for others that fail.
    fn has_passed(&self, index: usize) -> bool {
        index < self.tried && !self.candidates[index].is_reopened()
    }

    /// A bundle that was found out before, unless something keeps its sender's bundles out of this block.
    fn reject_settled<R: TransactionRunner>(
        &mut self,
        index: usize,
        failure: Failure,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let candidate = &mut self.candidates[index];
        let origin = candidate.origin();
        if origin.is_some_and(|origin| attempt.dropped_senders.contains(&origin)) {
            candidate.drop(DropReason::AfterDropped);
        } else if tracker.transactions() >= self.bounds.max_transactions {
            attempt.dropped_senders.extend(origin);
            candidate.drop(DropReason::BlockFull);
        } else {
            reject(candidate, index, failure, attempt, tracker)?;
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
        if transactions >= self.bounds.max_transactions {
            attempt.stopped.get_or_insert(DropReason::BlockFull);
        }
        let is_free = self.is_free(attempt);
        if !is_free && transactions > 0 && attempt.stopped.is_none() {
            attempt.stopped = self.budget.used_up();
        }
        if attempt.stopped.is_some() {
            return attempt.stopped.clone();
        }
        if origin.is_some_and(|origin| attempt.dropped_senders.contains(&origin)) {
            return Some(DropReason::AfterDropped);
        }
        if !is_free && !self.has_passed(index) {
            let reason = self.budget.wasted_up();
            if index >= self.tried {
                attempt.stopped = reason.clone();
            }
            if reason.is_some() {
                return reason;
            }
        }
        let incoming = self.candidates[index].transaction.bundle()?;
        let sent = incoming.bundle.timestamp;
        let is_too_new = incoming.action == MessageAction::Accept && sent > self.timestamp;
        is_too_new.then_some(DropReason::TooNew(sent))
    }

    /// Settles what would fail again at a high price, or in every block: as long as those are in the block whom it failed
    /// behind. What it did may be their doing.
    fn remember(&mut self, index: usize, failure: &Failure, spent: u64) {
        let is_own = FailureCause::of(failure) == FailureCause::Own;
        if !is_own || !(failure.is_limit() || spent > self.bounds.remembered_fuel()) {
            return;
        }
        match self.may_be_rejected(index) {
            true => self.candidates[index].reject_for_now(failure.clone()),
            // The later ones of its sender are skipped with it in each pass.
            false => self.candidates[index].remove_for_now(DropReason::Failed(failure.clone())),
        }
    }

    /// Does with what failed and was rolled back what the policy says.
    fn fail<R: TransactionRunner>(
        &mut self,
        index: usize,
        failure: Failure,
        attempt: &mut Attempt,
        tracker: &mut BlockExecutionTracker<R>,
    ) -> Result<(), BlockError> {
        let transactions = tracker.transactions();
        let verdict = self.verdict(index, &failure, attempt, transactions);
        let cause = FailureCause::of(&failure);
        attempt.limit_failures += u32::from(cause != FailureCause::Own);
        if cause == FailureCause::Crowded {
            attempt.crowded.push(index);
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
        let max_failures = self.policy.max_failures();
        let summary = FailureSummary {
            cause: FailureCause::of(failure),
            may_be_rejected: self.may_be_rejected(index),
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

impl Staging<'_> {
    /// An update never may: there is nobody whom it could go back to.
    pub(super) fn may_be_rejected(&self, index: usize) -> bool {
        let StagingPolicy::AutoRetry {
            never_reject_application_ids,
            ..
        } = self.policy
        else {
            return false;
        };
        let incoming = self.candidates[index].transaction.bundle();
        incoming
            .is_some_and(|incoming| may_be_rejected(&incoming.bundle, never_reject_application_ids))
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

fn is_out_of_fuel(failure: &Failure) -> bool {
    failure.reason == FailureReason::Crowded(LimitKind::Fuel)
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
