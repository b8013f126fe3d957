//! Building a block out of what its owner proposes and what waits in the inbox.

mod asked;
mod attempt;
mod budget;
mod candidate;
mod guilt;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use resident_base::{ApplicationId, CryptoHash};
use resident_execution::{
    Executor, Failure, HTTP_REQUESTS_ASKED_PER_RECORDED, Mode, Refusal, ResourcePolicy, Session,
    SessionKind, Stop, SubscriberUpdate,
};

use crate::{
    Block, BlockDraft, BlockError, BlockExecution, BlockExecutionTracker, DropReason,
    IncomingBundle, StagingPolicy, TrackedExecution, TransactionRunner, assembly, chain,
    committed::{check_time, context, refused},
    mandatory,
};
use asked::AskedOnce;
use attempt::Attempt;
use budget::{Bounds, Budget};
use candidate::{Candidate, Failing};
use guilt::Innocence;

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
    /// How many transactions were run, those that failed and those of all passes included.
    pub executions: u64,
    /// How often a block was begun. With `g` bundles because of which an application refuses, among `n` that may
    /// wait, at most `(g + 1) * (log2(n) + 4)` times, the logarithm rounded up.
    pub passes: u64,
    /// The fuel of what failed or found something missing, in all passes. Nobody pays for it.
    pub wasted_fuel: u64,
    /// The fuel of all passes, of what failed too.
    pub spent_fuel: u64,
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
    let most_asked = resources.limits.http_requests;
    let most_asked = most_asked.saturating_mul(HTTP_REQUESTS_ASKED_PER_RECORDED);
    let asked = Arc::new(AskedOnce::new(executor.oracle(), most_asked));
    let executor = executor.clone().with_oracle(asked.clone());
    let mut staging = Staging::new(draft, policy, Bounds::of(&resources), clock);
    staging.asked = Some(asked);
    let context = context(&block, resources);
    let staged = staging.run(&mut || {
        let session = Session::new(&executor, session, Mode::Staging, context.clone())?;
        Ok(BlockExecutionTracker::new(session, max_bytes))
    })?;
    let Failing {
        rejected,
        dropped,
        dropped_updates,
    } = candidate::sort(staged.candidates, &mut block.transactions);
    // Bundles may have been left out or rejected.
    mandatory::check(&executor, block.chain_id, &block.transactions)?;
    let execution = assembly::assemble(block, staged.tracked)?;
    Ok(StagedBlock {
        execution,
        rejected,
        dropped,
        dropped_updates,
        executions: staged.executions,
        passes: staged.passes,
        wasted_fuel: staged.wasted_fuel,
        spent_fuel: staged.spent_fuel,
    })
}

fn has_time_budget(policy: &StagingPolicy) -> bool {
    policy.time_budget().is_some()
}

/// Begins a block.
type Start<'a, R> = dyn FnMut() -> Result<BlockExecutionTracker<R>, BlockError> + 'a;

/// The transactions of a draft, and what has been found out about them.
struct Staging<'a> {
    candidates: Vec<Candidate>,
    timestamp: resident_base::Timestamp,
    policy: &'a StagingPolicy,
    bounds: Bounds,
    budget: Budget<'a>,
    /// Who answers for the world outside, if anybody is asked.
    asked: Option<Arc<AskedOnce>>,
    innocence: Innocence,
    /// How many candidates from the first on have had their turn, up to the last that failed.
    tried: usize,
    /// Whether the budget is used up, and what is left is to become a block without any further search.
    is_closing: bool,
    executions: u64,
    passes: u64,
}

/// One pass from the beginning of the block to its end.
struct Pass<R: TransactionRunner> {
    attempt: Attempt,
    tracker: BlockExecutionTracker<R>,
    /// Why it is no block, if an application refuses it or an operation has no room.
    refusal: Option<Box<Refusal>>,
}

/// A block that came to its end.
struct Staged {
    candidates: Vec<Candidate>,
    tracked: TrackedExecution,
    executions: u64,
    passes: u64,
    wasted_fuel: u64,
    spent_fuel: u64,
}

