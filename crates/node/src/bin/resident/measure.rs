//! Runs the block of the demo and times it.
//!
//! Times are of the block's own thread: everything between the bundles and the batch that is to be
//! stored happens there. The durable commit is timed apart, from handing over the batch to its being
//! on the disk.

use std::{sync::Arc, time::Instant};

use futures::executor::block_on;
use resident_base::CryptoHash;
use resident_chain::{
    BlockDraft, BlockError, BlockExecution, IncomingBundle, StagedBlock, Transaction,
    execute_block, stage_block,
};
use resident_execution::Executor;
use resident_node::{LocalNode, NodeConfig};
use resident_storage::{Batch, KeyValueStore, MemoryStore};
use rustix::time::{ClockId, clock_gettime};

use crate::{CommandResult, market::Market};

/// How many records are copied at a time.
const COPY_PAGE: usize = 10_000;

/// How long something took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elapsed {
    pub(crate) wall_ms: f64,
    /// Of the calling thread alone.
    pub(crate) cpu_ms: f64,
}

/// A block that was built, run again, and not stored yet.
pub(crate) struct MeasuredBlock {
    pub(crate) staged: StagedBlock,
    pub(crate) staging: Elapsed,
    /// Re-execution of the same block as committed, checked against the outcome.
    pub(crate) committed: Elapsed,
}

/// Calls the function and looks at the clocks before and after.
pub(crate) fn timed<T>(action: impl FnOnce() -> T) -> (T, Elapsed) {
    let (wall, cpu) = (Instant::now(), thread_cpu_ms());
    let result = action();
    let cpu_ms = thread_cpu_ms() - cpu;
    (
        result,
        Elapsed {
            wall_ms: milliseconds_since(wall),
            cpu_ms,
        },
    )
}

fn milliseconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Builds a block, and runs it again as committed. Stores nothing.
pub(crate) async fn measure_block(
    node: &LocalNode,
    draft: BlockDraft,
) -> CommandResult<MeasuredBlock> {
    let (executor, config) = (node.executor().clone(), node.config().clone());
    let measured = node.pool().run(move || {
        let (staged, staging) = timed(|| stage(&executor, &config, draft));
        let staged = staged?;
        let executed = &staged.execution.executed;
        let (repeated, committed) = timed(|| {
            let expected = Some(&executed.outcome);
            execute_block(
                &executor,
                config.session,
                config.policy,
                &executed.block,
                expected,
            )
        });
        repeated?;
        Ok::<_, BlockError>(MeasuredBlock {
            staged,
            staging,
            committed,
        })
    });
    Ok(measured.await??)
}

/// Builds one block per bundle, over a copy of the store in memory. Answers with the time of building
/// the blocks only; storing them is not counted, since on a disk it would be all that one sees.
pub(crate) async fn measure_single(
    market: &Market,
    bundles: Vec<IncomingBundle>,
) -> CommandResult<Elapsed> {
    let store = copy_to_memory(&**market.node.store()).await?;
    // A node of its own, which has compiled nothing yet: the first block is built twice.
    let node = LocalNode::new(store, market.node.config().clone())?;
    let (executor, config) = (node.executor().clone(), node.config().clone());
    let drafts: Vec<_> = bundles
        .into_iter()
        .map(|bundle| draft(market, vec![bundle]))
        .collect();
    let total = node.pool().run(move || {
        if let Some(first) = drafts.first() {
            stage(&executor, &config, first.clone())?;
        }
        let mut total = Elapsed::default();
        for draft in drafts {
            let (staged, elapsed) = timed(|| stage(&executor, &config, draft));
            let BlockExecution { batch, .. } = staged?.execution;
            block_on(executor.store().write(batch))?;
            total.wall_ms += elapsed.wall_ms;
            total.cpu_ms += elapsed.cpu_ms;
        }
        CommandResult::Ok(total)
    });
    total.await?
}

/// Stores a batch durably, and says how many milliseconds that took.
pub(crate) async fn measure_commit(market: &Market, batch: Batch) -> CommandResult<f64> {
    let start = Instant::now();
    market.node.store().write(batch).await?;
    Ok(milliseconds_since(start))
}

/// The hash over the whole outcome of a block.
pub(crate) fn outcome_hash(staged: &StagedBlock) -> CryptoHash {
    staged.execution.executed.outcome.hash()
}

fn stage(
    executor: &Executor,
    config: &NodeConfig,
    draft: BlockDraft,
) -> Result<StagedBlock, BlockError> {
    stage_block(
        executor,
        config.session,
        config.policy.clone(),
        draft,
        &config.staging,
    )
}

/// A block of the operator that takes these bundles.
pub(crate) fn draft(market: &Market, bundles: Vec<IncomingBundle>) -> BlockDraft {
    BlockDraft {
        chain_id: market.operator.chain,
        timestamp: market.node.config().clock.now(),
        authenticated_owner: Some(market.operator.owner()),
        transactions: bundles
            .into_iter()
            .map(Transaction::ReceiveMessages)
            .collect(),
    }
}

async fn copy_to_memory(store: &dyn KeyValueStore) -> CommandResult<Arc<dyn KeyValueStore>> {
    let copy = MemoryStore::new();
    let mut after = None;
    loop {
        let page = store.scan(&[], after.as_deref(), COPY_PAGE).await?;
        after = page.entries.last().map(|(key, _)| key.clone());
        let mut batch = Batch::new();
        for (key, value) in page.entries {
            batch.put(key, value);
        }
        copy.write(batch).await?;
        if page.is_last {
            return Ok(Arc::new(copy));
        }
    }
}

fn thread_cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
