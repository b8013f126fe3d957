//! Single rules of the journal.

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::CryptoHash;
use resident_storage::{
    Journal, JournalError, KeyValueStore, LimitExceeded, LocalTag, MAX_KEY_BYTES,
    MAX_PARTITION_BYTES, MAX_VALUE_BYTES, MemoryStore, Namespace, StoreError, partition_key,
};

use crate::common::{CountingStore, PARTITION, commit, memory, open};

const SYSTEM: Namespace = Namespace::System;

fn application(number: u8) -> Namespace {
    Namespace::Application(CryptoHash::from([number; 32]))
}

#[test]
fn namespaces_and_partitions_are_separate() {
    let store = memory();
    let mut journal = open(&store);
    let namespaces = [SYSTEM, application(1), application(2)];
    for (number, namespace) in (0..).zip(namespaces) {
        journal.put(namespace, b"key", [number; 1]).unwrap();
    }
    // Spelled so that it would be the key of application 1 if namespaces were glued on carelessly.
    journal
        .put(SYSTEM, &[&[1; 32][..], b"other"].concat(), [9; 1])
        .unwrap();
    commit(&store, journal);
    let mut journal = open(&store);
    for (number, namespace) in (0..).zip(namespaces) {
        assert_eq!(
            journal.read(namespace, b"key").unwrap().as_deref(),
            Some(&[number][..])
        );
    }
    assert_eq!(journal.find_keys(application(1), b"").unwrap(), [b"key"]);
    assert_eq!(
        journal.find_keys(application(3), b"").unwrap(),
        Vec::<Vec<u8>>::new()
    );
    let mut other = Journal::open(store, b"other chain".to_vec()).unwrap();
    assert_eq!(other.read(SYSTEM, b"key").unwrap(), None);
}

#[test]
fn writing_the_same_value_back_is_no_change() {
    let store = memory();
    let mut journal = open(&store);
    journal.put(SYSTEM, b"a", *b"1").unwrap();
    journal.put(SYSTEM, b"b", *b"2").unwrap();
    let before = commit(&store, journal);
    let mut journal = open(&store);
    journal.put(SYSTEM, b"a", *b"other").unwrap();
    journal.put(SYSTEM, b"a", *b"1").unwrap();
    journal.delete(SYSTEM, b"b").unwrap();
    journal.put(SYSTEM, b"b", *b"2").unwrap();
    journal.put(SYSTEM, b"c", *b"3").unwrap();
    journal.delete(SYSTEM, b"c").unwrap();
    journal.delete(SYSTEM, b"absent").unwrap();
    let after = journal.finish().unwrap();
    assert!(after.batch.is_empty());
    assert_eq!((after.changes, after.changed_bytes), (0, 0));
    assert_eq!(after.state_hash, before.state_hash);
}

#[test]
fn order_of_writes_does_not_matter() {
    let finish = |keys: [&[u8]; 3]| {
        let mut journal = open(&memory());
        for key in keys {
            journal.put(SYSTEM, key, key).unwrap();
        }
        journal.finish().unwrap()
    };
    assert_eq!(finish([b"a", b"b", b"c"]), finish([b"c", b"a", b"b"]));
}

#[test]
fn an_emptied_state_leaves_nothing_behind() {
    let store = Arc::new(MemoryStore::new());
    let shared: Arc<dyn KeyValueStore> = store.clone();
    let empty = open(&shared).finish().unwrap();
    assert!(empty.batch.is_empty());
    let mut journal = open(&shared);
    journal.put(SYSTEM, b"a", *b"1").unwrap();
    commit(&shared, journal);
    assert_eq!(store.len(), 2, "the value and the accumulator");
    let mut journal = open(&shared);
    assert_eq!(journal.delete_prefix(SYSTEM, b"").unwrap(), 1);
    assert_eq!(commit(&shared, journal).state_hash, empty.state_hash);
    assert!(store.is_empty());
}

/// These change only together with the format of the store.
#[test]
fn state_hashes_are_pinned() {
    let mut journal = open(&memory());
    let empty = "be2a8de3dcf46c94ce85cdc8e07ac308";
    assert_eq!(hex(journal.state_hash().unwrap()), empty);
    journal.put(SYSTEM, b"key", *b"value").unwrap();
    journal.put(application(7), b"", *b"").unwrap();
    let filled = "7c428205c4da37efbe751e1d403805ef";
    assert_eq!(hex(journal.state_hash().unwrap()), filled);
}

