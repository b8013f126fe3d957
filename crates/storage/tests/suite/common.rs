//! What several scenarios need.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use futures::executor::block_on;
use resident_storage::{
    Batch, Finished, Journal, KeyValueStore, MemoryStore, Page, StoreError, StoreFuture,
};

pub(crate) const PARTITION: &[u8] = b"chain";

pub(crate) fn memory() -> Arc<dyn KeyValueStore> {
    Arc::new(MemoryStore::new())
}

pub(crate) fn open(store: &Arc<dyn KeyValueStore>) -> Journal {
    Journal::open(store.clone(), PARTITION).unwrap()
}

pub(crate) fn commit(store: &Arc<dyn KeyValueStore>, journal: Journal) -> Finished {
    let finished = journal.finish().unwrap();
    block_on(store.write(finished.batch.clone())).unwrap();
    finished
}

pub(crate) fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(key.into(), value.into());
    batch
}

/// Everything in a store, in small pages.
pub(crate) fn dump(store: &dyn KeyValueStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        let after = all.last().map(|(key, _)| key.clone());
        let page = block_on(store.scan(b"", after.as_deref(), 7)).unwrap();
        all.extend(page.entries);
        if page.is_last {
            return all;
        }
    }
}

/// Counts the requests, and answers only when polled twice, as a store across a network would.
#[derive(Default)]
pub(crate) struct CountingStore {
    inner: MemoryStore,
    pub(crate) requests: AtomicU64,
    pub(crate) failure: Mutex<Option<StoreError>>,
}

impl CountingStore {
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    fn late<'a, T: 'a>(&'a self, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let failure = self.failure.lock().unwrap().clone();
        Box::pin(async move {
            let mut polled = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut polled, true) {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            match failure {
                Some(error) => Err(error),
                None => answer.await,
            }
        })
    }
}

impl KeyValueStore for CountingStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.late(self.inner.read(key))
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.late(self.inner.read_many(keys))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.late(self.inner.scan(prefix, start_after, limit))
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        self.late(self.inner.scan_keys(prefix, start_after, limit))
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        self.late(self.inner.write(batch))
    }
}
