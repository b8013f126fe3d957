//! From a finished tracker to one batch with everything of the block.

use std::collections::BTreeMap;

use resident_base::{ChainId, CryptoHash};
use resident_execution::{ResourcePolicy, Trace, put_blob, put_event};
use resident_storage::{Batch, MAX_VALUE_BYTES};

use crate::{
    Block, BlockError, ChainTip, ExecutedBlock, ExecutionReport, MessageBundle, TrackedExecution,
    Transaction, inbox, outbox, records,
};

/// The most that a block and its outcome may have together, encoded, in bytes: what fits one record.
pub const MAX_BLOCK_BYTES: usize = MAX_VALUE_BYTES;

/// What the finalization's effects may have beyond the limit for transactions, encoded, in bytes.
pub(crate) const FINALIZATION_BYTES: usize = RESERVED_BYTES / 2;

/// What is left of [`MAX_BLOCK_BYTES`] for the finalization and the block's own fields.
const RESERVED_BYTES: usize = MAX_BLOCK_BYTES / 4;

/// The most that the messages of one transaction, or of the finalization, may have together, encoded, in bytes.
///
/// They may all be for one chain, which must be able to reject them: a block has to have room for such a
/// bundle and for all that bounces, which is less than twice as large.
pub const MAX_SENT_BYTES: usize = MAX_BLOCK_BYTES / 16 * 5;

/// What executing a block leaves for the node to commit.
pub struct BlockExecution {
    /// The block and its outcome.
    pub executed: ExecutedBlock,
    /// Everything of this block, to be written in one go: changes of the state, blobs, events, the block
    /// itself, the chain's new tip, outgoing bundles, and which bundles have left the inbox.
    pub batch: Batch,
    /// What it took; for staging, the last attempt.
    pub trace: Trace,
    /// Who used what; the same wherever the block is run.
    pub report: ExecutionReport,
    /// What the block sends, by destination. It is in the batch too.
    pub outgoing: BTreeMap<ChainId, Vec<MessageBundle>>,
}

/// Puts a block together. The block was checked to continue the chain.
pub(crate) fn assemble(
    block: Block,
    tracked: TrackedExecution,
) -> Result<BlockExecution, BlockError> {
    let TrackedExecution {
        outcome,
        mut batch,
        blobs,
        trace,
        report,
    } = tracked;
    let executed = ExecutedBlock { block, outcome };
    let chain = executed.block.chain_id;
    let record = encode_block(&executed)?;
    let block_hash = CryptoHash::of_encoded::<ExecutedBlock>(&record);
    let outgoing = outbox::outgoing_bundles(&executed, block_hash);
    for blob in &blobs {
        put_blob(&mut batch, blob);
    }
    put_events(&mut batch, &executed);
    batch.put(records::block_key(chain, executed.block.height), record);
    batch.put(
        records::tip_key(chain),
        records::encode(&tip_after(&executed, block_hash)?),
    );
    outbox::put_outgoing(&mut batch, chain, &outgoing);
    let consumed = executed
        .block
        .transactions
        .iter()
        .filter_map(Transaction::bundle);
    inbox::remove_consumed(&mut batch, chain, consumed);
    Ok(BlockExecution {
        executed,
        batch,
        trace,
        report,
        outgoing,
    })
}

fn put_events(batch: &mut Batch, executed: &ExecutedBlock) {
    let outcome = &executed.outcome;
    let outcomes = outcome.transactions.iter().chain([&outcome.finalization]);
    for event in outcomes.flat_map(|outcome| &outcome.effects.events) {
        put_event(batch, executed.block.chain_id, event);
    }
}

/// The most that the transactions of a block and their outcomes may have together, in bytes.
pub(crate) fn max_transactions_bytes(resources: &ResourcePolicy) -> usize {
    let policy = usize::try_from(resources.limits.block_bytes).unwrap_or(usize::MAX);
    policy.min(MAX_BLOCK_BYTES - RESERVED_BYTES)
}

/// The most transactions that a block may have.
pub(crate) fn max_transactions(resources: &ResourcePolicy) -> usize {
    usize::try_from(resources.limits.transactions).unwrap_or(usize::MAX)
}

/// The block's record, which is also what its hash is of.
fn encode_block(executed: &ExecutedBlock) -> Result<Vec<u8>, BlockError> {
    let record = records::encode(executed);
    if record.len() > MAX_BLOCK_BYTES {
        let (what, found, limit) = ("encoded bytes", record.len(), MAX_BLOCK_BYTES);
        return Err(BlockError::TooLarge { what, found, limit });
    }
    Ok(record)
}

fn tip_after(executed: &ExecutedBlock, block_hash: CryptoHash) -> Result<ChainTip, BlockError> {
    let Block {
        height, timestamp, ..
    } = executed.block;
    let next_height = height.try_add_one().map_err(|_| BlockError::LastHeight)?;
    Ok(ChainTip {
        next_height,
        block_hash: Some(block_hash),
        timestamp,
    })
}
