//! Stores whose file was altered behind their back: no panic, and nothing is written any more.

use std::{collections::BTreeMap, fs, panic, path::Path};

use futures::executor::block_on;
use resident_storage::{Batch, DiskStore, KeyValueStore, OpenError, StoreError};

use crate::common::put;

const FILE_NAME: &str = "resident.redb";

/// Bytes of the file that are altered, one after the other.
const ALTERATIONS: usize = 200;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// A closed store with a few pages, and what is in it.
fn closed_store(folder: &Path) -> Records {
    let store = DiskStore::open(folder).unwrap();
    let mut records = Records::new();
    for round in 0..4u32 {
        let mut batch = Batch::new();
        for number in 0..200u32 {
            let key = [round.to_be_bytes(), number.to_be_bytes()].concat();
            // Short, so that most bytes of the file are something else.
            let value = vec![7; number as usize % 9];
            batch.put(key.clone(), value.clone());
            records.insert(key, value);
        }
        block_on(store.write(batch)).unwrap();
    }
    records
}

/// What became of an altered store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    #[default]
    Nothing,
    /// Records that are not there any more: the database does not check the pages that lead to them.
    Missing,
    Opening,
    Reading,
    Writing,
}

/// Opens a store, reads all of it in every way, and writes into it.
fn use_store(folder: &Path, records: &Records) -> Found {
    let store = match DiskStore::open(folder) {
        Ok(store) => store,
        Err(error) => {
            check_open_error(&error);
            return Found::Opening;
        }
    };
    if let Err(error) = read_everything(&store, records) {
        check_error(&error);
        if matches!(error, StoreError::Damaged { .. }) {
            let written = block_on(store.write(put(*b"more", *b"more")));
            assert!(
                matches!(written, Err(StoreError::Damaged { .. })),
                "{written:?}"
            );
        }
        return Found::Reading;
    }
    let mut found = Found::Nothing;
    for (key, value) in records {
        match block_on(store.read(key)).unwrap() {
            Some(read) => assert_eq!(read, *value, "nothing else is ever answered"),
            None => found = Found::Missing,
        }
    }
    let mut batch = Batch::new();
    records
        .keys()
        .step_by(2)
        .for_each(|key| batch.delete(key.clone()));
    batch.delete_prefix(1u32.to_be_bytes().to_vec());
    batch.put(b"more".to_vec(), vec![7; 100_000]);
    match block_on(store.write(batch)) {
        Ok(()) => found,
        Err(error) => {
            check_error(&error);
            Found::Writing
        }
    }
}

fn read_everything(store: &DiskStore, records: &Records) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = block_on(store.scan(b"", after.as_deref(), 50))?;
        after = page.entries.last().map(|(key, _)| key.clone()).or(after);
        if page.is_last {
            break;
        }
    }
    block_on(store.scan_keys(&2u32.to_be_bytes(), None, 1_000))?;
    for key in records.keys() {
        block_on(store.read(key))?;
    }
    block_on(store.read_many(records.keys().cloned().collect()))?;
    Ok(())
}

fn check_open_error(error: &OpenError) {
    let says_what_to_do = [
        "restore",
        "name another folder",
        "check the disk",
        "check its owner",
    ];
    let text = error.to_string();
    assert!(
        says_what_to_do.iter().any(|what| text.contains(what)),
        "{text}"
    );
}

fn check_error(error: &StoreError) {
    let text = error.to_string();
    assert!(
        text.contains("restore") || text.contains("check the disk"),
        "{text}"
    );
}

#[test]
fn a_file_with_any_altered_byte_panics_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let records = closed_store(folder.path());
    let original = fs::read(folder.path().join(FILE_NAME)).unwrap();
    // Pages that nothing was written to are of no interest.
    let interesting: Vec<_> = (0..original.len())
        .filter(|at| original[*at] != 0)
        .collect();
    let step = (interesting.len() / ALTERATIONS).max(1) | 1;
    // The database's panics are caught, and would fill the output.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let outcome = panic::catch_unwind(|| {
        let mut found = BTreeMap::<Found, u32>::new();
        for (number, at) in interesting.iter().step_by(step).enumerate() {
            let altered = tempfile::tempdir().unwrap();
            let mut bytes = original.clone();
            bytes[*at] ^= [0xff, 1, 0x80][number % 3];
            fs::write(altered.path().join(FILE_NAME), bytes).unwrap();
            *found
                .entry(use_store(altered.path(), &records))
                .or_default() += 1;
        }
        found
    });
    panic::set_hook(hook);
    let found = outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
    println!("{found:?}");
    assert!(
        found.keys().any(|found| *found > Found::Opening),
        "{found:?}"
    );
}
