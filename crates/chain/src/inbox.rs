//! Bundles that have arrived and wait for a block.
//!
//! The inbox is the node's own business: a block may take a bundle that has not arrived here yet. What the
//! chain itself remembers, in its hashed state, is the cursor of the last bundle taken from each sender.

use std::collections::BTreeMap;

use resident_base::{BlockHeight, ChainId};
use resident_execution::Fault;
use resident_storage::{Batch, KeyValueStore, MAX_VALUE_BYTES};

use crate::{Cursor, IncomingBundle, MessageBundle, records};

/// The most bundles that one call answers with.
pub const MAX_INBOX_PAGE: usize = 16_384;

/// Why bundles were not taken into an inbox.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The bundles are not in the order in which they were sent.
    #[error("bundles from chain {origin} arrived out of order: {second} after {first}")]
    OutOfOrder {
        /// The sender.
        origin: ChainId,
        /// The cursor of a bundle.
        first: Cursor,
        /// The cursor of the bundle after it, which is not larger.
        second: Cursor,
    },
    /// A bundle is larger than any block could have made it.
    #[error(
        "the bundle of {cursor} from chain {origin} has {bytes} bytes, more than a record takes"
    )]
    TooLarge {
        /// The sender.
        origin: ChainId,
        /// The bundle.
        cursor: Cursor,
        /// Its encoded size.
        bytes: usize,
    },
    /// This node cannot go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Takes bundles of one sender, in the order in which they were sent, into a chain's inbox.
///
/// Bundles that arrived before are skipped, so delivering twice is harmless. Nothing happens before the
/// batch is written; until then nobody else may receive bundles of that sender for that chain.
///
/// # Errors
/// If the bundles are out of order or too large, or the store fails.
pub async fn receive_bundles(
    store: &dyn KeyValueStore,
    chain: ChainId,
    origin: ChainId,
    bundles: Vec<MessageBundle>,
) -> Result<Batch, ReceiveError> {
    check_order(origin, &bundles)?;
    let mut batch = Batch::new();
    let floor = last_known(store, chain, origin).await?;
    let is_new = |bundle: &MessageBundle| floor.is_none_or(|floor| bundle.cursor() > floor);
    let new: Vec<_> = bundles.into_iter().filter(is_new).collect();
    for bundle in &new {
        let (cursor, record) = (bundle.cursor(), records::encode(bundle));
        if record.len() > MAX_VALUE_BYTES {
            return Err(ReceiveError::TooLarge {
                origin,
                cursor,
                bytes: record.len(),
            });
        }
        batch.put(records::inbox_key(chain, origin, cursor), record);
    }
    if let Some(last) = new.last() {
        batch.put(
            records::received_key(chain, origin),
            records::encode(&last.cursor()),
        );
    }
    Ok(batch)
}

/// Adds to a block's batch that these bundles have left the inbox, if they were there.
pub(crate) fn remove_consumed<'a>(
    batch: &mut Batch,
    chain: ChainId,
    bundles: impl Iterator<Item = &'a IncomingBundle>,
) {
    let mut last = BTreeMap::new();
    for incoming in bundles {
        let cursor = incoming.bundle.cursor();
        batch.delete(records::inbox_key(chain, incoming.origin, cursor));
        last.insert(incoming.origin, cursor);
    }
    for (origin, cursor) in last {
        batch.put(
            records::consumed_local_key(chain, origin),
            records::encode(&cursor),
        );
    }
}

pub(crate) async fn waiting_bundles(
    store: &dyn KeyValueStore,
    chain: ChainId,
    after: Option<ChainId>,
    limit: usize,
) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
    let prefix = records::inbox_prefix(chain);
    let last = Cursor {
        height: BlockHeight(u64::MAX),
        index: u32::MAX,
    };
    let mut after = after.map(|origin| records::inbox_key(chain, origin, last));
    let mut consumed = BTreeMap::new();
    loop {
        let page = scan_bundles(store, &prefix, after, limit).await?;
        let Some((origin, bundle)) = page.last() else {
            return Ok(Vec::new());
        };
        after = Some(records::inbox_key(chain, *origin, bundle.cursor()));
        for (origin, _) in &page {
            if !consumed.contains_key(origin) {
                let key = records::consumed_local_key(chain, *origin);
                consumed.insert(*origin, read_cursor(store, key).await?);
            }
        }
        // A bundle that arrived while a block was taking it stays behind; no block can take it again.
        let is_open = |(origin, bundle): &(ChainId, MessageBundle)| {
            consumed[origin].is_none_or(|consumed| bundle.cursor() > consumed)
        };
        let open: Vec<_> = page.into_iter().filter(is_open).collect();
        if !open.is_empty() {
            return Ok(open);
        }
    }
}

