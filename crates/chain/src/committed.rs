//! Running a fixed block.

use std::sync::Arc;

use resident_base::Timestamp;
use resident_execution::{
    BlockContext, Executor, Mode, Refusal, ResourcePolicy, Session, SessionKind,
};

use crate::{
    Block, BlockError, BlockExecution, BlockExecutionTracker, BlockOutcome, ChainTip, Halt,
    MessageAction, TrackedExecution, Transaction, TransactionOutcome, TransactionRunner, assembly,
    chain, difference, mandatory,
};

/// Runs a block that is not to be changed any more: any failure refuses it. Takes no checkpoints.
///
/// If an outcome is expected, the block must have exactly that one, and answers from outside are taken
/// from it. Runs on the calling thread, which
/// should be one of a [`BlockPool`](resident_execution::BlockPool). Whether the bundles in the block were
/// really sent is for the caller to check.
///
/// # Errors
/// If the block does not continue the chain, fails, or has another outcome; and if data is missing or the
/// node cannot go on. Nothing has been stored then.
pub fn execute_block(
    executor: &Executor,
    session: SessionKind,
    resources: Arc<ResourcePolicy>,
    block: &Block,
    expected: Option<&BlockOutcome>,
) -> Result<BlockExecution, BlockError> {
    let tip = chain::read_tip(&**executor.store(), block.chain_id)?;
    check_block(block, &tip, &resources)?;
    let max_bytes = assembly::max_transactions_bytes(&resources);
    let context = context(block, resources);
    let session = Session::new(executor, session, Mode::Committed, context)?;
    let tracker = BlockExecutionTracker::new(session, max_bytes);
    let tracked = run(tracker, &block.transactions, expected)?;
    mandatory::check(executor, block.chain_id, &block.transactions)?;
    if let Some(expected) = expected {
        difference::check(expected, &tracked.outcome)?;
    }
    assembly::assemble(block.clone(), tracked)
}

/// What a session needs to know about a block.
pub(crate) fn context(block: &Block, policy: Arc<ResourcePolicy>) -> BlockContext {
    BlockContext {
        chain_id: block.chain_id,
        height: block.height,
        timestamp: block.timestamp,
        authenticated_owner: block.authenticated_owner,
        policy,
    }
}

pub(crate) fn check_time(timestamp: Timestamp, earliest: Timestamp) -> Result<(), BlockError> {
    if timestamp < earliest {
        return Err(BlockError::TimestampTooEarly {
            timestamp,
            earliest,
        });
    }
    Ok(())
}

/// Why a transaction that may not fail did.
pub(crate) fn failed(index: usize, halt: Halt) -> BlockError {
    match halt {
        Halt::Stop(stop) => BlockError::of_stop(stop, |failure| BlockError::TransactionFailed {
            index,
            failure,
        }),
        Halt::OutOfOrder {
            origin,
            last,
            found,
        } => BlockError::BundleOutOfOrder {
            origin,
            last,
            found,
        },
    }
}

/// Why a block was not finalized.
pub(crate) fn refused(refusal: Refusal) -> BlockError {
    let Refusal {
        application_id,
        stop,
        ..
    } = refusal;
    BlockError::of_stop(stop, |failure| BlockError::Refused {
        application_id,
        failure,
    })
}

fn run<R: TransactionRunner>(
    mut tracker: BlockExecutionTracker<R>,
    transactions: &[Transaction],
    expected: Option<&BlockOutcome>,
) -> Result<TrackedExecution, BlockError> {
    let recorded = |outcome: &TransactionOutcome| outcome.effects.oracle_responses.clone();
    for (index, transaction) in transactions.iter().enumerate() {
        // A record without this transaction is wrong, which is found out when outcomes are compared.
        let answers = expected.map(|expected| {
            expected
                .transactions
                .get(index)
                .map(recorded)
                .unwrap_or_default()
        });
        tracker
            .execute(transaction, answers.as_deref())
            .map_err(|halt| failed(index, halt))?;
    }
    let answers = expected.map(|expected| recorded(&expected.finalization));
    tracker
        .finalize(answers.as_deref())
        .map_err(|refusal| refused(*refusal))?;
    Ok(tracker.finish()?)
}

fn check_block(
    block: &Block,
    tip: &ChainTip,
    resources: &ResourcePolicy,
) -> Result<(), BlockError> {
    let (expected, found) = (tip.next_height, block.height);
    if expected != found {
        return Err(BlockError::UnexpectedHeight { expected, found });
    }
    let (expected, found) = (tip.block_hash, block.previous_block_hash);
    if expected != found {
        return Err(BlockError::UnexpectedPreviousHash { expected, found });
    }
    let (found, limit) = (
        block.transactions.len(),
        assembly::max_transactions(resources),
    );
    if found > limit {
        return Err(BlockError::TooLarge {
            what: "transactions",
            found,
            limit,
        });
    }
    check_time(block.timestamp, tip.timestamp)?;
    let bundles = block.transactions.iter().filter_map(Transaction::bundle);
    // What is rejected does not arrive: whoever sent it may have had a clock that is years ahead.
    let mut accepted = bundles.filter(|incoming| incoming.action == MessageAction::Accept);
    accepted.try_for_each(|incoming| check_time(block.timestamp, incoming.bundle.timestamp))
}
