//! What waits in an inbox and for what, and the owner's word that it has waited long enough.

use std::collections::BTreeSet;

use resident_base::{ChainId, Timestamp};
use resident_chain::{Cursor, WaitReason, Waiting, may_be_rejected, put_waiting};
use resident_storage::Batch;

use crate::{error::NodeError, local::LocalNode};

/// A bundle that was tried in vain. The later ones of its sender wait with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingBundle {
    /// The sender.
    pub origin: ChainId,
    /// Which of the sender's bundles it is.
    pub cursor: Cursor,
    /// What it waits for.
    pub reason: WaitReason,
    /// How many times it was tried.
    pub tries: u32,
    /// When it was first tried, by the node's clock.
    pub since: Timestamp,
    /// Whether the owner gave up on it. Then it is rejected when its sender's turn comes.
    pub is_given_up: bool,
}

impl LocalNode {
    /// The bundles in a chain's inbox that were tried in vain, by sender, from behind one on: at most `limit`.
    pub async fn waiting_for(
        &self,
        chain: ChainId,
        after: Option<ChainId>,
        limit: usize,
    ) -> Result<Vec<WaitingBundle>, NodeError> {
        let waiting = self.reader(chain).all_waiting(after, limit).await?;
        let bundles = waiting.into_iter().map(|(origin, waiting)| {
            let is_given_up = waiting.given_up >= Some(waiting.cursor);
            let Waiting {
                cursor,
                reason,
                tries,
                since,
                ..
            } = waiting;
            WaitingBundle {
                origin,
                cursor,
                reason,
                tries,
                since,
                is_given_up,
            }
        });
        Ok(bundles.collect())
    }

    /// Has the next blocks reject what waits from a sender: the first bundle, or all up to this one. Not even
    /// applications that may otherwise not be kept from a message are asked; a protected message is rejected only by
    /// a closed chain.
    pub async fn give_up_on(
        &self,
        chain: ChainId,
        origin: ChainId,
        up_to: Option<Cursor>,
    ) -> Result<(), NodeError> {
        let lock = self.locks.of(chain);
        let mut is_writing = lock.block.lock().await;
        self.settle(&mut is_writing).await?;
        let reader = self.reader(chain);
        let first = reader.first_bundle(origin).await?;
        let first = first.ok_or(NodeError::NothingWaits { chain, origin })?;
        let cursor = first.cursor();
        if !may_be_rejected(&first, &BTreeSet::new()) {
            return Err(NodeError::Protected { origin, cursor });
        }
        if up_to.is_some_and(|up_to| up_to < cursor) {
            return Err(NodeError::NothingWaits { chain, origin });
        }
        let known = reader.waiting(origin).await?;
        let known = known.filter(|known| known.cursor == cursor);
        let mut waiting = known.unwrap_or(Waiting {
            cursor,
            reason: WaitReason::Nothing,
            tries: 0,
            since: self.config.clock.now(),
            retry_at: 0,
            given_up: None,
        });
        waiting.given_up = Some(up_to.unwrap_or(cursor));
        let mut batch = Batch::new();
        put_waiting(&mut batch, chain, origin, &waiting);
        *is_writing = true;
        self.store().write(batch).await?;
        *is_writing = false;
        Ok(())
    }
}