/// How many bundles wait. One that a block took before it arrived here does not.
pub(crate) async fn count(store: &dyn KeyValueStore, chain: ChainId) -> Result<usize, Fault> {
    let prefix = records::inbox_prefix(chain);
    let (mut count, mut start_after) = (0, None::<Vec<u8>>);
    let mut sender = None;
    loop {
        let page = store
            .scan_keys(&prefix, start_after.as_deref(), MAX_INBOX_PAGE)
            .await?;
        for key in &page.entries {
            let (origin, cursor) = records::position(&key[prefix.len()..])?;
            let consumed = match sender {
                Some((last, consumed)) if last == origin => consumed,
                _ => read_cursor(store, records::consumed_local_key(chain, origin)).await?,
            };
            sender = Some((origin, consumed));
            count += usize::from(consumed.is_none_or(|consumed| cursor > consumed));
        }
        start_after = page.entries.into_iter().next_back();
        if page.is_last || start_after.is_none() {
            return Ok(count);
        }
    }
}

/// The first bundle of a sender that no block has taken.
pub(crate) async fn first_from(
    store: &dyn KeyValueStore,
    chain: ChainId,
    origin: ChainId,
) -> Result<Option<MessageBundle>, Fault> {
    let consumed = read_cursor(store, records::consumed_local_key(chain, origin)).await?;
    let after = consumed.map(|cursor| records::inbox_key(chain, origin, cursor));
    let prefix = records::inbox_prefix_from(chain, origin);
    let page = store.scan(&prefix, after.as_deref(), 1).await?;
    let record = page.entries.into_iter().next();
    record
        .map(|(_, record)| records::decode("a waiting bundle", &record))
        .transpose()
}

/// About how many bytes of bundles are read at once. A block takes no more than
/// [`MAX_BLOCK_BYTES`](crate::MAX_BLOCK_BYTES) of them anyway.
const MAX_INBOX_PAGE_BYTES: usize = 64 << 20;

/// The first bundles under the prefix of an inbox or an outbox, with the other chain of each, from behind
/// a key on.
pub(crate) async fn scan_bundles(
    store: &dyn KeyValueStore,
    prefix: &[u8],
    mut start_after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
    let limit = limit.min(MAX_INBOX_PAGE);
    let (mut bundles, mut bytes) = (Vec::new(), 0);
    while bundles.len() < limit && bytes < MAX_INBOX_PAGE_BYTES {
        let page = store
            .scan(prefix, start_after.as_deref(), limit - bundles.len())
            .await?;
        for (key, record) in &page.entries {
            bytes += record.len();
            let other = records::other_chain(&key[prefix.len()..])?;
            bundles.push((other, records::decode("a waiting bundle", record)?));
        }
        start_after = page.entries.into_iter().next_back().map(|(key, _)| key);
        if page.is_last || start_after.is_none() {
            break;
        }
    }
    Ok(bundles)
}

fn check_order(origin: ChainId, bundles: &[MessageBundle]) -> Result<(), ReceiveError> {
    for pair in bundles.windows(2) {
        let (first, second) = (pair[0].cursor(), pair[1].cursor());
        if second <= first {
            return Err(ReceiveError::OutOfOrder {
                origin,
                first,
                second,
            });
        }
    }
    Ok(())
}

/// The last bundle of a sender that arrived, or that a block took without its having arrived.
async fn last_known(
    store: &dyn KeyValueStore,
    chain: ChainId,
    origin: ChainId,
) -> Result<Option<Cursor>, Fault> {
    let received = read_cursor(store, records::received_key(chain, origin)).await?;
    let consumed = read_cursor(store, records::consumed_local_key(chain, origin)).await?;
    Ok(received.max(consumed))
}

async fn read_cursor(store: &dyn KeyValueStore, key: Vec<u8>) -> Result<Option<Cursor>, Fault> {
    decode_cursor(store.read(&key).await?.as_deref())
}

pub(crate) fn decode_cursor(record: Option<&[u8]>) -> Result<Option<Cursor>, Fault> {
    record
        .map(|bytes| records::decode("a cursor", bytes))
        .transpose()
}

#[cfg(test)]
pub(crate) mod tests {
    use futures::executor::block_on;
    use resident_base::{Amount, ApplicationId, CryptoHash};
    use resident_execution::{Message, MessageKind};
    use resident_storage::MemoryStore;

    use super::*;
    use crate::{
        MessageAction, PostedMessage,
        records::tests::{bundle, chain},
    };

    fn receive(store: &MemoryStore, origin: u8, bundles: Vec<MessageBundle>) -> usize {
        let batch = block_on(receive_bundles(store, chain(1), chain(origin), bundles)).unwrap();
        let len = batch.len();
        block_on(store.write(batch)).unwrap();
        len
    }

