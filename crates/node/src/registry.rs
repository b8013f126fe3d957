//! Which chains the node keeps: one empty record per chain, under a prefix of the node's own, written
//! in the same batch as what makes the chain known.
//!
//! Under another prefix stands who has parked bundles for a chain that the node did not keep when they were sent.

use resident_base::{BlobType, ChainId, CryptoHash};
use resident_chain::BlockOutcome;
use resident_storage::{Batch, KeyValueStore};

use crate::error::NodeError;

/// No partition and no blob starts with this.
const PREFIX: &[u8] = b"\xffchains/";

/// By destination, then by sender.
const PARKED_PREFIX: &[u8] = b"\xffparked/";

/// Adds the record of a chain.
pub(crate) fn register(batch: &mut Batch, chain: ChainId) {
    batch.put(key(chain), Vec::new());
}

/// Adds that `origin` has parked bundles for a chain.
pub(crate) fn put_parked(batch: &mut Batch, destination: ChainId, origin: ChainId) {
    batch.put(parked_key(destination, origin), Vec::new());
}

/// Adds that `origin` has no more parked bundles for a chain.
pub(crate) fn remove_parked(batch: &mut Batch, destination: ChainId, origin: ChainId) {
    batch.delete(parked_key(destination, origin));
}

/// A chain that has parked bundles for this one.
pub(crate) async fn first_parked(
    store: &dyn KeyValueStore,
    destination: ChainId,
) -> Result<Option<ChainId>, NodeError> {
    let prefix = [PARKED_PREFIX, destination.0.as_bytes()].concat();
    let page = store.scan_keys(&prefix, None, 1).await?;
    let key = page.entries.first();
    key.map(|key| chain_behind(&prefix, key)).transpose()
}

/// The first chain behind this one for which something is parked.
pub(crate) async fn next_awaited(
    store: &dyn KeyValueStore,
    after: Option<ChainId>,
) -> Result<Option<ChainId>, NodeError> {
    // Longer than any key of that destination that there can be.
    let after = after.map(|chain| [PARKED_PREFIX, chain.0.as_bytes(), &[u8::MAX; 33]].concat());
    let page = store.scan_keys(PARKED_PREFIX, after.as_deref(), 1).await?;
    let key = page.entries.first();
    key.map(|key| {
        chain_behind(
            PARKED_PREFIX,
            &key[..key.len().min(PARKED_PREFIX.len() + 32)],
        )
    })
    .transpose()
}

fn parked_key(destination: ChainId, origin: ChainId) -> Vec<u8> {
    [PARKED_PREFIX, destination.0.as_bytes(), origin.0.as_bytes()].concat()
}

/// The chains that a block opened.
pub(crate) fn opened(outcome: &BlockOutcome) -> Vec<ChainId> {
    let transactions = outcome.transactions.iter().chain([&outcome.finalization]);
    let blobs = transactions.flat_map(|transaction| &transaction.effects.blobs);
    let descriptions = blobs.filter(|id| id.blob_type == BlobType::ChainDescription);
    descriptions.map(|id| ChainId(id.hash)).collect()
}

/// What a destination is to a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The node does not keep it.
    Unknown,
    /// It became known, and bundles of the sender are still parked for it.
    Awaited,
    /// The node keeps it, and nothing of the sender is parked for it.
    Known,
}

pub(crate) async fn standing(
    store: &dyn KeyValueStore,
    destination: ChainId,
    origin: ChainId,
) -> Result<Standing, NodeError> {
    let keys = vec![key(destination), parked_key(destination, origin)];
    let found = store.read_many(keys).await?;
    let found: Vec<_> = found.iter().map(Option::is_some).collect();
    Ok(match found[..] {
        [true, false] => Standing::Known,
        [true, true] => Standing::Awaited,
        _ => Standing::Unknown,
    })
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
    chain_behind(PREFIX, key)
}

fn chain_behind(prefix: &[u8], key: &[u8]) -> Result<ChainId, NodeError> {
    let hash = key
        .strip_prefix(prefix)
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
