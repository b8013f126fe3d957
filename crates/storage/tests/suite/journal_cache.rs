//! The store is asked once for everything.

use std::sync::Arc;

use resident_storage::{Journal, KeyValueStore, Namespace};

use crate::common::{CountingStore, PARTITION, commit};

const SYSTEM: Namespace = Namespace::System;

/// A store with the keys "a0" to "a9" and "b", and a journal on it.
fn filled() -> (Arc<CountingStore>, Journal) {
    let store = Arc::new(CountingStore::default());
    let shared: Arc<dyn KeyValueStore> = store.clone();
    let mut journal = Journal::open(shared.clone(), PARTITION).unwrap();
    for digit in b'0'..=b'9' {
        journal.put(SYSTEM, &[b'a', digit], [digit; 3]).unwrap();
    }
    journal.put(SYSTEM, b"b", *b"last").unwrap();
    commit(&shared, journal);
    let journal = Journal::open(shared, PARTITION).unwrap();
    (store, journal)
}

/// Number of requests that some work on a journal makes.
fn requests<T>(store: &CountingStore, work: impl FnOnce() -> T) -> u64 {
    let before = store.requests();
    work();
    store.requests() - before
}

#[test]
fn a_key_is_read_once_also_if_it_is_absent() {
    let (store, mut journal) = filled();
    for key in [&b"a1"[..], b"absent"] {
        assert_eq!(requests(&store, || journal.read(SYSTEM, key).unwrap()), 1);
        assert_eq!(requests(&store, || journal.read(SYSTEM, key).unwrap()), 0);
        assert_eq!(
            requests(&store, || journal.contains(SYSTEM, key).unwrap()),
            0
        );
    }
    assert_eq!(journal.statistics().hits, 4);
    assert_eq!(journal.statistics().misses, 2);
    assert_eq!(journal.statistics().store_bytes, 3);
}

#[test]
fn many_keys_are_one_request_for_those_that_are_missing() {
    let (store, mut journal) = filled();
    journal.read(SYSTEM, b"a1").unwrap();
    journal.put(SYSTEM, b"a2", *b"new").unwrap();
    let keys = [&b"a1"[..], b"a2", b"a3", b"absent"];
    let asked = requests(&store, || {
        let values = journal.read_many(SYSTEM, &keys).unwrap();
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        assert_eq!(
            values,
            [Some(&b"111"[..]), Some(b"new"), Some(b"333"), None]
        );
    });
    assert_eq!(asked, 1);
    assert_eq!(
        requests(&store, || journal.read_many(SYSTEM, &keys).unwrap()),
        0
    );
}

#[test]
fn a_scan_answers_every_later_question_below_it() {
    let (store, mut journal) = filled();
    let found = journal.find_key_values(SYSTEM, b"a").unwrap();
    assert_eq!(found.len(), 10);
    assert_eq!((&found[3].0[..], &found[3].1[..]), (&b"3"[..], &b"333"[..]));
    let asked = requests(&store, || {
        assert_eq!(journal.find_key_values(SYSTEM, b"a").unwrap(), found);
        assert_eq!(journal.find_keys(SYSTEM, b"a7").unwrap(), [b""]);
        assert_eq!(
            journal.find_keys(SYSTEM, b"ab").unwrap(),
            Vec::<Vec<u8>>::new()
        );
        assert!(journal.read(SYSTEM, b"a5").unwrap().is_some());
        assert!(journal.read(SYSTEM, b"ax").unwrap().is_none());
        assert!(!journal.contains(SYSTEM, b"ay").unwrap());
    });
    assert_eq!(asked, 0);
    assert_eq!(
        requests(&store, || journal.find_keys(SYSTEM, b"").unwrap()),
        1
    );
    assert_eq!(
        requests(&store, || journal.find_keys(SYSTEM, b"c").unwrap()),
        0
    );
}

#[test]
fn a_scan_of_keys_leaves_only_values_to_be_asked_for() {
    let (store, mut journal) = filled();
    assert_eq!(journal.find_keys(SYSTEM, b"a").unwrap().len(), 10);
    let asked = requests(&store, || {
        assert!(journal.contains(SYSTEM, b"a1").unwrap());
        assert!(journal.read(SYSTEM, b"ax").unwrap().is_none());
    });
    assert_eq!(asked, 0);
    assert_eq!(requests(&store, || journal.read(SYSTEM, b"a1").unwrap()), 1);
    assert_eq!(
        requests(&store, || journal.find_key_values(SYSTEM, b"a").unwrap()),
        1
    );
    assert_eq!(
        requests(&store, || journal.find_key_values(SYSTEM, b"a").unwrap()),
        0
    );
}

#[test]
fn rolling_back_keeps_what_was_read() {
    let (store, mut journal) = filled();
    let mark = journal.mark();
    journal.find_key_values(SYSTEM, b"a").unwrap();
    journal.delete_prefix(SYSTEM, b"a").unwrap();
    assert!(journal.find_keys(SYSTEM, b"a").unwrap().is_empty());
    journal.roll_back(mark).unwrap();
    let asked = requests(&store, || {
        assert_eq!(journal.find_key_values(SYSTEM, b"a").unwrap().len(), 10);
    });
    assert_eq!(asked, 0);
}

#[test]
fn the_hash_asks_once_for_values_that_were_replaced_unread() {
    let (store, mut journal) = filled();
    for digit in b'0'..=b'9' {
        journal.put(SYSTEM, &[b'a', digit], *b"new").unwrap();
    }
    assert_eq!(requests(&store, || journal.state_hash().unwrap()), 1);
    assert_eq!(requests(&store, || journal.finish().unwrap()), 0);
}

#[test]
fn own_writes_never_ask() {
    let (store, mut journal) = filled();
    let asked = requests(&store, || {
        journal.put(SYSTEM, b"a1", *b"new").unwrap();
        assert_eq!(
            journal.read(SYSTEM, b"a1").unwrap().as_deref(),
            Some(&b"new"[..])
        );
        journal.delete(SYSTEM, b"a2").unwrap();
        assert!(!journal.contains(SYSTEM, b"a2").unwrap());
    });
    assert_eq!(asked, 0);
}
