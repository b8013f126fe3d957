//! What a chain keeps besides its state.

use std::sync::Arc;

use resident_base::{BlockHeight, ChainId, CryptoHash, Timestamp};
use resident_execution::Fault;
use resident_storage::KeyValueStore;
use serde::{Deserialize, Serialize};

use crate::{ExecutedBlock, MessageBundle, inbox, outbox, records};

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

    /// The first bundles in the outbox, by destination and then by cursor, with their destinations. At
    /// most `limit`, and never more than [`MAX_INBOX_PAGE`](crate::MAX_INBOX_PAGE).
    pub async fn outbox(&self, limit: usize) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
        outbox::undelivered_bundles(&*self.store, self.chain, limit).await
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