impl<'a> Staging<'a> {
    fn new(
        draft: BlockDraft,
        policy: &'a StagingPolicy,
        bounds: Bounds,
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
            bounds,
            budget: Budget::new(policy, &bounds, clock),
            asked: None,
            innocence: Innocence::default(),
            tried: 0,
            is_closing: false,
            executions: 0,
            passes: 0,
        }
    }

    /// Tries until no application refuses the block, each time from the start and with what is settled about
    /// those that were to blame the times before. Each time one more is settled at least.
    fn run<R: TransactionRunner>(mut self, start: &mut Start<'_, R>) -> Result<Staged, BlockError> {
        loop {
            let pass = self.pass(None, start)?;
            match pass.refusal {
                Some(refusal) if *self.policy == StagingPolicy::Abort => {
                    return Err(refused(*refusal));
                }
                Some(_) => {
                    let accepted = pass.attempt.accepted().clone();
                    self.settle(pass, start)?;
                    self.save_budget(&accepted);
                    self.reopen_behind_undone(&accepted);
                }
                None => {
                    return Ok(Staged {
                        candidates: self.candidates,
                        tracked: pass.tracker.finish()?,
                        executions: self.executions,
                        passes: self.passes,
                        wasted_fuel: self.budget.wasted,
                        spent_fuel: self.budget.spent,
                    });
                }
            }
        }
    }

    /// Builds a block of all candidates, or of those that cannot wait and these.
    fn pass<R: TransactionRunner>(
        &mut self,
        only: Option<BTreeSet<usize>>,
        start: &mut Start<'_, R>,
    ) -> Result<Pass<R>, BlockError> {
        self.pass_of(Attempt::new(only), start)
    }

    fn pass_of<R: TransactionRunner>(
        &mut self,
        mut attempt: Attempt,
        start: &mut Start<'_, R>,
    ) -> Result<Pass<R>, BlockError> {
        let mut tracker = start()?;
        self.candidates.iter_mut().for_each(Candidate::reset);
        self.passes += 1;
        self.attempt(&mut attempt, &mut tracker)?;
        let refusal = match attempt.crowded_out() {
            Some((_, failure)) => Some(crowded_out(failure)),
            None => {
                self.begin_asking(AskedOnce::FINALIZATION);
                tracker.finalize(None).err()
            }
        };
        let refusal = match refusal.map(|refusal| *refusal) {
            Some(Refusal {
                stop: Stop::Fault(fault),
                ..
            }) => return Err(fault.into()),
            refusal => refusal.map(Box::new),
        };
        self.executions += tracker.executions();
        self.budget.spent = self.budget.spent.saturating_add(tracker.spent_fuel());
        Ok(Pass {
            attempt,
            tracker,
            refusal,
        })
    }

    /// Says who asks the world outside from now on.
    fn begin_asking(&self, index: usize) {
        if let Some(asked) = &self.asked {
            asked.begin(index);
        }
    }

    /// What was settled about a candidate behind one that was accepted, and is not in the block after all, is
    /// settled no more: what is undone never ran, for others neither.
    fn reopen_behind_undone(&mut self, accepted: &BTreeSet<usize>) {
        let mut accepted = accepted.iter().copied();
        if let Some(undone) = accepted.find(|index| !self.candidates[*index].is_open()) {
            self.reopen_behind(undone);
        }
    }

    fn reopen_behind(&mut self, index: usize) {
        let behind = self.candidates[index + 1..].iter_mut();
        behind.for_each(Candidate::reopen);
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

/// An operation that does not fit is treated like an application that has no room at the end of the block: whoever
/// used the most gives way.
fn crowded_out(failure: &Failure) -> Box<Refusal> {
    Box::new(Refusal {
        // Nobody is told: the operation fails, or somebody gives way.
        application_id: failure
            .application_id
            .unwrap_or(ApplicationId::new(CryptoHash::of_bytes(b""))),
        stop: Stop::Failure(failure.clone()),
        is_unpaid: false,
        shares: BTreeMap::new(),
    })
}
