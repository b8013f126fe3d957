//! New events on the streams that a chain's applications follow.
//!
//! What an application has seen is part of its chain's state, and how many events there are is part of the
//! state of the emitting chain. So nothing has to be remembered in between: whatever lies between the two numbers
//! is new, also after the node was stopped.

use resident_base::{AccountSecretKey, ChainId};
use resident_chain::{DropReason, StagedBlock, Transaction};

use crate::{error::NodeError, local::LocalNode, propose::CommittedBlock};

/// The most streams that one block tells of.
const MAX_STREAMS: usize = 10_000;

impl LocalNode {
    /// Tells the chain's applications, in a new block, of new events on the streams that they follow, as
    /// far as the emitting chains are on this node. Answers with nothing if there are none, or if every
    /// application fails when it is told of them. [`process_inbox`](Self::process_inbox) does this too.
    pub async fn process_streams(
        &self,
        chain: ChainId,
        signer: &AccountSecretKey,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        let lock = self.locks.of(chain);
        let mut is_writing = lock.block.lock().await;
        self.settle(&mut is_writing).await?;
        self.tell_news(chain, signer, &mut is_writing).await
    }

    /// A block with nothing but news. If they are too many at once, fewer are tried. The caller holds the
    /// chain's lock.
    pub(crate) async fn tell_news(
        &self,
        chain: ChainId,
        signer: &AccountSecretKey,
        is_writing: &mut bool,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        let mut max_events = self.config.max_new_events.max(1);
        loop {
            let transactions = self.news(chain, max_events).await?;
            if transactions.is_empty() {
                return Ok(None);
            }
            let owner = Some(signer.public().owner());
            let draft = self.draft(chain, transactions, owner).await?;
            let staged = self.stage(draft).await?;
            if !staged.execution.executed.block.transactions.is_empty() {
                return self.commit(staged, signer, is_writing).await.map(Some);
            }
            if max_events == 1 || !is_over_limit(&staged) {
                return Ok(None);
            }
            max_events /= 2;
        }
    }

    /// What is new, as the transactions of a block: one for each application.
    pub(crate) async fn news(
        &self,
        chain: ChainId,
        max_events: u32,
    ) -> Result<Vec<Transaction>, NodeError> {
        let executor = self.executor.clone();
        let find = move || executor.new_events(chain, MAX_STREAMS, max_events);
        let news = self.pool.run(find).await??;
        Ok(news.into_iter().map(Transaction::UpdateStreams).collect())
    }
}

fn is_over_limit(staged: &StagedBlock) -> bool {
    let mut dropped = staged.dropped_updates.iter();
    dropped.any(|(_, reason)| matches!(reason, DropReason::Failed(failure) if failure.is_limit()))
}
