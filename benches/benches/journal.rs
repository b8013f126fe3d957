//! Reads of the state that the block knows already, and reads that must ask a store; the end of a block.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use resident_base::CryptoHash;
use resident_benches::{Subject, compare};
use resident_storage::{DiskStore, Journal, KeyValueStore, MemoryStore, Namespace};

const KEYS: u32 = 10_000;

fn main() {
    let namespace = Namespace::Application(CryptoHash::from([7; 32]));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let disk: Arc<dyn KeyValueStore> =
        Arc::new(DiskStore::open(folder.path()).expect("a new store can be opened"));
    let memory: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::new());
    for store in [&disk, &memory] {
        fill(store, namespace);
    }

    let mut known = open(&memory);
    for key in 0..KEYS {
        known
            .read(namespace, &key.to_le_bytes())
            .expect("the store works");
    }
    compare(vec![
        Subject::timed("state read/known=yes", || read_some(&mut known, namespace)),
        Subject::timed("state read/known=no/store=memory", || {
            read_some(&mut open(&memory), namespace)
        }),
        Subject::timed("state read/known=no/store=redb", || {
            read_some(&mut open(&disk), namespace)
        }),
    ]);

    let finish = |changes: u32| {
        let memory = memory.clone();
        Subject::timed(format!("finish/changes={changes}"), move || {
            finish(&memory, namespace, changes)
        })
    };
    compare(vec![finish(10), finish(100), finish(1_000)]);
}

fn open(store: &Arc<dyn KeyValueStore>) -> Journal {
    Journal::open(store.clone(), b"chain".to_vec()).expect("the store works")
}

fn fill(store: &Arc<dyn KeyValueStore>, namespace: Namespace) {
    let mut journal = open(store);
    for key in 0..KEYS {
        journal
            .put(namespace, &key.to_le_bytes(), vec![1; 32])
            .expect("the store works");
    }
    let finished = journal.finish().expect("the store works");
    write(store, finished.batch);
}

fn write(store: &Arc<dyn KeyValueStore>, batch: resident_storage::Batch) {
    futures::executor::block_on(store.write(batch)).expect("the store works");
}

/// The mean of a hundred reads.
fn read_some(journal: &mut Journal, namespace: Namespace) -> Duration {
    let started = Instant::now();
    for key in (0..KEYS).step_by(100) {
        std::hint::black_box(journal.read(namespace, &key.to_le_bytes()).is_ok());
    }
    started.elapsed() / (KEYS / 100)
}

/// The end of a block that replaced so many values it had read.
fn finish(store: &Arc<dyn KeyValueStore>, namespace: Namespace, changes: u32) -> Duration {
    let mut journal = open(store);
    for key in 0..changes {
        let key = key.to_le_bytes();
        journal.read(namespace, &key).expect("the store works");
        journal
            .put(namespace, &key, vec![2; 32])
            .expect("the store works");
    }
    let started = Instant::now();
    std::hint::black_box(journal.finish().is_ok());
    started.elapsed()
}
