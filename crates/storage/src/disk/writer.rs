//! Group commit: one thread, one transaction for everything that waits.

use std::{
    io,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use futures::{
    SinkExt, StreamExt,
    channel::{mpsc, oneshot},
    executor::block_on,
};
use redb::{Database, Durability, Table, WriteTransaction};

use super::{
    RECORDS,
    damage::{Damage, failure},
    record,
};
use crate::{
    batch::{Batch, Operation},
    store::{StoreError, prefix_end},
};

/// Batches that may wait in the queue, besides one for each caller that waits to enter it.
const QUEUE_BATCHES: usize = 256;

/// A group takes no further batch once it has this many,
const GROUP_BATCHES: usize = 256;

/// or this many bytes.
const GROUP_BYTES: usize = 64 << 20;

/// The writer thread and the way to it.
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

struct Request {
    batch: Batch,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, damage: Arc<Damage>) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_BATCHES);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = commits.clone();
        let thread = thread::Builder::new()
            .name("resident-store".to_owned())
            .spawn(move || run(&database, &damage, requests, &counter))?;
        Ok(Self {
            queue,
            thread: Some(thread),
            commits,
        })
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Answers when the batch is durable.
    pub(super) async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let (answer, answered) = oneshot::channel();
        let mut queue = self.queue.clone();
        queue
            .send(Request { batch, answer })
            .await
            .map_err(|_| StoreError::Closed)?;
        // A thread that ends without an answer dropped the other half.
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing keeps what is queued: the thread finishes that and then ends.
        self.queue.close_channel();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the thread, and its callers have been answered.
            drop(thread.join());
        }
    }
}

fn run(
    database: &Database,
    damage: &Damage,
    mut requests: mpsc::Receiver<Request>,
    commits: &AtomicU64,
) {
    while let Some(first) = block_on(requests.next()) {
        let group = collect_group(first, &mut requests);
        let result = damage.guard(|| commit(database, &group));
        if result.is_ok() {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        for request in group {
            // The caller may have stopped waiting.
            drop(request.answer.send(result.clone()));
        }
    }
}

fn collect_group(first: Request, requests: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.batch.size_bytes();
    let mut group = vec![first];
    while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
        let Ok(request) = requests.try_recv() else {
            break;
        };
        bytes += request.batch.size_bytes();
        group.push(request);
    }
    group
}

fn commit(database: &Database, group: &[Request]) -> Result<(), StoreError> {
    // If the database panics, its transaction is left as it is: ending it would go over the same pages again.
    let mut transaction = ManuallyDrop::new(database.begin_write().map_err(failure)?);
    let written = write_all(&mut transaction, group);
    let transaction = ManuallyDrop::into_inner(transaction);
    written?;
    transaction.commit().map_err(failure)
}

fn write_all(transaction: &mut WriteTransaction, group: &[Request]) -> Result<(), StoreError> {
    transaction
        .set_durability(Durability::Immediate)
        .map_err(failure)?;
    let mut records = transaction.open_table(RECORDS).map_err(failure)?;
    let mut operations = group.iter().flat_map(|request| request.batch.operations());
    operations.try_for_each(|operation| apply(&mut records, operation))
}

fn apply(
    records: &mut Table<'_, &'static [u8], &'static [u8]>,
    operation: &Operation,
) -> Result<(), StoreError> {
    match operation {
        Operation::Put { key, value } => {
            records
                .insert(key.as_slice(), record::seal(key, value).as_slice())
                .map_err(failure)?;
        }
        Operation::Delete { key } => {
            records.remove(key.as_slice()).map_err(failure)?;
        }
        Operation::DeletePrefix { prefix } => delete_prefix(records, prefix)?,
    }
    Ok(())
}

fn delete_prefix(
    records: &mut Table<'_, &'static [u8], &'static [u8]>,
    prefix: &[u8],
) -> Result<(), StoreError> {
    let deleted = match prefix_end(prefix) {
        Some(end) => records.retain_in(prefix..end.as_slice(), |_, _| false),
        None => records.retain_in(prefix.., |_, _| false),
    };
    deleted.map_err(failure)
}
