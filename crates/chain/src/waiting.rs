//! What this node remembers of bundles that it tried in vain, and whose turn is next.
//!
//! These are the node's own records beside the state. They choose what is proposed, never what comes of it, so nodes
//! may differ in them. There is at most one for each sender with something in the inbox, and it goes with the bundle.

use resident_base::{BlobId, ChainId, EventId, Timestamp};
use resident_execution::{Fault, MissingData};
use resident_storage::{Batch, KeyValueStore};
use serde::{Deserialize, Serialize};

use crate::{Cursor, records};

/// The most senders that are remembered as passed over.
pub const MAX_PASSED_OVER: usize = 1024;

/// What a bundle waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitReason {
    /// A blob that is not in the store.
    Blob(BlobId),
    /// An event of another chain that is not in the store.
    Event(EventId),
    /// Machine code for this contract, which the node's engine does not make.
    Compiled(BlobId),
    /// It was sent at this time, which is too far ahead of this node's clock.
    Time(Timestamp),
    /// It failed for this reason and may not be rejected.
    Failure(String),
    /// It was not tried yet; the owner gave up on it.
    Nothing,
}

impl From<&MissingData> for WaitReason {
    fn from(missing: &MissingData) -> Self {
        match missing {
            MissingData::Blob(id) => Self::Blob(*id),
            MissingData::Event(id) => Self::Event(id.clone()),
            MissingData::Compiled { code, .. } => Self::Compiled(*code),
        }
    }
}

/// What is known of a sender's first waiting bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The bundle. The later ones of its sender wait with it.
    pub cursor: Cursor,
    /// What it waits for.
    pub reason: WaitReason,
    /// How many times it was tried in vain.
    pub tries: u32,
    /// When it was first tried, by the node's clock.
    pub since: Timestamp,
    /// The turn in which it is tried again.
    pub retry_at: u64,
    /// The owner gave up on the sender's bundles up to this one.
    pub given_up: Option<Cursor>,
}

/// Whose turn it is when a chain's inbox is next read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// The first sender to be asked; the others follow in the order of their ids, and around. Need not exist.
    pub next: Option<ChainId>,
    /// Senders of bundles for which a block had no room, with how many blocks that were. The first of them
    /// comes before everybody. At most [`MAX_PASSED_OVER`].
    pub passed_over: Vec<(ChainId, u32)>,
    /// Whether the last block was for a single one of these.
    pub was_alone: bool,
}

/// Adds what is known of a sender's bundle.
pub fn put_waiting(batch: &mut Batch, chain: ChainId, origin: ChainId, waiting: &Waiting) {
    let key = records::waiting_key(chain, origin);
    batch.put(key, records::encode(waiting));
}

/// Adds that nothing is known of a sender any more.
pub fn forget_waiting(batch: &mut Batch, chain: ChainId, origin: ChainId) {
    batch.delete(records::waiting_key(chain, origin));
}

/// Adds whose turn is next.
pub fn put_turns(batch: &mut Batch, chain: ChainId, turns: &Turns) {
    batch.put(records::turns_key(chain), records::encode(turns));
}

pub(crate) async fn read_turns(store: &dyn KeyValueStore, chain: ChainId) -> Result<Turns, Fault> {
    match store.read(&records::turns_key(chain)).await? {
        Some(record) => records::decode("whose turn is next", &record),
        None => Ok(Turns::default()),
    }
}

pub(crate) async fn read_waiting(
    store: &dyn KeyValueStore,
    chain: ChainId,
    origin: ChainId,
) -> Result<Option<Waiting>, Fault> {
    let record = store.read(&records::waiting_key(chain, origin)).await?;
    decode(record.as_deref())
}

pub(crate) async fn list(
    store: &dyn KeyValueStore,
    chain: ChainId,
    after: Option<ChainId>,
    limit: usize,
) -> Result<Vec<(ChainId, Waiting)>, Fault> {
    let prefix = records::waiting_prefix(chain);
    let after = after.map(|origin| records::waiting_key(chain, origin));
    let limit = limit.clamp(1, crate::MAX_INBOX_PAGE);
    let page = store.scan(&prefix, after.as_deref(), limit).await?;
    let entries = page.entries.iter();
    entries
        .map(|(key, record)| {
            let origin = records::only_chain(&key[prefix.len()..])?;
            Ok((origin, records::decode(WHAT, record)?))
        })
        .collect()
}

pub(crate) fn decode(record: Option<&[u8]>) -> Result<Option<Waiting>, Fault> {
    record.map(|bytes| records::decode(WHAT, bytes)).transpose()
}

const WHAT: &str = "what a bundle waits for";
