//! The state of one partition during one block.
//!
//! Three parts: [`ReadCache`] is the committed state as far as the block has seen it and there is room;
//! [`PendingWrites`] is what the block changed on top, with an undo log; [`SetHash`] is the hash of the
//! committed state, which a block's net changes carry forward.
//!
//! What the store holds for a partition, all keys starting with the partition's own bytes:
//!
//! | next byte | then | value |
//! |---|---|---|
//! | 0 | – | accumulator of the state hash, 2048 bytes; absent while the state is empty |
//! | 1 | key | a value of [`Namespace::System`] |
//! | 2 | application (32 bytes), key | a value of [`Namespace::Application`] |
//! | 128–255 | key | records of the node itself, see [`partition_key`]; neither hashed nor journaled |
//!
//! Only one journal at a time may be between [`open`](Journal::open) and the write of its batch for
//! one partition. No partition may be the beginning of another one's bytes.

mod cache;
mod error;
mod keys;
mod merge;
mod pending;
mod scan;
mod set_hash;

use std::sync::Arc;

use resident_base::CryptoHash;

pub use cache::Statistics;
pub use error::{JournalError, LimitExceeded, MAX_SCAN_BYTES, SCAN_ENTRY_OVERHEAD_BYTES};
pub use keys::{
    LocalTag, MAX_KEY_BYTES, MAX_PARTITION_BYTES, Namespace, partition_key, partition_state_key,
};
pub use pending::Mark;
pub use scan::{Scan, ScanCost};

use cache::ReadCache;
use error::ScanSize;
use keys::{accumulator_key, check_key, check_partition, state_key, stored_key};
use merge::merge;
use pending::PendingWrites;
use scan::Meter;
use set_hash::{ElementHasher, SetHash};

use crate::{
    batch::Batch,
    store::{KeyValueStore, MAX_VALUE_BYTES},
    wait,
};

/// A value of the state, cheap to clone.
pub type Value = Arc<[u8]>;

/// State of one partition, for one block, on that block's own thread.
///
/// Reads see the committed state below the block's own writes. Whatever was read, also that something is
/// absent, does not go to the store again as long as the cache of reads has room for it. Rolling back keeps
/// this cache, since it describes committed state, and undoes writes only.
pub struct Journal {
    cache: ReadCache,
    pending: PendingWrites,
    committed_hash: SetHash,
}

/// What a block leaves to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The net changes against the committed state, in key order, then the accumulator of the state
    /// hash. The same changes give the same batch, whatever the order of the writes. Node-local
    /// records may be added to it.
    pub batch: Batch,
    /// Hash of the whole content of the partition after this batch.
    pub state_hash: CryptoHash,
    /// Number of keys whose value differs from before the block.
    pub changes: usize,
    /// Bytes of keys (without the partition) and new values among those changes.
    pub changed_bytes: usize,
}

impl Journal {
    /// Starts a block on a partition's committed state.
    ///
    /// `partition` stands in front of every stored key; see the rules at the top of the module's
    /// source: of fixed length, or at least never the beginning of another partition.
    pub fn open(
        store: Arc<dyn KeyValueStore>,
        partition: impl Into<Vec<u8>>,
    ) -> Result<Self, JournalError> {
        let partition = partition.into();
        check_partition(&partition)?;
        let accumulator = wait(store.read(&accumulator_key(&partition)))?;
        let committed_hash = SetHash::decode(accumulator.as_deref())
            .map_err(|bytes| JournalError::DamagedAccumulator { bytes })?;
        let cache = ReadCache::new(store, partition);
        Ok(Self {
            cache,
            pending: PendingWrites::default(),
            committed_hash,
        })
    }

    /// The value of a key, or `None` if it is absent.
    pub fn read(
        &mut self,
        namespace: Namespace,
        key: &[u8],
    ) -> Result<Option<Value>, JournalError> {
        let key = checked_key(namespace, key)?;
        self.cache.make_room();
        match self.pending.get(&key) {
            Some(written) => Ok(written.cloned()),
            None => Ok(self.cache.value(&key)?),
        }
    }

