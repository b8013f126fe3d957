//! Which chains the node keeps: one empty record per chain, under a prefix of the node's own, written
//! in the same batch as what makes the chain known.

use resident_base::{BlobId, BlobType, ChainId, CryptoHash};
use resident_chain::BlockOutcome;
use resident_storage::{Batch, KeyValueStore};

use crate::error::NodeError;

/// No partition and no blob starts with this.
const PREFIX: &[u8] = b"\xffchains/";

/// Adds the record of a chain.
pub(crate) fn register(batch: &mut Batch, chain: ChainId) {
    batch.put(key(chain), Vec::new());
}

/// Adds the records of all chains that a block opened.
pub(crate) fn register_opened(batch: &mut Batch, outcome: &BlockOutcome) {
    let transactions = outcome.transactions.iter().chain([&outcome.finalization]);
    let blobs = transactions.flat_map(|transaction| &transaction.effects.blobs);
    for BlobId { blob_type, hash } in blobs {
        if *blob_type == BlobType::ChainDescription {
            register(batch, ChainId(*hash));
        }
    }
}

/// Whether the node keeps this chain.
pub(crate) async fn is_known(store: &dyn KeyValueStore, chain: ChainId) -> Result<bool, NodeError> {
    Ok(store.read(&key(chain)).await?.is_some())
}

/// At most `limit` chains in the order of their ids, beginning behind `after`.
pub(crate) async fn list(
    store: &dyn KeyValueStore,
    after: Option<ChainId>,
    limit: usize,
) -> Result<Vec<ChainId>, NodeError> {
    let after = after.map(key);
    let page = store
        .scan_keys(PREFIX, after.as_deref(), limit.max(1))
        .await?;
    page.entries.iter().map(|key| chain(key)).collect()
}

fn key(chain: ChainId) -> Vec<u8> {
    [PREFIX, chain.0.as_bytes()].concat()
}

fn chain(key: &[u8]) -> Result<ChainId, NodeError> {
    let hash = key
        .strip_prefix(PREFIX)
        .and_then(|hash| <[u8; 32]>::try_from(hash).ok());
    let hash = hash.ok_or(NodeError::DamagedRecord { what: "its chains" })?;
    Ok(ChainId(CryptoHash::from(hash)))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use resident_storage::MemoryStore;

    use super::*;

    #[test]
    fn chains_are_listed_page_by_page_in_order() {
        let store = MemoryStore::new();
        let mut chains: Vec<_> = (0..5u8)
            .map(|n| ChainId(CryptoHash::of_bytes(&[n])))
            .collect();
        let mut batch = Batch::new();
        chains.iter().for_each(|chain| register(&mut batch, *chain));
        block_on(store.write(batch)).unwrap();
        chains.sort();
        let first = block_on(list(&store, None, 2)).unwrap();
        assert_eq!(first, chains[..2]);
        let rest = block_on(list(&store, first.last().copied(), 10)).unwrap();
        assert_eq!(rest, chains[2..]);
        assert!(block_on(is_known(&store, chains[4])).unwrap());
        assert!(!block_on(is_known(&store, ChainId(CryptoHash::of_bytes(b"no")))).unwrap());
    }
}
