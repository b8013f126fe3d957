//! Followers of streams in which nothing happens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use resident_node::LocalNode;
use resident_storage::{Batch, KeyValueStore, Page, StoreFuture};

use crate::{
    evil::Do,
    net::{Net, run},
};

const VICTIM: u8 = 2;
const STRANGER: u8 = 1;

/// Counts the records that are read.
struct Counting {
    inner: Arc<dyn KeyValueStore>,
    records: AtomicUsize,
}

impl Counting {
    fn count(&self, records: usize) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}

impl KeyValueStore for Counting {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.count(1);
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.count(keys.len());
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(prefix, after, limit)
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        self.inner.scan_keys(prefix, after, limit)
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        self.inner.write(batch)
    }
}

/// Every call used to look at all of them, four million subscriptions at most: half a minute for nothing, for ever.
#[test]
fn a_call_looks_at_so_many_subscriptions_only() {
    let mut net = Net::new();
    let [stranger, victim] = [STRANGER, VICTIM].map(|seed| net.chain(seed));
    let apps = net.evil(stranger, STRANGER, 80);
    let follow = |app| {
        let follow = Do::new().follow(stranger, app, 1_000);
        run(app, &Do::new().send(victim, false, &follow))
    };
    net.propose(
        stranger,
        STRANGER,
        apps.iter().copied().map(follow).collect(),
    );
    net.deliver();
    let block = net.inbox(victim, VICTIM).unwrap().expect("all follow");
    assert!(block.rejected.is_empty() && block.dropped.is_empty());
    let counting = Arc::new(Counting {
        inner: net.node.store().clone(),
        records: AtomicUsize::new(0),
    });
    let config = net.node.config().clone();
    net.node = LocalNode::new(counting.clone(), config).unwrap();
    for _ in 0..2 {
        assert!(net.inbox(victim, VICTIM).unwrap().is_none());
        let read = counting.records.swap(0, Ordering::Relaxed);
        assert!(read < 68_000, "{read} records were read");
    }
    // All of them have their turn nevertheless.
    net.propose(stranger, STRANGER, vec![run(apps[0], &Do::new().emit(1))]);
    let told = (0..3).filter(|_| net.inbox(victim, VICTIM).unwrap().is_some());
    assert_eq!(told.count(), 1);
}
