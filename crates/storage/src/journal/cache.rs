//! The committed state, as far as the block has seen it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use super::{
    Value,
    error::{JournalError, ScanSize},
    keys::stored_key,
    merge::Found,
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

/// What is known of one committed key.
enum Committed {
    Absent,
    /// A scan of keys has seen it; its value has not been read.
    Unread,
    Present(Value),
}

pub(super) struct ReadCache {
    store: Arc<dyn KeyValueStore>,
    partition: Vec<u8>,
    entries: BTreeMap<Vec<u8>, Committed>,
    /// Prefixes under which every existing key is in `entries`. None is the beginning of another:
    /// ranges of prefixes are nested or apart, so the widest of each nest is enough.
    known: BTreeSet<Vec<u8>>,
    statistics: Statistics,
}

impl ReadCache {
    pub(super) fn new(store: Arc<dyn KeyValueStore>, partition: Vec<u8>) -> Self {
        let (entries, known) = (BTreeMap::new(), BTreeSet::new());
        Self {
            store,
            partition,
            entries,
            known,
            statistics: Statistics::default(),
        }
    }

    pub(super) fn partition(&self) -> &[u8] {
        &self.partition
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.statistics
    }

    pub(super) fn value(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let known = match self.entries.get(key) {
            Some(Committed::Present(value)) => Some(Some(value.clone())),
            Some(Committed::Absent) => Some(None),
            Some(Committed::Unread) => None,
            None => self.is_known(key).then_some(None),
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
        if matches!(self.entries.get(key), Some(Committed::Unread)) {
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
        self.entries.get(key).and_then(Committed::value)
    }

    /// Makes [`present`](Self::present) complete for a prefix.
    pub(super) fn know_keys(&mut self, prefix: &[u8]) -> Result<(), JournalError> {
        if self.is_known(prefix) {
            // Whatever scan made it known was at least as wide and within the limit.
            self.statistics.hits += 1;
            return Ok(());
        }
        self.scan(prefix, false)
    }

    /// Makes [`present`](Self::present) complete for a prefix, with all values.
    pub(super) fn know_values(&mut self, prefix: &[u8]) -> Result<(), JournalError> {
        let known = self.is_known(prefix);
        if !known || self.present(prefix).any(|(_, value)| value.is_none()) {
            return self.scan(prefix, true);
        }
        self.statistics.hits += 1;
        // The values may have come one by one, so nobody has added them up yet.
        let mut size = ScanSize::default();
        self.present(prefix)
            .try_for_each(|(key, value)| size.add(key, value.map_or(0, |value| value.len())))?;
        Ok(())
    }

    /// Entries under a prefix that are known to exist, in key order.
    pub(super) fn present(&self, prefix: &[u8]) -> impl Iterator<Item = Found<'_>> {
        self.entries
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter(|(_, entry)| !matches!(entry, Committed::Absent))
            .map(|(key, entry)| (key.as_slice(), entry.value()))
    }

    /// Whether the value, or that there is none, is known.
    fn is_settled(&self, key: &[u8]) -> bool {
        match self.entries.get(key) {
            Some(entry) => !matches!(entry, Committed::Unread),
            None => self.is_known(key),
        }
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
        self.known.insert(prefix.to_vec());
    }

    fn ask(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let value = wait(self.store.read(&stored_key(&self.partition, key)))?.map(Value::from);
        self.count_miss(value.as_ref().map_or(0, |value| value.len()));
        self.entries
            .insert(key.to_vec(), Committed::from(value.clone()));
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
            self.entries
                .insert(key.to_vec(), Committed::from(value.map(Value::from)));
        }
        Ok(())
    }

    /// Learns every key under a prefix. If there is too much, what was learned until then stays, as
    /// facts about single keys.
    fn scan(&mut self, prefix: &[u8], with_values: bool) -> Result<(), JournalError> {
        let stored_prefix = stored_key(&self.partition, prefix);
        let mut size = ScanSize::default();
        let mut start_after = None;
        loop {
            let page = self.ask_page(&stored_prefix, start_after.as_deref(), with_values)?;
            start_after = page.entries.last().map(|(key, _)| key.clone());
            for (stored_key, value) in page.entries {
                let key = &stored_key[self.partition.len()..];
                size.add(key, value.as_ref().map_or(0, Vec::len))?;
                self.learn(key, value);
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

    fn learn(&mut self, key: &[u8], value: Option<Vec<u8>>) {
        let entry = self
            .entries
            .entry(key.to_vec())
            .or_insert(Committed::Unread);
        if let (Committed::Unread, Some(value)) = (&*entry, value) {
            *entry = Committed::Present(value.into());
        }
    }

    fn count_miss(&mut self, bytes: usize) {
        self.statistics.misses += 1;
        self.statistics.store_bytes += bytes as u64;
    }
}

impl Committed {
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unread => None,
        }
    }
}

impl From<Option<Value>> for Committed {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::Absent, Self::Present)
    }
}
