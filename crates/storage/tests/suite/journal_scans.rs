//! What a scan costs follows from what is there, and the memory of a journal is bounded.

use std::sync::Arc;

use resident_storage::{Journal, JournalError, KeyValueStore, LimitExceeded, Namespace, ScanCost};

use crate::common::{CountingStore, PARTITION, commit, memory, open};

const SYSTEM: Namespace = Namespace::System;

/// One for each entry and nothing for bytes.
const BY_ENTRY: ScanCost = ScanCost {
    entry: 1,
    byte: 0,
    limit: u64::MAX,
};

fn key(number: u32) -> Vec<u8> {
    [b"p".as_slice(), &number.to_be_bytes()].concat()
}

fn put(journal: &mut Journal, numbers: std::ops::Range<u32>) {
    for number in numbers {
        journal.put(SYSTEM, &key(number), *b"value").unwrap();
    }
}

fn delete(journal: &mut Journal, numbers: std::ops::Range<u32>) {
    for number in numbers {
        journal.delete(SYSTEM, &key(number)).unwrap();
    }
}

/// The number of entries found under `p`, and what that cost, of keys and of keys with values.
fn scans(journal: &mut Journal) -> [(usize, u64); 2] {
    let keys = journal.scan_keys(SYSTEM, b"p", BY_ENTRY).unwrap();
    let values = journal.scan_key_values(SYSTEM, b"p", BY_ENTRY).unwrap();
    [
        (keys.found.len(), keys.cost),
        (values.found.len(), values.cost),
    ]
}

/// Such a scan once walked over every key that was ever asked for.
#[test]
fn keys_that_are_absent_or_deleted_again_cost_a_scan_nothing() {
    let mut journal = open(&memory());
    for number in 0..1_000 {
        assert!(!journal.contains(SYSTEM, &key(number)).unwrap());
    }
    assert_eq!(scans(&mut journal), [(0, 0); 2]);
    put(&mut journal, 0..1_000);
    assert_eq!(scans(&mut journal), [(1_000, 1_000); 2]);
    delete(&mut journal, 0..999);
    assert_eq!(scans(&mut journal), [(1, 1); 2]);
}

#[test]
fn committed_entries_cost_also_where_the_block_has_deleted_or_replaced_them() {
    let store = memory();
    let mut journal = open(&store);
    put(&mut journal, 0..100);
    commit(&store, journal);

    let mut journal = open(&store);
    assert_eq!(scans(&mut journal), [(100, 100); 2]);
    delete(&mut journal, 0..40);
    assert_eq!(scans(&mut journal), [(60, 100); 2]);
    put(&mut journal, 90..110);
    assert_eq!(scans(&mut journal), [(70, 120); 2]);
    assert_eq!(journal.delete_prefix(SYSTEM, b"p").unwrap(), 70);
    assert_eq!(scans(&mut journal), [(0, 100); 2]);
}

#[test]
fn bytes_cost_where_they_are_looked_at() {
    let mut journal = open(&memory());
    journal.put(SYSTEM, b"p", vec![0; 1_000]).unwrap();
    let by_byte = ScanCost {
        entry: 0,
        byte: 1,
        limit: u64::MAX,
    };
    let keys = journal.scan_keys(SYSTEM, b"p", by_byte).unwrap();
    let values = journal.scan_key_values(SYSTEM, b"p", by_byte).unwrap();
    assert_eq!((keys.cost, values.cost), (2, 1_002), "with the namespace");
}

