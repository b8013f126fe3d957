//! What only the store on disk does.

use std::{fs, path::Path, sync::Arc, thread};

use futures::{executor::block_on, future::join_all};
use resident_storage::{DiskStore, FORMAT_VERSION, KeyValueStore, OpenError};

use crate::common::{dump, put};

const FILE_NAME: &str = "resident.redb";

#[test]
fn a_reopened_store_has_every_commit() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("made/on/the/way");
    for round in 0..5_u8 {
        let store = DiskStore::open(&nested).unwrap();
        assert_eq!(dump(&store).len(), usize::from(round));
        block_on(store.write(put([round], [round]))).unwrap();
    }
}

#[test]
fn threads_share_commits_and_all_of_them_are_durable() {
    const THREADS: u8 = 8;
    const BATCHES: u8 = 20;
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DiskStore::open(folder.path()).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 0..BATCHES {
                    let mut batch = put([thread, number, 0], [number]);
                    batch.put(vec![thread, number, 1], vec![number]);
                    block_on(store.write(batch)).unwrap();
                    let seen = block_on(store.read(&[thread, number, 1])).unwrap();
                    assert_eq!(seen, Some(vec![number]), "a finished write is visible");
                }
            });
        }
    });
    drop(store);
    let records = dump(&DiskStore::open(folder.path()).unwrap());
    assert_eq!(
        records.len(),
        usize::from(THREADS) * usize::from(BATCHES) * 2
    );
    assert!(records.iter().all(|(key, value)| key[1] == value[0]));
}

#[test]
fn writes_that_wait_together_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let writes = (0..100_u8).map(|number| store.write(put([number], [number])));
    for result in block_on(join_all(writes)) {
        result.unwrap();
    }
    assert_eq!(dump(&store).len(), 100);
    assert!(
        store.commits() < 50,
        "{} commits for 100 batches",
        store.commits()
    );
}

#[test]
fn later_batches_of_a_group_win() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let writes = (0..50_u8).map(|number| store.write(put("key", [number])));
    block_on(join_all(writes));
    assert_eq!(block_on(store.read(b"key")).unwrap(), Some(vec![49]));
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    assert!(matches!(
        DiskStore::open(&path),
        Err(OpenError::NotAFolder { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_named() {
    // Even the administrator, as whom tests may run, cannot make files here.
    for folder in ["/proc", "/proc/resident"] {
        let error = DiskStore::open(folder).unwrap_err();
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains("permissions"));
    }
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = DiskStore::open(folder.path()).unwrap();
    let error = DiskStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(first);
    DiskStore::open(folder.path()).unwrap();
}

#[test]
fn another_format_version_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    block_on(DiskStore::open(folder.path()).unwrap().write(put("a", "1"))).unwrap();
    set_version(folder.path(), FORMAT_VERSION + 1);
    let before = fs::read(folder.path().join(FILE_NAME)).unwrap();
    let error = DiskStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::OtherVersion { found, .. } if found == FORMAT_VERSION + 1));
    assert!(
        error.to_string().contains("run the program that wrote it"),
        "{error}"
    );
    assert!(fs::read(folder.path().join(FILE_NAME)).unwrap() == before);
    set_version(folder.path(), FORMAT_VERSION);
    assert_eq!(dump(&DiskStore::open(folder.path()).unwrap()).len(), 1);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = redb::Database::create(folder.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(redb::TableDefinition::<u8, u8>::new("theirs"))
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(
        DiskStore::open(folder.path()),
        Err(OpenError::Foreign { .. })
    ));
}

#[test]
fn an_empty_file_counts_as_new() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), "").unwrap();
    DiskStore::open(folder.path()).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_damaged() {
    for content in [&b"x"[..], &[0; 100_000], &[255; 5000]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), content).unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("backup"));
        assert_eq!(fs::read(folder.path().join(FILE_NAME)).unwrap(), content);
    }
}

#[test]
fn a_truncated_or_overwritten_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    for number in 0..200_u8 {
        block_on(store.write(put([number], vec![number; 3000]))).unwrap();
    }
    drop(store);
    let path = folder.path().join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    let mut zeroed = whole.clone();
    zeroed[64..].fill(0);
    for content in [&whole[..whole.len() / 2], &whole[..400], &zeroed] {
        fs::write(&path, content).unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}

fn set_version(folder: &Path, version: u32) {
    let database = redb::Database::create(folder.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u32>::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format version", version)
        .unwrap();
    transaction.commit().unwrap();
}
