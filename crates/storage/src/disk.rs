//! A store on a local disk.
//!
//! One folder holds one file, [`FILE_NAME`], a redb database with two tables: the records, and a
//! format version. The store puts nothing else there. A commit is one redb transaction with an fsync; a
//! process that is killed leaves the state after some whole number of transactions, and opening the
//! file repairs it without help.
//!
//! Writes of all callers go to one thread, which puts everything that waits into one transaction:
//! chains that finish a block together share one fsync. Reads run on the caller's thread against
//! the last commit and never wait for a writer.

mod damage;
mod open;
mod record;
mod writer;

use std::{ops::Bound, path::Path, sync::Arc};

use futures::future::ready;
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use damage::{Damage, failure, without_panic};
pub use open::OpenError;
use writer::Writer;

use crate::{
    batch::Batch,
    page::{Page, fill_page},
    store::{KeyValueStore, StoreError, StoreFuture},
};

/// The layout of the records that this version of the crate reads and writes. Opening a folder of
/// any other version is refused and changes nothing.
pub const FORMAT_VERSION: u32 = 2;

/// The database's name inside its folder.
const FILE_NAME: &str = "resident.redb";

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// A store in one file on a local disk; see the module's source for its layout. Share it as
/// `Arc<DiskStore>`. Dropping it finishes the queued writes and stops the writer thread.
pub struct DiskStore {
    /// Taken only when dropped.
    database: Option<Arc<Database>>,
    damage: Arc<Damage>,
    /// Taken only when dropped.
    writer: Option<Writer>,
}

impl DiskStore {
    /// Opens the store in a folder, which is made if it does not exist.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let database = Arc::new(open::open(folder.as_ref())?);
        let damage = Arc::new(Damage::default());
        let writer = Writer::start(database.clone(), damage.clone());
        let writer = writer.map_err(|source| OpenError::NoThread {
            folder: folder.as_ref().to_owned(),
            source,
        })?;
        Ok(Self {
            database: Some(database),
            damage,
            writer: Some(writer),
        })
    }

    /// Number of transactions that the writer has committed since the store was opened. Several
    /// batches may share one.
    pub fn commits(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::commits)
    }

    fn records(&self) -> Result<Records, StoreError> {
        let database = self.database.as_ref().ok_or(StoreError::Closed)?;
        let transaction = database.begin_read().map_err(failure)?;
        transaction.open_table(RECORDS).map_err(failure)
    }

    fn read_now(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.damage.guard(|| get(&self.records()?, key))
    }

    fn read_many_now(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.damage.guard(|| {
            let records = self.records()?;
            keys.iter().map(|key| get(&records, key)).collect()
        })
    }

    /// `entry` copies what the caller wants of a key and its value.
    fn scan_now<T>(
        &self,
        range: ScanRange<'_>,
        entry: impl Fn(&[u8], &[u8]) -> T,
        size_bytes: impl Fn(&T) -> usize,
    ) -> Result<Page<T>, StoreError> {
        self.damage.guard(|| {
            let records = self.records()?;
            let start = match range.start_after {
                Some(after) if after >= range.prefix => Bound::Excluded(after),
                _ => Bound::Included(range.prefix),
            };
            let mut order = Order::default();
            let entries = records
                .range::<&[u8]>((start, Bound::Unbounded))
                .map_err(failure)?
                .map(|found| {
                    let (key, value) = found.map_err(failure)?;
                    order.check(key.value())?;
                    if !key.value().starts_with(range.prefix) {
                        return Ok(None);
                    }
                    let value = record::open(key.value(), value.value())?;
                    Ok(Some(entry(key.value(), value)))
                })
                .map_while(Result::transpose);
            fill_page(entries, range.limit, &size_bytes)
        })
    }
}

/// A scan comes to an end only if its keys ascend, which those of damaged pages may not.
#[derive(Default)]
struct Order {
    last: Option<Vec<u8>>,
}

impl Order {
    fn check(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if self.last.as_deref().is_some_and(|last| last >= key) {
            let reason = "its keys are out of order".to_owned();
            return Err(StoreError::Damaged { reason });
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        Ok(())
    }
}

impl KeyValueStore for DiskStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(ready(self.read_now(key)))
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        Box::pin(ready(self.read_many_now(&keys)))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        let range = ScanRange {
            prefix,
            start_after,
            limit,
        };
        let page = self.scan_now(
            range,
            |key, value| (key.to_vec(), value.to_vec()),
            |(key, value)| key.len() + value.len(),
        );
        Box::pin(ready(page))
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        let range = ScanRange {
            prefix,
            start_after,
            limit,
        };
        Box::pin(ready(self.scan_now(range, |key, _| key.to_vec(), Vec::len)))
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        match &self.writer {
            Some(writer) => Box::pin(writer.write(batch)),
            None => Box::pin(ready(Err(StoreError::Closed))),
        }
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        // Finishes what is queued, and lets go of the database.
        self.writer = None;
        let database = self.database.take();
        if self.damage.is_found() {
            // Closing would write into the file. The system closes it when the process ends.
            std::mem::forget(database);
            return;
        }
        // Nobody can be told any more. Whoever opens it next finds out.
        let _ = without_panic(|| drop(database));
    }
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DiskStore").finish_non_exhaustive()
    }
}

type Records = ReadOnlyTable<&'static [u8], &'static [u8]>;

#[derive(Clone, Copy)]
struct ScanRange<'a> {
    prefix: &'a [u8],
    start_after: Option<&'a [u8]>,
    limit: usize,
}

fn get(records: &Records, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(stored) = records.get(key).map_err(failure)? else {
        return Ok(None);
    };
    Ok(Some(record::open(key, stored.value())?.to_vec()))
}
