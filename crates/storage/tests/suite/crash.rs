//! A process that is killed while it writes.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use futures::executor::block_on;
use resident_storage::{Batch, DiskStore, KeyValueStore};

use crate::common::dump;

/// Tells this test's own executable to be the process that gets killed.
const FOLDER_VARIABLE: &str = "RESIDENT_STORAGE_CRASH_FOLDER";
const WRITERS: u8 = 3;
const BATCH_KEYS: u8 = 20;
const ACKNOWLEDGED: &str = "acknowledged ";

/// The child; on its own it does nothing.
#[test]
fn write_until_killed() {
    let Some(folder) = env::var_os(FOLDER_VARIABLE) else {
        return;
    };
    let store = Arc::new(DiskStore::open(folder).unwrap());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let next = recovered(store.as_ref(), writer);
                for number in next..u32::MAX {
                    block_on(store.write(batch(writer, number))).unwrap();
                    println!("{ACKNOWLEDGED}{writer} {number}");
                }
            });
        }
    });
}

#[test]
fn a_killed_process_leaves_whole_batches_and_every_acknowledged_one() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..6_u64 {
        let acknowledged = run_and_kill(folder.path(), Duration::from_millis(20 + 17 * round));
        let store = DiskStore::open(folder.path()).unwrap();
        for writer in 0..WRITERS {
            let next = recovered(&store, writer);
            let promised = acknowledged[usize::from(writer)];
            assert!(
                next >= promised,
                "batch {promised} was acknowledged, found {next}"
            );
        }
    }
}

/// Number of the batch that follows what the store holds of a writer. Fails on half a batch.
fn recovered(store: &dyn KeyValueStore, writer: u8) -> u32 {
    let records = dump(store);
    let mut values = records
        .iter()
        .filter(|(key, _)| key[0] == writer)
        .map(|(_, value)| value);
    let Some(first) = values.next() else { return 0 };
    assert_eq!(values.clone().count() + 1, usize::from(BATCH_KEYS));
    assert!(
        values.all(|value| value == first),
        "a torn batch of writer {writer}"
    );
    u32::from_be_bytes(first[..4].try_into().unwrap()) + 1
}

/// Every batch of a writer replaces all of its keys, half of them by a deletion of the prefix.
fn batch(writer: u8, number: u32) -> Batch {
    let mut batch = Batch::new();
    batch.delete_prefix(vec![writer, 0]);
    for key in 0..BATCH_KEYS {
        batch.put(vec![writer, key % 2, key], number.to_be_bytes().repeat(200));
    }
    batch
}

/// Returns for each writer how many batches were acknowledged.
fn run_and_kill(folder: &Path, delay: Duration) -> [u32; WRITERS as usize] {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::write_until_killed", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = [0; WRITERS as usize];
    let (started, wait) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            for line in output.lines() {
                let line = line.unwrap();
                let Some((_, numbers)) = line.split_once(ACKNOWLEDGED) else {
                    continue;
                };
                let Some((writer, number)) = numbers.split_once(' ') else {
                    continue;
                };
                let writer: usize = writer.parse().unwrap();
                acknowledged[writer] = number.parse::<u32>().unwrap() + 1;
                // Nobody listens any more once the first batch was announced.
                started.send(()).ok();
            }
        });
        wait.recv_timeout(Duration::from_secs(60))
            .expect("the child writes");
        thread::sleep(delay);
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
    });
    acknowledged
}
