//! What a chain keeps besides its state.

use std::sync::Arc;

use resident_base::{BlockHeight, ChainId, CryptoHash, Timestamp};
use resident_execution::Fault;
use resident_storage::KeyValueStore;
use serde::{Deserialize, Serialize};

use crate::{
    Chooser, Cursor, ExecutedBlock, MessageBundle, TakenTurns, TurnRequest, Turns, Waiting, inbox,
    outbox, parked, records, turns, waiting,
};

/// Where a chain ends. The default is a chain without blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainTip {
    /// The height of the next block.
    pub next_height: BlockHeight,
    /// The hash of the last block, if there is one.
    pub block_hash: Option<CryptoHash>,
    /// The time of the last block.
    pub timestamp: Timestamp,
}

/// Reads a chain's records. Sees what is committed; needs no lock for a single call.
#[derive(Clone)]
pub struct ChainReader {
    store: Arc<dyn KeyValueStore>,
    chain: ChainId,
}

impl ChainReader {
    /// A reader of one chain. The chain need not exist: then there is nothing to read.
    pub fn new(store: Arc<dyn KeyValueStore>, chain: ChainId) -> Self {
        Self { store, chain }
    }

    /// Where the chain ends.
    pub async fn tip(&self) -> Result<ChainTip, Fault> {
        let record = self.store.read(&records::tip_key(self.chain)).await?;
        decode_tip(record.as_deref())
    }

    /// A block of the chain with its outcome, if the chain has it.
    pub async fn executed_block(
        &self,
        height: BlockHeight,
    ) -> Result<Option<ExecutedBlock>, Fault> {
        let record = self
            .store
            .read(&records::block_key(self.chain, height))
            .await?;
        record
            .map(|bytes| records::decode("a block", &bytes))
            .transpose()
    }

    /// The first bundles in the inbox, by origin and then by cursor, with their origins. At most `limit`,
    /// never more than [`MAX_INBOX_PAGE`](crate::MAX_INBOX_PAGE), and fewer if they are large; at least
    /// one if there is one.
    pub async fn inbox_bundles(
        &self,
        limit: usize,
    ) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
        self.inbox_bundles_after(None, limit).await
    }

    /// As [`inbox_bundles`](Self::inbox_bundles), from the origin behind this one on.
    pub async fn inbox_bundles_after(
        &self,
        after: Option<ChainId>,
        limit: usize,
    ) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
        inbox::waiting_bundles(&*self.store, self.chain, after, limit).await
    }

    /// How many bundles wait in the inbox. Reads all their keys.
    pub async fn inbox_len(&self) -> Result<usize, Fault> {
        inbox::count(&*self.store, self.chain).await
    }

    /// The bundles in the inbox whose turn it is.
    pub async fn take_turns(
        &self,
        request: &TurnRequest<'_>,
        chooser: &mut dyn Chooser,
    ) -> Result<TakenTurns, Fault> {
        turns::take_turns(&*self.store, self.chain, request, chooser).await
    }

    /// The first bundle in the inbox from this sender.
    pub async fn first_bundle(&self, origin: ChainId) -> Result<Option<MessageBundle>, Fault> {
        inbox::first_from(&*self.store, self.chain, origin).await
    }

    /// Whose turn is next in the inbox.
    pub async fn turns(&self) -> Result<Turns, Fault> {
        waiting::read_turns(&*self.store, self.chain).await
    }

    /// What is remembered of a sender's bundles.
    pub async fn waiting(&self, origin: ChainId) -> Result<Option<Waiting>, Fault> {
        waiting::read_waiting(&*self.store, self.chain, origin).await
    }

    /// What is remembered of the bundles that were tried in vain, by sender, from behind one on. At most
    /// `limit`, and never more than [`MAX_INBOX_PAGE`](crate::MAX_INBOX_PAGE).
    pub async fn all_waiting(
        &self,
        after: Option<ChainId>,
        limit: usize,
    ) -> Result<Vec<(ChainId, Waiting)>, Fault> {
        waiting::list(&*self.store, self.chain, after, limit).await
    }

    /// The first bundles in the outbox, by destination and then by cursor, with their destinations; behind them
    /// those that are parked. At most `limit`, and never more than [`MAX_INBOX_PAGE`](crate::MAX_INBOX_PAGE).
    pub async fn outbox(&self, limit: usize) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
        let limit = limit.min(crate::MAX_INBOX_PAGE);
        let mut bundles = self.outbox_after(None, limit).await?;
        let rest = limit - bundles.len();
        bundles.extend(parked::list(&*self.store, self.chain, rest).await?);
        Ok(bundles)
    }

    /// The first bundles in the outbox behind this destination and cursor, without those that are parked. At
    /// most `limit`, never more than [`MAX_INBOX_PAGE`](crate::MAX_INBOX_PAGE), and fewer if they are large.
    pub async fn outbox_after(
        &self,
        after: Option<(ChainId, Cursor)>,
        limit: usize,
    ) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
        outbox::undelivered_bundles(&*self.store, self.chain, after, limit).await
    }

    /// How many bundles are parked: see [`park_bundles`](crate::park_bundles).
    pub async fn parked_len(&self) -> Result<u64, Fault> {
        parked::count(&*self.store, self.chain).await
    }
}

/// The tip, read on a block's thread.
pub(crate) fn read_tip(store: &dyn KeyValueStore, chain: ChainId) -> Result<ChainTip, Fault> {
    let record = resident_storage::wait(store.read(&records::tip_key(chain)))?;
    decode_tip(record.as_deref())
}

fn decode_tip(record: Option<&[u8]>) -> Result<ChainTip, Fault> {
    match record {
        Some(bytes) => records::decode("the end of the chain", bytes),
        None => Ok(ChainTip::default()),
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use resident_storage::{Batch, MemoryStore};

    use super::*;
    use crate::records::{encode, tests::chain, tip_key};

    #[test]
    fn an_unknown_chain_has_nothing() {
        let reader = ChainReader::new(Arc::new(MemoryStore::new()), chain(1));
        assert_eq!(block_on(reader.tip()).unwrap(), ChainTip::default());
        assert_eq!(
            block_on(reader.executed_block(BlockHeight(0))).unwrap(),
            None
        );
        assert_eq!(block_on(reader.inbox_bundles(9)).unwrap(), []);
        assert_eq!(block_on(reader.outbox(9)).unwrap(), []);
        assert_eq!(block_on(reader.inbox_len()).unwrap(), 0);
    }

    #[test]
    fn the_tip_comes_back_and_damage_is_a_fault() {
        let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::new());
        let tip = ChainTip {
            next_height: BlockHeight(3),
            block_hash: Some(CryptoHash::of_bytes(b"block")),
            timestamp: Timestamp::from(7),
        };
        let mut batch = Batch::new();
        batch.put(tip_key(chain(1)), encode(&tip));
        batch.put(tip_key(chain(2)), vec![1]);
        block_on(store.write(batch)).unwrap();
        assert_eq!(read_tip(&*store, chain(1)).unwrap(), tip);
        assert!(matches!(
            read_tip(&*store, chain(2)),
            Err(Fault::Damaged { .. })
        ));
        assert_eq!(read_tip(&*store, chain(3)).unwrap(), ChainTip::default());
    }
}
