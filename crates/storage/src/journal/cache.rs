//! The committed state, as far as the block has seen it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::Bound,
    sync::Arc,
};

use super::{
    Value,
    error::{JournalError, ScanSize},
    keys::stored_key,
    merge::Found,
    scan::Meter,
};
use crate::{
    page::Page,
    store::{KeyValueStore, StoreError},
    wait,
};

/// Keys in one request to the store.
const LOAD_KEYS: usize = 64;

/// Entries in one page of a scan.
const PAGE_ENTRIES: usize = 1024;

/// What the cache may grow to, in bytes, before it is emptied. A single scan or read may exceed it.
const MAX_CACHE_BYTES: usize = 64 << 20;

/// What an entry of the cache takes besides the bytes of its key and value.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// Absent keys that are longer are asked for again each time: remembering them takes longer than asking.
const MAX_ABSENT_KEY_BYTES: usize = 256;

/// How often a block went to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Questions about committed state that the cache answered, also those that the state hash
    /// asks about replaced values. Reads of the block's own writes are not counted.
    pub hits: u64,
    /// Requests to the store: reads of one or more keys, and pages of scans.
    pub misses: u64,
    /// Bytes of keys and values that the store returned.
    pub store_bytes: u64,
}

/// A stored key, and its value if the scan asked for values.
type Scanned = (Vec<u8>, Option<Vec<u8>>);

/// The committed state as far as it is known.
///
/// It holds no more than [`MAX_CACHE_BYTES`] at the beginning of a request, whatever transactions have read that
/// were undone since. What it forgets is asked for again, so nothing but time depends on it.
pub(super) struct ReadCache {
    store: Arc<dyn KeyValueStore>,
    partition: Vec<u8>,
    /// Keys that exist, with their values as far as those have been read.
    present: BTreeMap<Vec<u8>, Option<Value>>,
    /// Keys that do not. They are kept apart so that no scan walks over them.
    absent: HashSet<Vec<u8>>,
    /// Prefixes under which every existing key is in `present`. None is the beginning of another:
    /// ranges of prefixes are nested or apart, so the widest of each nest is enough.
    known: BTreeSet<Vec<u8>>,
    /// About the memory that these take.
    size_bytes: usize,
    statistics: Statistics,
}

impl ReadCache {
    pub(super) fn new(store: Arc<dyn KeyValueStore>, partition: Vec<u8>) -> Self {
        Self {
            store,
            partition,
            present: BTreeMap::new(),
            absent: HashSet::new(),
            known: BTreeSet::new(),
            size_bytes: 0,
            statistics: Statistics::default(),
        }
    }

    /// Forgets everything if it has become too much. Never called between learning and using what was learned.
    pub(super) fn make_room(&mut self) {
        if self.size_bytes > MAX_CACHE_BYTES {
            self.present.clear();
            self.absent = HashSet::new();
            self.known.clear();
            self.size_bytes = 0;
        }
    }

    pub(super) fn partition(&self) -> &[u8] {
        &self.partition
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.statistics
    }

    pub(super) fn value(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let known = match self.present.get(key) {
            Some(Some(value)) => Some(Some(value.clone())),
            Some(None) => None,
            None => self.is_known_absent(key).then_some(None),
        };
        match known {
            Some(value) => {
                self.statistics.hits += 1;
                Ok(value)
            }
            None => self.ask(key),
        }
    }

    pub(super) fn contains(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        if matches!(self.present.get(key), Some(None)) {
            self.statistics.hits += 1;
            return Ok(true);
        }
        Ok(self.value(key)?.is_some())
    }

