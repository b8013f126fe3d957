//! Building a block out of what its owner proposes and what waits in the inbox.

mod attempt;
mod candidate;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use resident_execution::{
    Executor, Failure, Mode, Refusal, ResourcePolicy, Session, SessionKind, Stop, SubscriberUpdate,
};

use crate::{
    Block, BlockDraft, BlockError, BlockExecution, BlockExecutionTracker, DropReason,
    IncomingBundle, StagingPolicy, TrackedExecution, TransactionRunner, assembly, chain,
    committed::{check_time, context, refused},
    mandatory,
};
use attempt::Attempt;
use candidate::{Candidate, Failing};

/// Restarts after a refusal that take out one bundle each.
const SINGLE_RESTARTS: u64 = 3;

/// A block that was built, and what became of the bundles that are not in it as proposed.
pub struct StagedBlock {
    /// The block, executed. Its batch is ready to be written.
    pub execution: BlockExecution,
    /// Bundles that failed and are in the block as rejected, each with its failure.
    pub rejected: Vec<(IncomingBundle, Failure)>,
    /// Bundles that are not in the block and stay in the inbox, each with the reason.
    pub dropped: Vec<(IncomingBundle, DropReason)>,
    /// Updates of streams that are not in the block, each with the reason. Their applications have not seen
    /// anything of them.
    pub dropped_updates: Vec<(SubscriberUpdate, DropReason)>,
    /// How many transactions were run, those that failed and those of earlier attempts included.
    pub executions: u64,
}

/// Builds and executes the next block of a chain, on the calling thread, which should be one of a
/// [`BlockPool`](resident_execution::BlockPool).
///
/// # Errors
/// If an operation fails, an application refuses the block and no bundle is to blame, or the policy is
/// [`StagingPolicy::Abort`] and a bundle fails; if data is missing or the node cannot go on. Nothing has been
/// stored then.
pub fn stage_block(
    executor: &Executor,
    session: SessionKind,
    resources: Arc<ResourcePolicy>,
    draft: BlockDraft,
    policy: &StagingPolicy,
) -> Result<StagedBlock, BlockError> {
    // Asked for only with a time budget: some platforms have no such clock.
    let started = has_time_budget(policy).then(Instant::now);
    let mut clock = || started.map_or(Duration::ZERO, |started| started.elapsed());
    stage_block_with_clock(executor, session, resources, draft, policy, &mut clock)
}

/// As [`stage_block`], with a clock that says how long staging has taken. It is asked before each
/// bundle, if the policy has a time budget.
///
/// # Errors
/// As [`stage_block`].
pub fn stage_block_with_clock(
    executor: &Executor,
    session: SessionKind,
    resources: Arc<ResourcePolicy>,
    draft: BlockDraft,
    policy: &StagingPolicy,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<StagedBlock, BlockError> {
    let tip = chain::read_tip(&**executor.store(), draft.chain_id)?;
    check_time(draft.timestamp, tip.timestamp)?;
    let mut block = Block {
        chain_id: draft.chain_id,
        height: tip.next_height,
        previous_block_hash: tip.block_hash,
        timestamp: draft.timestamp,
        authenticated_owner: draft.authenticated_owner,
        transactions: Vec::new(),
    };
    let max_bytes = assembly::max_transactions_bytes(&resources);
    let max_transactions = assembly::max_transactions(&resources);
    let staging = Staging::new(draft, policy, max_transactions, clock);
    let context = context(&block, resources);
    let staged = staging.run(|| {
        let session = Session::new(executor, session, Mode::Staging, context.clone())?;
        Ok(BlockExecutionTracker::new(session, max_bytes))
    })?;
    let Failing {
        rejected,
        dropped,
        dropped_updates,
    } = candidate::sort(staged.candidates, &mut block.transactions);
    // Bundles may have been left out or rejected.
    mandatory::check(executor, block.chain_id, &block.transactions)?;
    let execution = assembly::assemble(block, staged.tracked)?;
    Ok(StagedBlock {
        execution,
        rejected,
        dropped,
        dropped_updates,
        executions: staged.executions,
    })
}

fn has_time_budget(policy: &StagingPolicy) -> bool {
    matches!(
        policy,
        StagingPolicy::AutoRetry {
            time_budget: Some(_),
            ..
        }
    )
}

/// The transactions of a draft, and what has been found out about them.
struct Staging<'a> {
    candidates: Vec<Candidate>,
    timestamp: resident_base::Timestamp,
    policy: &'a StagingPolicy,
    max_transactions: usize,
    clock: &'a mut dyn FnMut() -> Duration,
    executions: u64,
}

