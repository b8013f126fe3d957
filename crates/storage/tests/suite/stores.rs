//! What every store must do, run on each of them.

use futures::executor::block_on;
use proptest::{collection::vec, prelude::*};
use resident_storage::{
    Batch, DiskStore, KeyValueStore, MAX_PAGE_BYTES, MAX_STORED_KEY_BYTES, MAX_VALUE_BYTES,
    MemoryStore, Operation, StoreError,
};

use crate::common::{dump, put};

/// Runs a scenario on a fresh store of each kind.
fn on_each_store(scenario: impl Fn(&dyn KeyValueStore)) {
    scenario(&MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    scenario(&DiskStore::open(folder.path()).unwrap());
}

#[test]
fn reads_see_what_was_written() {
    on_each_store(|store| {
        block_on(store.write(put("a", "1"))).unwrap();
        block_on(store.write(put("b", ""))).unwrap();
        assert_eq!(block_on(store.read(b"a")).unwrap(), Some(b"1".to_vec()));
        let keys = [&b"b"[..], b"c", b"a", b"a"].map(<[u8]>::to_vec).to_vec();
        let one = Some(b"1".to_vec());
        let values = block_on(store.read_many(keys)).unwrap();
        assert_eq!(values, [Some(Vec::new()), None, one.clone(), one]);
    });
}

#[test]
fn operations_of_a_batch_apply_in_order() {
    on_each_store(|store| {
        let mut batch = put("x1", "old");
        batch.put(b"y".to_vec(), b"kept".to_vec());
        batch.delete_prefix(b"x".to_vec());
        batch.put(b"x2".to_vec(), b"new".to_vec());
        batch.delete(b"absent".to_vec());
        block_on(store.write(batch)).unwrap();
        let expected = [
            (b"x2".to_vec(), b"new".to_vec()),
            (b"y".to_vec(), b"kept".to_vec()),
        ];
        assert_eq!(dump(store), expected);
    });
}

#[test]
fn a_batch_with_a_bad_operation_changes_nothing() {
    on_each_store(|store| {
        let mut batch = put("a", "1");
        batch.put(vec![0; MAX_STORED_KEY_BYTES + 1], Vec::new());
        let result = block_on(store.write(batch));
        assert!(matches!(result, Err(StoreError::KeyTooLong { .. })));
        let result = block_on(store.write(put("a", vec![0; MAX_VALUE_BYTES + 1])));
        assert!(matches!(result, Err(StoreError::ValueTooLong { .. })));
        assert!(dump(store).is_empty());
        block_on(store.write(put(vec![0; MAX_STORED_KEY_BYTES], "fits"))).unwrap();
    });
}

#[test]
fn scans_stay_under_their_prefix_and_come_in_pages() {
    on_each_store(|store| {
        for key in [
            &[1][..],
            &[2],
            &[2, 0],
            &[2, 1],
            &[2, 255],
            &[3],
            &[255],
            &[255, 255],
        ] {
            block_on(store.write(put(key, [7]))).unwrap();
        }
        let page = block_on(store.scan_keys(&[2], None, 3)).unwrap();
        assert_eq!(
            (page.entries, page.is_last),
            (vec![vec![2], vec![2, 0], vec![2, 1]], false)
        );
        let page = block_on(store.scan_keys(&[2], Some(&[2, 1]), 3)).unwrap();
        assert_eq!((page.entries, page.is_last), (vec![vec![2, 255]], true));
        let page = block_on(store.scan(&[255], Some(&[255]), 0)).unwrap();
        assert_eq!(
            (page.entries, page.is_last),
            (vec![(vec![255, 255], vec![7])], true)
        );
        let page = block_on(store.scan_keys(&[2], Some(&[9]), 3)).unwrap();
        assert_eq!((page.entries, page.is_last), (Vec::new(), true));
        let page = block_on(store.scan_keys(&[2], Some(&[0]), 1)).unwrap();
        assert_eq!((page.entries, page.is_last), (vec![vec![2]], false));
    });
}

#[test]
fn a_page_is_bounded_in_bytes() {
    on_each_store(|store| {
        for key in 0..4 {
            block_on(store.write(put([key], vec![key; MAX_PAGE_BYTES / 2]))).unwrap();
        }
        let page = block_on(store.scan(b"", None, 100)).unwrap();
        assert_eq!((page.entries.len(), page.is_last), (2, false));
        let page = block_on(store.scan_keys(b"", None, 100)).unwrap();
        assert_eq!((page.entries.len(), page.is_last), (4, true));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_stores_keep_the_same(batches in vec(batch(), 1..6)) {
        let memory = MemoryStore::new();
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskStore::open(folder.path()).unwrap();
        for batch in batches {
            block_on(memory.write(batch.clone())).unwrap();
            block_on(disk.write(batch)).unwrap();
            prop_assert_eq!(dump(&disk), memory.contents());
        }
    }
}

fn batch() -> impl Strategy<Value = Batch> {
    let key = || vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..4);
    let operation = prop_oneof![
        4 => (key(), vec(any::<u8>(), 0..3)).prop_map(|(key, value)| Operation::Put { key, value }),
        1 => key().prop_map(|key| Operation::Delete { key }),
        1 => key().prop_map(|prefix| Operation::DeletePrefix { prefix }),
    ];
    vec(operation, 0..12).prop_map(|operations| {
        let mut batch = Batch::new();
        for operation in operations {
            match operation {
                Operation::Put { key, value } => batch.put(key, value),
                Operation::Delete { key } => batch.delete(key),
                Operation::DeletePrefix { prefix } => batch.delete_prefix(prefix),
            }
        }
        batch
    })
}
