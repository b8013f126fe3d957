//! What comes of a block.

use resident_base::{Amount, BcsHashable, CryptoHash, Resources};
use resident_execution::TransactionEffects;
use serde::{Deserialize, Serialize};

use crate::Block;

/// Everything a block produced. Equal on every node, engine and session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockOutcome {
    /// Hash of the chain's state after the block.
    pub state_hash: CryptoHash,
    /// What each transaction produced, in their order.
    pub transactions: Vec<TransactionOutcome>,
    /// What the applications produced when the block was finalized.
    pub finalization: TransactionOutcome,
    /// What the block consumed.
    pub resources: Resources,
    /// What was paid for it.
    pub fees: Amount,
}

impl BcsHashable for BlockOutcome {
    const NAME: &'static str = "BlockOutcome";
}

impl BlockOutcome {
    /// One hash over all of it.
    pub fn hash(&self) -> CryptoHash {
        CryptoHash::new(self)
    }
}

/// What one transaction produced; for a rejected bundle, what goes back to where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionOutcome {
    /// What the operation answered; empty for a bundle.
    #[serde(with = "resident_base::bytes")]
    pub response: Vec<u8>,
    /// Messages, events, blobs and oracle responses.
    pub effects: TransactionEffects,
}

/// A block together with what came of it: a link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutedBlock {
    /// What was proposed.
    pub block: Block,
    /// What came of it.
    pub outcome: BlockOutcome,
}

impl BcsHashable for ExecutedBlock {
    const NAME: &'static str = "ExecutedBlock";
}

impl ExecutedBlock {
    /// The hash that the next block continues from, and that names this block to other chains.
    pub fn hash(&self) -> CryptoHash {
        CryptoHash::new(self)
    }
}
