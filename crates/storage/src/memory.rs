//! A store in memory.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use futures::future::ready;

use crate::{
    batch::{Batch, Operation},
    page::{Page, fill_page},
    store::{KeyValueStore, StoreError, StoreFuture, prefix_end},
};

/// Keeps everything in memory and forgets it when dropped. Its futures are ready at once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: RwLock<Records>,
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.records().is_empty()
    }

    /// A copy of everything, in key order.
    pub fn contents(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.records()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn records(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_now(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        batch
            .into_operations()
            .into_iter()
            .for_each(|operation| apply(&mut records, operation));
        Ok(())
    }
}

impl KeyValueStore for MemoryStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(ready(Ok(self.records().get(key).cloned())))
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        let records = self.records();
        let values = keys.iter().map(|key| records.get(key).cloned()).collect();
        Box::pin(ready(Ok(values)))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        let records = self.records();
        let entries = range(&records, prefix, start_after)
            .map(|(key, value)| Ok::<_, Infallible>((key.clone(), value.clone())));
        let Ok(page) = fill_page(entries, limit, |(key, value)| key.len() + value.len());
        Box::pin(ready(Ok(page)))
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        let records = self.records();
        let keys =
            range(&records, prefix, start_after).map(|(key, _)| Ok::<_, Infallible>(key.clone()));
        let Ok(page) = fill_page(keys, limit, Vec::len);
        Box::pin(ready(Ok(page)))
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.write_now(batch) })
    }
}

fn range<'a>(
    records: &'a Records,
    prefix: &'a [u8],
    start_after: Option<&'a [u8]>,
) -> impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> {
    let start = match start_after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    records
        .range::<[u8], _>((start, Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

fn apply(records: &mut Records, operation: Operation) {
    match operation {
        Operation::Put { key, value } => {
            records.insert(key, value);
        }
        Operation::Delete { key } => {
            records.remove(&key);
        }
        Operation::DeletePrefix { prefix } => delete_prefix(records, &prefix),
    }
}

fn delete_prefix(records: &mut Records, prefix: &[u8]) {
    let above = prefix_end(prefix).map(|end| records.split_off(&end));
    records.split_off(prefix);
    records.extend(above.into_iter().flatten());
}