    /// The values of several keys, in their order, asking the store at most once.
    pub fn read_many(
        &mut self,
        namespace: Namespace,
        keys: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Option<Value>>, JournalError> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| checked_key(namespace, key.as_ref()))
            .collect::<Result<_, _>>()?;
        self.cache.make_room();
        let unwritten = keys.iter().filter(|key| self.pending.get(key).is_none());
        self.cache.load(unwritten.map(Vec::as_slice))?;
        let current = |key| match self.pending.get(key) {
            Some(written) => written.cloned(),
            None => self.cache.loaded(key).cloned(),
        };
        Ok(keys.iter().map(|key| current(key.as_slice())).collect())
    }

    /// Whether a key has a value, which may be empty.
    pub fn contains(&mut self, namespace: Namespace, key: &[u8]) -> Result<bool, JournalError> {
        let key = checked_key(namespace, key)?;
        self.cache.make_room();
        match self.pending.get(&key) {
            Some(written) => Ok(written.is_some()),
            None => Ok(self.cache.contains(&key)?),
        }
    }

    /// Every key that starts with `prefix`, in key order, without the prefix.
    pub fn find_keys(
        &mut self,
        namespace: Namespace,
        prefix: &[u8],
    ) -> Result<Vec<Vec<u8>>, JournalError> {
        Ok(self.scan_keys(namespace, prefix, FREE)?.found)
    }

    /// As [`find_keys`](Self::find_keys), with the values.
    pub fn find_key_values(
        &mut self,
        namespace: Namespace,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Value)>, JournalError> {
        Ok(self.scan_key_values(namespace, prefix, FREE)?.found)
    }

    /// As [`find_keys`](Self::find_keys), for a caller that pays by what is walked over.
    pub fn scan_keys(
        &mut self,
        namespace: Namespace,
        prefix: &[u8],
        rates: ScanCost,
    ) -> Result<Scan<Vec<u8>>, JournalError> {
        let prefix = checked_key(namespace, prefix)?;
        self.cache.make_room();
        self.cache.know_keys(&prefix, &Meter::new(rates, false))?;
        let meter = Meter::new(rates, false);
        let found = self.walk(&prefix, &meter, |key, _| Ok(key.to_vec()))?;
        let cost = meter.cost();
        Ok(Scan { found, cost })
    }

    /// As [`find_key_values`](Self::find_key_values), for a caller that pays by what is walked over.
    pub fn scan_key_values(
        &mut self,
        namespace: Namespace,
        prefix: &[u8],
        rates: ScanCost,
    ) -> Result<Scan<(Vec<u8>, Value)>, JournalError> {
        let prefix = checked_key(namespace, prefix)?;
        self.cache.make_room();
        self.cache.know_values(&prefix, &Meter::new(rates, true))?;
        let meter = Meter::new(rates, true);
        let found = self.walk(&prefix, &meter, |key, value| {
            let value = value.ok_or(JournalError::Changed)?;
            Ok((key.to_vec(), value.clone()))
        })?;
        let cost = meter.cost();
        Ok(Scan { found, cost })
    }

    /// Sets a key's value.
    pub fn put(
        &mut self,
        namespace: Namespace,
        key: &[u8],
        value: impl Into<Value>,
    ) -> Result<(), JournalError> {
        let (key, value) = (checked_key(namespace, key)?, value.into());
        if value.len() > MAX_VALUE_BYTES {
            return Err(LimitExceeded::Value { bytes: value.len() }.into());
        }
        self.pending.set(key, Some(value));
        Ok(())
    }

    /// Removes a key; one that is absent stays absent.
    pub fn delete(&mut self, namespace: Namespace, key: &[u8]) -> Result<(), JournalError> {
        self.pending.set(checked_key(namespace, key)?, None);
        Ok(())
    }

    /// Removes every key that starts with `prefix` and returns how many there were. The keys are
    /// looked up, so this costs as much as finding them and has the same limit.
    pub fn delete_prefix(
        &mut self,
        namespace: Namespace,
        prefix: &[u8],
    ) -> Result<usize, JournalError> {
        let found = self.find_keys(namespace, prefix)?;
        for rest in &found {
            let key = state_key(namespace, &[prefix, rest].concat());
            self.pending.set(key, None);
        }
        Ok(found.len())
    }

    /// Remembers this point, to be returned to by [`roll_back`](Self::roll_back). Marks nest. As long
    /// as no mark is in force, writes keep no undo log.
    pub fn mark(&mut self) -> Mark {
        self.pending.mark()
    }

    /// Undoes every write since `mark`. The mark stays in force and may be returned to again; marks
    /// set after it are gone. The work is proportional to the keys changed since.
    ///
    /// A mark that is gone is a mistake of the caller, answered by [`JournalError::StaleMark`]
    /// without changing anything.
    pub fn roll_back(&mut self, mark: Mark) -> Result<(), JournalError> {
        self.pending.roll_back(mark)
    }

    /// Forgets `mark` and those set after it, and keeps the writes.
    pub fn release(&mut self, mark: Mark) -> Result<(), JournalError> {
        self.pending.release(mark)
    }

    /// Hash of the content as it is now, with the block's writes. Depends on the content only. The
    /// work is proportional to the number of keys the block changed.
    pub fn state_hash(&mut self) -> Result<CryptoHash, JournalError> {
        self.load_replaced()?;
        Ok(self.hash_with(&self.net_changes()).state_hash())
    }

    /// Ends the block. Write the batch before opening the partition's next journal.
    pub fn finish(mut self) -> Result<Finished, JournalError> {
        self.load_replaced()?;
        let changes = self.net_changes();
        let hash = self.hash_with(&changes);
        let mut batch = self.state_batch(&changes);
        self.put_accumulator(&hash, &mut batch);
        Ok(Finished {
            batch,
            state_hash: hash.state_hash(),
            changes: changes.len(),
            changed_bytes: changes.iter().map(Change::size_bytes).sum(),
        })
    }

    /// About the memory that the block's writes take, in bytes, until they are in the store. It follows from
    /// what they are, so it is the same wherever the block is run. What else a journal keeps is a cache of
    /// bounded size.
    pub fn written_bytes(&self) -> u64 {
        self.pending.size_bytes()
    }

    /// Whether the block has written a key, or deleted it.
    pub fn is_written(&self, namespace: Namespace, key: &[u8]) -> bool {
        self.pending.get(&state_key(namespace, key)).is_some()
    }

    /// How often the block had to ask the store so far.
    pub fn statistics(&self) -> Statistics {
        self.cache.statistics()
    }

    /// The hash covers old values too: those that the block replaced without reading them.
    fn load_replaced(&mut self) -> Result<(), JournalError> {
        let Self { cache, pending, .. } = self;
        Ok(cache.load(pending.iter().map(|(key, _)| key))?)
    }

    /// What exists under a prefix that the cache knows all about. `entry` gets keys without the prefix.
    fn walk<T>(
        &self,
        prefix: &[u8],
        meter: &Meter,
        entry: impl Fn(&[u8], Option<&Value>) -> Result<T, JournalError>,
    ) -> Result<Vec<T>, JournalError> {
        let committed = self.cache.present(prefix).inspect(|found| meter.add(found));
        let written = self
            .pending
            .values(prefix)
            .inspect(|found| meter.add(found));
        let (mut size, mut entries) = (ScanSize::default(), Vec::new());
        for (key, value) in merge(committed, written) {
            meter.check()?;
            if self.pending.is_deleted(key) {
                continue;
            }
            size.add(
                key,
                if meter.with_values() {
                    value.map_or(0, |value| value.len())
                } else {
                    0
                },
            )?;
            entries.push(entry(&key[prefix.len()..], value)?);
        }
        meter.check()?;
        Ok(entries)
    }

    /// In key order.
    fn net_changes(&self) -> Vec<Change<'_>> {
        self.pending
            .iter()
            .map(|(key, new)| Change {
                key,
                old: self.cache.loaded(key),
                new,
            })
            .filter(|change| change.old != change.new)
            .collect()
    }

    fn hash_with(&self, changes: &[Change<'_>]) -> SetHash {
        let mut hash = self.committed_hash.clone();
        let mut hasher = ElementHasher::default();
        for Change { key, old, new } in changes {
            if let Some(old) = old {
                hash.remove(hasher.vector(key, old));
            }
            if let Some(new) = new {
                hash.add(hasher.vector(key, new));
            }
        }
        hash
    }

    fn state_batch(&self, changes: &[Change<'_>]) -> Batch {
        let mut batch = Batch::new();
        for change in changes {
            let key = stored_key(self.cache.partition(), change.key);
            match change.new {
                Some(value) => batch.put(key, value.to_vec()),
                None => batch.delete(key),
            }
        }
        batch
    }

    fn put_accumulator(&self, hash: &SetHash, batch: &mut Batch) {
        let key = accumulator_key(self.cache.partition());
        match hash.encode() {
            _ if *hash == self.committed_hash => {}
            Some(accumulator) => batch.put(key, accumulator),
            None => batch.delete(key),
        }
    }
}

/// A key whose value differs from the committed one.
struct Change<'a> {
    key: &'a [u8],
    old: Option<&'a Value>,
    new: Option<&'a Value>,
}

impl Change<'_> {
    fn size_bytes(&self) -> usize {
        self.key.len() + self.new.map_or(0, |value| value.len())
    }
}

/// For callers that do not count.
const FREE: ScanCost = ScanCost {
    entry: 0,
    byte: 0,
    limit: u64::MAX,
};

fn checked_key(namespace: Namespace, key: &[u8]) -> Result<Vec<u8>, LimitExceeded> {
    check_key(key)?;
    Ok(state_key(namespace, key))
}