/// The first half is enough to notice a change.
fn hex(hash: CryptoHash) -> String {
    hash.as_bytes()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn local_records_travel_in_the_batch_outside_of_the_state() {
    const HEIGHT: LocalTag = LocalTag::new(5);
    let store = memory();
    let mut journal = open(&store);
    journal.put(SYSTEM, b"a", *b"1").unwrap();
    let hash = journal.state_hash().unwrap();
    let mut finished = journal.finish().unwrap();
    finished
        .batch
        .put(partition_key(PARTITION, HEIGHT, b""), b"17".to_vec());
    block_on(store.write(finished.batch)).unwrap();
    let record = block_on(store.read(&partition_key(PARTITION, HEIGHT, b""))).unwrap();
    assert_eq!(record, Some(b"17".to_vec()));
    let mut journal = open(&store);
    assert_eq!(journal.find_keys(SYSTEM, b"").unwrap(), [b"a"]);
    assert_eq!(journal.state_hash().unwrap(), hash);
}

#[test]
fn too_long_keys_and_values_are_refused() {
    let mut journal = open(&memory());
    let key = vec![0; MAX_KEY_BYTES];
    let long = vec![0; MAX_KEY_BYTES + 1];
    journal
        .put(application(1), &key, vec![0; MAX_VALUE_BYTES])
        .unwrap();
    let refused =
        |error: JournalError| matches!(error, JournalError::Limit(LimitExceeded::Key { .. }));
    assert!(refused(journal.put(SYSTEM, &long, *b"").unwrap_err()));
    assert!(refused(journal.read(SYSTEM, &long).unwrap_err()));
    assert!(refused(journal.find_keys(SYSTEM, &long).unwrap_err()));
    let error = journal
        .put(SYSTEM, b"", vec![0; MAX_VALUE_BYTES + 1])
        .unwrap_err();
    assert!(matches!(
        error,
        JournalError::Limit(LimitExceeded::Value { .. })
    ));
    assert_eq!(journal.finish().unwrap().changes, 1);
}

#[test]
fn a_scan_is_bounded_whatever_the_cache_holds() {
    const VALUES: u8 = 5;
    let store = memory();
    let mut journal = open(&store);
    for number in 0..VALUES {
        journal
            .put(SYSTEM, &[number], vec![number; MAX_VALUE_BYTES])
            .unwrap();
    }
    let too_much = |journal: &mut Journal| {
        let error = journal.find_key_values(SYSTEM, b"").unwrap_err();
        assert!(
            matches!(error, JournalError::Limit(LimitExceeded::Scan)),
            "{error}"
        );
    };
    too_much(&mut journal);
    commit(&store, journal);
    let mut journal = open(&store);
    too_much(&mut journal);
    assert_eq!(
        journal.find_keys(SYSTEM, b"").unwrap().len(),
        usize::from(VALUES)
    );
    too_much(&mut journal);
    for number in 0..VALUES {
        journal.read(SYSTEM, &[number]).unwrap();
    }
    too_much(&mut journal);
    assert_eq!(journal.find_key_values(SYSTEM, &[1]).unwrap().len(), 1);
    // The keys alone are few, so they can be deleted; the committed state still counts.
    assert_eq!(
        journal.delete_prefix(SYSTEM, b"").unwrap(),
        usize::from(VALUES)
    );
    too_much(&mut journal);
}

#[test]
fn bad_partitions_and_accumulators_are_errors() {
    for partition in [Vec::new(), vec![0; MAX_PARTITION_BYTES + 1]] {
        let error = Journal::open(memory(), partition).err().unwrap();
        assert!(matches!(error, JournalError::Partition { .. }));
    }
    let store = memory();
    let key = [PARTITION, &[0]].concat();
    block_on(store.write(crate::common::put(key, "short"))).unwrap();
    let error = Journal::open(store, PARTITION).err().unwrap();
    assert!(matches!(
        error,
        JournalError::DamagedAccumulator { bytes: 5 }
    ));
}

#[test]
fn a_failing_store_is_an_error_and_not_an_absent_value() {
    let store = Arc::new(CountingStore::default());
    let mut journal = Journal::open(store.clone(), PARTITION).unwrap();
    *store.failure.lock().unwrap() = Some(StoreError::Closed);
    let closed = |error| matches!(error, JournalError::Store(StoreError::Closed));
    assert!(closed(journal.read(SYSTEM, b"a").unwrap_err()));
    assert!(closed(journal.find_keys(SYSTEM, b"").unwrap_err()));
    journal.put(SYSTEM, b"a", *b"1").unwrap();
    assert!(closed(journal.state_hash().unwrap_err()));
    *store.failure.lock().unwrap() = None;
    assert_eq!(journal.find_keys(SYSTEM, b"").unwrap(), [b"a"]);
    assert_eq!(journal.finish().unwrap().changes, 1);
}