/// Whatever the cache holds, a scan ends with the same cost, or for want of the same.
#[test]
fn a_scan_that_cannot_be_paid_for_stops_whatever_is_known() {
    let shared = Arc::new(CountingStore::default());
    let store: Arc<dyn KeyValueStore> = shared.clone();
    let mut journal = open(&store);
    put(&mut journal, 0..5_000);
    commit(&store, journal);

    let limited = |limit| ScanCost { limit, ..BY_ENTRY };
    let is_too_dear = |error| matches!(error, JournalError::Limit(LimitExceeded::Cost));
    for is_known in [false, true] {
        let mut journal = open(&store);
        if is_known {
            journal.find_key_values(SYSTEM, b"p").unwrap();
        }
        delete(&mut journal, 4_000..4_001);
        put(&mut journal, 5_000..5_010);
        let before = shared.requests();
        for limit in [0, 10, 5_009] {
            let limit = limited(limit);
            assert!(is_too_dear(
                journal.scan_keys(SYSTEM, b"p", limit).unwrap_err()
            ));
            assert!(is_too_dear(
                journal.scan_key_values(SYSTEM, b"p", limit).unwrap_err()
            ));
        }
        assert_eq!(shared.requests() == before, is_known);
        let limit = limited(5_010);
        let found = journal.scan_keys(SYSTEM, b"p", limit).unwrap();
        assert_eq!((found.found.len(), found.cost), (5_009, 5_010));
    }
    // A page is all that is read in vain.
    let mut journal = open(&store);
    let before = shared.requests();
    journal.scan_keys(SYSTEM, b"p", limited(1)).unwrap_err();
    assert_eq!(shared.requests() - before, 1);
}

/// Four transactions that ask for absent keys, and are undone, once took three gigabytes.
#[test]
fn reads_fill_the_cache_up_to_a_limit_and_are_right_when_it_is_emptied() {
    let shared = Arc::new(CountingStore::default());
    let store: Arc<dyn KeyValueStore> = shared.clone();
    let mut journal = open(&store);
    journal.put(SYSTEM, b"here", *b"value").unwrap();
    commit(&store, journal);

    let mut journal = Journal::open(store.clone(), PARTITION).unwrap();
    assert!(journal.find_keys(SYSTEM, b"q").unwrap().is_empty());
    assert!(journal.read(SYSTEM, b"here").unwrap().is_some());
    let mut last = vec![0; 200];
    for number in 0..230_000_u32 {
        last[..4].copy_from_slice(&number.to_be_bytes());
        assert!(!journal.contains(SYSTEM, &last).unwrap());
    }
    // 75 MB of absent keys, of which the last are still known, and what was known before is not.
    let asked = |journal: &mut Journal, key: &[u8]| {
        let before = shared.requests();
        journal.contains(SYSTEM, key).unwrap();
        shared.requests() - before
    };
    assert_eq!(asked(&mut journal, &last), 0);
    let long = [0; 4_096];
    for _ in 0..2 {
        assert_eq!(asked(&mut journal, &long), 1, "it is not worth the memory");
    }
    assert_eq!(asked(&mut journal, b"here"), 1);
    assert_eq!(asked(&mut journal, b"qa"), 1);
    assert_eq!(
        journal.read(SYSTEM, b"here").unwrap().as_deref(),
        Some(&b"value"[..])
    );
}

/// What the writes take is told by what they are: it goes back with them, and does not depend on how they came
/// about.
#[test]
fn the_size_of_what_is_written_follows_from_the_writes() {
    let mut journal = open(&memory());
    assert_eq!(journal.written_bytes(), 0);
    put(&mut journal, 0..10);
    let ten = journal.written_bytes();
    assert!(ten > 10 * 500, "{ten}");
    put(&mut journal, 0..10);
    assert_eq!(journal.written_bytes(), ten);

    let mark = journal.mark();
    journal.put(SYSTEM, &key(3), vec![0; 1_000]).unwrap();
    assert_eq!(journal.written_bytes(), ten + 2 * 995);
    delete(&mut journal, 0..10);
    let deleted = journal.written_bytes();
    assert_eq!(
        deleted,
        ten - 10 * 2 * 5,
        "a deletion is a write without a value"
    );
    put(&mut journal, 0..20);
    assert_eq!(journal.written_bytes(), 2 * ten);
    journal.roll_back(mark).unwrap();
    assert_eq!(journal.written_bytes(), ten);
    assert!(journal.is_written(SYSTEM, &key(3)) && !journal.is_written(SYSTEM, &key(10)));
    assert_eq!(
        journal.read(SYSTEM, &key(3)).unwrap().as_deref(),
        Some(&b"value"[..])
    );
}