    /// Makes [`loaded`](Self::loaded) right for these keys.
    pub(super) fn load<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), StoreError> {
        let mut missing = Vec::new();
        for key in keys {
            match self.is_settled(key) {
                true => self.statistics.hits += 1,
                false => missing.push(key),
            }
        }
        missing
            .chunks(LOAD_KEYS)
            .try_for_each(|chunk| self.ask_many(chunk))
    }

    /// The committed value of a key that [`load`](Self::load) was called for.
    pub(super) fn loaded(&self, key: &[u8]) -> Option<&Value> {
        self.present.get(key).and_then(Option::as_ref)
    }

    /// Makes [`present`](Self::present) complete for a prefix, unless that is too much or costs too much: the
    /// same whether the store has to be asked or not.
    pub(super) fn know_keys(&mut self, prefix: &[u8], meter: &Meter) -> Result<(), JournalError> {
        if !self.is_known(prefix) {
            return self.scan(prefix, meter);
        }
        self.statistics.hits += 1;
        self.count_known(prefix, meter).map(drop)
    }

    /// As [`know_keys`](Self::know_keys), with all values.
    pub(super) fn know_values(&mut self, prefix: &[u8], meter: &Meter) -> Result<(), JournalError> {
        if !self.is_known(prefix) || !self.count_known(prefix, meter)? {
            meter.reset();
            return self.scan(prefix, meter);
        }
        self.statistics.hits += 1;
        Ok(())
    }

    /// Counts what is known under a prefix as a scan of the store would, unless a value is asked for that has
    /// not been read: then the answer is no.
    fn count_known(&self, prefix: &[u8], meter: &Meter) -> Result<bool, JournalError> {
        let mut size = ScanSize::default();
        for (key, value) in self.present(prefix) {
            let value_bytes = match (meter.with_values(), value) {
                (false, _) => 0,
                (true, Some(value)) => value.len(),
                (true, None) => return Ok(false),
            };
            meter.add_bytes(key.len(), value_bytes);
            meter.check()?;
            size.add(key, value_bytes)?;
        }
        Ok(true)
    }

    /// Entries under a prefix that are known to exist, in key order.
    pub(super) fn present(&self, prefix: &[u8]) -> impl Iterator<Item = Found<'_>> {
        self.present
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_slice(), value.as_ref()))
    }

    /// Whether the value, or that there is none, is known.
    fn is_settled(&self, key: &[u8]) -> bool {
        match self.present.get(key) {
            Some(value) => value.is_some(),
            None => self.is_known_absent(key),
        }
    }

    /// Whether a key that is not in `present` is known not to exist.
    fn is_known_absent(&self, key: &[u8]) -> bool {
        self.absent.contains(key) || self.is_known(key)
    }

    /// Whether all of a prefix is known. No known prefix is the beginning of another, so the greatest
    /// one that is not above this prefix is the only candidate.
    fn is_known(&self, prefix: &[u8]) -> bool {
        self.known
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(prefix)))
            .next_back()
            .is_some_and(|known| prefix.starts_with(known))
    }

    fn remember(&mut self, prefix: &[u8]) {
        if self.is_known(prefix) {
            return;
        }
        let within: Vec<_> = self
            .known
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|known| known.starts_with(prefix))
            .cloned()
            .collect();
        for known in &within {
            self.known.remove(known);
        }
        self.size_bytes += prefix.len() + ENTRY_OVERHEAD_BYTES;
        self.known.insert(prefix.to_vec());
    }

    fn ask(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let value = wait(self.store.read(&stored_key(&self.partition, key)))?.map(Value::from);
        self.count_miss(value.as_ref().map_or(0, |value| value.len()));
        self.learn(key, value.clone());
        Ok(value)
    }

    fn ask_many(&mut self, keys: &[&[u8]]) -> Result<(), StoreError> {
        let stored_keys = keys
            .iter()
            .map(|key| stored_key(&self.partition, key))
            .collect();
        let values = wait(self.store.read_many(stored_keys))?;
        self.count_miss(values.iter().flatten().map(Vec::len).sum());
        for (key, value) in keys.iter().zip(values) {
            self.learn(key, value.map(Value::from));
        }
        Ok(())
    }

    /// Learns every key under a prefix. If there is too much, what was learned until then stays, as
    /// facts about single keys.
    fn scan(&mut self, prefix: &[u8], meter: &Meter) -> Result<(), JournalError> {
        let with_values = meter.with_values();
        let stored_prefix = stored_key(&self.partition, prefix);
        let mut size = ScanSize::default();
        let mut start_after = None;
        loop {
            let page = self.ask_page(&stored_prefix, start_after.as_deref(), with_values)?;
            start_after = page.entries.last().map(|(key, _)| key.clone());
            for (stored_key, value) in page.entries {
                let key = &stored_key[self.partition.len()..];
                let value_bytes = value.as_ref().map_or(0, Vec::len);
                meter.add_bytes(key.len(), value_bytes);
                meter.check()?;
                size.add(key, value_bytes)?;
                self.learn_present(key, value);
            }
            if page.is_last || start_after.is_none() {
                self.remember(prefix);
                return Ok(());
            }
        }
    }

    fn ask_page(
        &mut self,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        with_values: bool,
    ) -> Result<Page<Scanned>, StoreError> {
        let page = if with_values {
            let page = wait(self.store.scan(prefix, start_after, PAGE_ENTRIES))?;
            page.map(|(key, value)| (key, Some(value)))
        } else {
            let page = wait(self.store.scan_keys(prefix, start_after, PAGE_ENTRIES))?;
            page.map(|key| (key, None))
        };
        let size = |(key, value): &Scanned| key.len() + value.as_ref().map_or(0, Vec::len);
        self.count_miss(page.entries.iter().map(size).sum());
        Ok(page)
    }

    /// Takes note of what the store said about a key.
    fn learn(&mut self, key: &[u8], value: Option<Value>) {
        let value_bytes = value.as_ref().map_or(0, |value| value.len());
        if value.is_none() && key.len() > MAX_ABSENT_KEY_BYTES {
            return;
        }
        self.size_bytes += key.len() + value_bytes + ENTRY_OVERHEAD_BYTES;
        match value {
            Some(value) => {
                self.present.insert(key.to_vec(), Some(value));
            }
            None => {
                self.absent.insert(key.to_vec());
            }
        }
    }

    /// Takes note of a key that a scan has seen.
    fn learn_present(&mut self, key: &[u8], value: Option<Vec<u8>>) {
        let value_bytes = value.as_ref().map_or(0, Vec::len);
        self.size_bytes += key.len() + value_bytes + ENTRY_OVERHEAD_BYTES;
        let entry = self.present.entry(key.to_vec()).or_default();
        if let (None, Some(value)) = (&*entry, value) {
            *entry = Some(value.into());
        }
    }

    fn count_miss(&mut self, bytes: usize) {
        self.statistics.misses += 1;
        self.statistics.store_bytes += bytes as u64;
    }
}
