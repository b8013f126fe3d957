//! Bundles for chains that this node does not keep.
//!
//! Anybody can make a chain send to chains that do not exist. Such bundles leave the way of those that can be
//! delivered: they are moved aside once, with all others for the same destination, and come back when the node gets
//! to know it. Who has parked something for a chain is for the node to remember.

use resident_base::ChainId;
use resident_execution::Fault;
use resident_storage::{Batch, KeyValueStore};

use crate::{MessageBundle, inbox, records};

/// The most bundles that are parked, or come back, in one batch.
pub const MAX_PARKED_PAGE: usize = 1024;

/// Moves the first bundles for a destination out of the way. An empty batch says that there are none. Until it is
/// written, nobody else may park bundles of that chain, or bring them back.
///
/// # Errors
/// If the store fails.
pub async fn park_bundles(
    store: &dyn KeyValueStore,
    chain: ChainId,
    destination: ChainId,
) -> Result<Batch, Fault> {
    let from = (records::outbox_prefix(chain), destination);
    let to = records::parked_prefix(chain);
    let (mut batch, moved) = move_page(store, from, &to).await?;
    if moved > 0 {
        let count = count(store, chain).await?.saturating_add(moved);
        batch.put(records::parked_count_key(chain), records::encode(&count));
    }
    Ok(batch)
}

/// Moves the first parked bundles for a destination back into the outbox. An empty batch says that there are none.
/// Until it is written, nobody else may park bundles of that chain, or bring them back.
///
/// # Errors
/// If the store fails.
pub async fn unpark_bundles(
    store: &dyn KeyValueStore,
    chain: ChainId,
    destination: ChainId,
) -> Result<Batch, Fault> {
    let from = (records::parked_prefix(chain), destination);
    let to = records::outbox_prefix(chain);
    let (mut batch, moved) = move_page(store, from, &to).await?;
    if moved > 0 {
        let count = count(store, chain).await?.saturating_sub(moved);
        batch.put(records::parked_count_key(chain), records::encode(&count));
    }
    Ok(batch)
}

/// How many bundles of a chain are parked.
pub(crate) async fn count(store: &dyn KeyValueStore, chain: ChainId) -> Result<u64, Fault> {
    match store.read(&records::parked_count_key(chain)).await? {
        Some(record) => records::decode("the number of parked bundles", &record),
        None => Ok(0),
    }
}

pub(crate) async fn list(
    store: &dyn KeyValueStore,
    chain: ChainId,
    limit: usize,
) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
    inbox::scan_bundles(store, &records::parked_prefix(chain), None, limit).await
}

async fn move_page(
    store: &dyn KeyValueStore,
    (from, destination): (Vec<u8>, ChainId),
    to: &[u8],
) -> Result<(Batch, u64), Fault> {
    let prefix = [from.as_slice(), destination.0.as_bytes()].concat();
    let page = store.scan(&prefix, None, MAX_PARKED_PAGE).await?;
    let (mut batch, mut moved) = (Batch::new(), 0);
    for (key, record) in page.entries {
        batch.put([to, &key[from.len()..]].concat(), record);
        batch.delete(key);
        moved += 1;
    }
    Ok((batch, moved))
}