    fn waiting(store: &MemoryStore) -> Vec<(ChainId, MessageBundle)> {
        block_on(waiting_bundles(store, chain(1), None, 100)).unwrap()
    }

    fn consume(store: &MemoryStore, origin: u8, bundle: MessageBundle) {
        let action = MessageAction::Accept;
        let incoming = IncomingBundle {
            origin: chain(origin),
            bundle,
            action,
        };
        let mut batch = Batch::new();
        remove_consumed(&mut batch, chain(1), [&incoming].into_iter());
        block_on(store.write(batch)).unwrap();
    }

    #[test]
    fn bundles_wait_in_the_order_of_their_senders_and_cursors() {
        let store = MemoryStore::new();
        receive(&store, 3, vec![bundle(1, 0), bundle(1, 300)]);
        receive(&store, 2, vec![bundle(256, 0)]);
        receive(&store, 3, vec![bundle(2, 0)]);
        let expected = [(2, 256, 0), (3, 1, 0), (3, 1, 300), (3, 2, 0)]
            .map(|(origin, height, index)| (chain(origin), bundle(height, index)));
        assert_eq!(waiting(&store), expected);
        assert_eq!(block_on(count(&store, chain(1))).unwrap(), 4);
        assert_eq!(
            block_on(waiting_bundles(&store, chain(1), None, 2)).unwrap(),
            expected[..2]
        );
        assert_eq!(
            block_on(waiting_bundles(&store, chain(2), None, 2)).unwrap(),
            []
        );
    }

    #[test]
    fn delivering_again_changes_nothing() {
        let store = MemoryStore::new();
        assert_eq!(receive(&store, 2, vec![bundle(1, 0), bundle(2, 0)]), 3);
        assert_eq!(receive(&store, 2, vec![bundle(1, 0), bundle(2, 0)]), 0);
        consume(&store, 2, bundle(1, 0));
        assert_eq!(
            receive(&store, 2, vec![bundle(1, 0), bundle(2, 0), bundle(3, 0)]),
            2
        );
        assert_eq!(
            waiting(&store),
            [(chain(2), bundle(2, 0)), (chain(2), bundle(3, 0))]
        );
    }

    #[test]
    fn a_bundle_taken_before_it_arrived_does_not_wait() {
        let store = MemoryStore::new();
        consume(&store, 2, bundle(2, 0));
        assert_eq!(receive(&store, 2, vec![bundle(1, 0), bundle(2, 0)]), 0);
        assert_eq!(waiting(&store), []);
        // Now the batch that received it is written after the block that took it.
        let late = block_on(receive_bundles(
            &store,
            chain(1),
            chain(2),
            vec![bundle(3, 0)],
        ))
        .unwrap();
        consume(&store, 2, bundle(3, 0));
        block_on(store.write(late)).unwrap();
        assert_eq!(waiting(&store), []);
    }

    /// A page used to be bounded by the number of bundles only: thousands of large ones would be in memory
    /// at once, whatever a block can take of them.
    #[test]
    fn a_page_of_bundles_is_bounded_by_their_bytes() {
        let store = MemoryStore::new();
        let large = |height| MessageBundle {
            messages: vec![large_message(10 << 20)],
            ..bundle(height, 0)
        };
        let count = 9;
        for height in 1..=count {
            receive(&store, 2, vec![large(height)]);
        }
        let first = waiting(&store);
        let most = MAX_INBOX_PAGE_BYTES / (10 << 20) + 1;
        assert!((1..=most).contains(&first.len()), "{} bundles", first.len());
        assert_eq!(
            block_on(super::count(&store, chain(1))).unwrap(),
            count as usize
        );
        // What was left out comes once the others are gone.
        for (_, bundle) in first.iter().cloned() {
            consume(&store, 2, bundle);
        }
        assert_eq!(waiting(&store).len(), count as usize - first.len());
    }

    pub(crate) fn large_message(bytes: usize) -> PostedMessage {
        PostedMessage {
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            index: 0,
            kind: MessageKind::Simple,
            message: Message::User {
                application_id: ApplicationId::new(CryptoHash::of_bytes(b"somebody")),
                bytes: vec![7; bytes],
            },
        }
    }

    #[test]
    fn bundles_out_of_order_are_refused() {
        let store = MemoryStore::new();
        for bundles in [
            vec![bundle(2, 0), bundle(1, 0)],
            vec![bundle(1, 0), bundle(1, 0)],
        ] {
            let result = block_on(receive_bundles(&store, chain(1), chain(2), bundles));
            assert!(
                matches!(result, Err(ReceiveError::OutOfOrder { .. })),
                "{result:?}"
            );
        }
    }
}
