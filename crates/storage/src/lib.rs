//! Key-value stores, and the journaled state above them that checkpoints and hashes.
//!
//! Two layers:
//!
//! - A [`KeyValueStore`] keeps bytes under bytes and writes a [`Batch`] as a whole or not at all.
//!   [`MemoryStore`] is for tests and short-lived chains, [`DiskStore`] for nodes.
//! - A [`Journal`] is the state of one partition (one chain) during one block. It remembers what the
//!   block has read, keeps what it wrote, returns to a [`Mark`] by undoing only what changed since,
//!   and ends as one [`Batch`] together with a hash of the whole content.
//!
//! ```
//! use std::sync::Arc;
//! use futures::executor::block_on;
//! use resident_storage::{Journal, KeyValueStore, MemoryStore, Namespace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::default());
//! let mut journal = Journal::open(store.clone(), b"chain 1".to_vec())?;
//! journal.put(Namespace::System, b"balance", b"10".to_vec())?;
//! let mark = journal.mark();
//! journal.put(Namespace::System, b"balance", b"0".to_vec())?;
//! journal.roll_back(mark)?;
//! let finished = journal.finish()?;
//! assert_eq!(finished.changes, 1);
//! block_on(store.write(finished.batch))?;
//!
//! let mut journal = Journal::open(store, b"chain 1".to_vec())?;
//! let balance = journal.read(Namespace::System, b"balance")?;
//! assert_eq!(balance.as_deref(), Some(&b"10"[..]));
//! assert_eq!(journal.state_hash()?, finished.state_hash);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod batch;
#[cfg(not(target_family = "wasm"))]
mod disk;
mod journal;
mod memory;
mod page;
mod store;
mod wait;

pub use batch::{Batch, Operation};
#[cfg(not(target_family = "wasm"))]
pub use disk::{DiskStore, FORMAT_VERSION, OpenError};
pub use journal::{
    Finished, Journal, JournalError, LimitExceeded, LocalTag, MAX_KEY_BYTES, MAX_PARTITION_BYTES,
    MAX_SCAN_BYTES, Mark, Namespace, SCAN_ENTRY_OVERHEAD_BYTES, Scan, ScanCost, Statistics, Value,
    partition_key, partition_state_key,
};
pub use memory::MemoryStore;
pub use page::{MAX_PAGE_BYTES, Page};
pub use store::{
    KeyValueStore, MAX_STORED_KEY_BYTES, MAX_VALUE_BYTES, MaybeSendSync, StoreError, StoreFuture,
};
pub use wait::wait;