/// A block that came to its end.
struct Staged {
    candidates: Vec<Candidate>,
    tracked: TrackedExecution,
    executions: u64,
}

impl<'a> Staging<'a> {
    fn new(
        draft: BlockDraft,
        policy: &'a StagingPolicy,
        max_transactions: usize,
        clock: &'a mut dyn FnMut() -> Duration,
    ) -> Self {
        let BlockDraft {
            timestamp,
            transactions,
            ..
        } = draft;
        let candidates = transactions.into_iter().map(Candidate::new).collect();
        Self {
            candidates,
            timestamp,
            policy,
            max_transactions,
            clock,
            executions: 0,
        }
    }

    /// Tries until no application refuses the block, each time from the start and without the bundles that
    /// were to blame the times before.
    fn run<R: TransactionRunner>(
        mut self,
        mut start: impl FnMut() -> Result<BlockExecutionTracker<R>, BlockError>,
    ) -> Result<Staged, BlockError> {
        let mut restarts_left = self.max_restarts();
        loop {
            let mut tracker = start()?;
            let mut attempt = Attempt::default();
            let tried = self.attempt(&mut attempt, &mut tracker);
            self.executions += tracker.executions();
            tried?;
            let Err(refusal) = tracker.finalize(None) else {
                let (candidates, executions) = (self.candidates, self.executions);
                return Ok(Staged {
                    candidates,
                    tracked: tracker.finish()?,
                    executions,
                });
            };
            // One at first, as the last is the likeliest; then twice as many every time, so that a few
            // restarts are enough for any number of them.
            let restarts = self.max_restarts() - restarts_left;
            let count = 1 << restarts.saturating_sub(SINGLE_RESTARTS).min(20);
            let to_blame = attempt.latest_touching(&tracker, &refusal.application_id, count);
            self.give_way(*refusal, &to_blame, tracker.transactions(), restarts_left)?;
            restarts_left -= 1;
        }
    }

    /// Never for an owner who wants to see every failure.
    fn max_restarts(&self) -> u64 {
        match self.policy {
            StagingPolicy::Abort => 0,
            StagingPolicy::AutoRetry { max_failures, .. } => u64::from(*max_failures) + 1,
        }
    }

    /// Takes the bundles and updates out because of which an application refused the block, if there are any.
    fn give_way(
        &mut self,
        refusal: Refusal,
        to_blame: &[usize],
        transactions: usize,
        restarts_left: u64,
    ) -> Result<(), BlockError> {
        match refusal.stop {
            Stop::Failure(failure) if restarts_left > 0 && !to_blame.is_empty() => {
                if failure.is_limit() {
                    // What was left out for want of room may not take the room that is made now.
                    self.max_transactions = transactions - to_blame.len();
                }
                self.remove_all(to_blame, &DropReason::Refused(failure));
                Ok(())
            }
            // What the application wants to know at the end of the block is not known here.
            Stop::Missing(data) if restarts_left > 0 && !to_blame.is_empty() => {
                self.remove_all(to_blame, &DropReason::Missing(data));
                Ok(())
            }
            stop => Err(refused(Refusal { stop, ..refusal })),
        }
    }

    fn remove_all(&mut self, to_blame: &[usize], reason: &DropReason) {
        for index in to_blame {
            self.remove(*index, reason.clone());
        }
        self.candidates.iter_mut().for_each(Candidate::reset);
    }

    /// Takes a bundle out for good, and the later ones of its sender, which cannot go before it; or an
    /// update, which nothing depends on.
    fn remove(&mut self, index: usize, reason: DropReason) {
        let origin = self.candidates[index].origin();
        self.candidates[index].remove(reason);
        if origin.is_none() {
            return;
        }
        let later = self.candidates[index + 1..].iter_mut();
        for candidate in later.filter(|candidate| candidate.origin() == origin) {
            candidate.remove(DropReason::AfterDropped);
        }
    }
}
