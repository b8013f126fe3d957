//! What a key-value store has to offer.

use std::{error::Error, pin::Pin, sync::Arc};

use crate::{batch::Batch, page::Page};

/// The longest key a store takes, in bytes. It leaves room for a partition and a namespace in front
/// of the longest key of a [`Journal`](crate::Journal).
pub const MAX_STORED_KEY_BYTES: usize = 5 << 10;

/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 16 << 20;

/// What a store's methods return. It can move between threads, except in a browser, where stores
/// are bound to the thread that opened them.
#[cfg(not(target_family = "wasm"))]
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a store's methods return. In a browser it stays on the thread that opened the store.
#[cfg(target_family = "wasm")]
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + 'a>>;

/// `Send + Sync` on native targets, nothing in a browser.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSendSync: Send + Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync + ?Sized> MaybeSendSync for T {}

/// `Send + Sync` on native targets, nothing in a browser.
#[cfg(target_family = "wasm")]
pub trait MaybeSendSync {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSendSync for T {}

/// Bytes under bytes, ordered by key. Used as `Arc<dyn KeyValueStore>`.
///
/// An implementer guarantees that
///
/// - a batch is written as a whole or not at all, also when the process is killed;
/// - whatever starts after a `write` has answered `Ok` sees that write, and so does a store that is
///   opened again later, if the store keeps anything at all;
/// - writes take effect in the order in which they were first polled, an empty one included, which so
///   tells when those before it are done;
/// - each single call sees the whole of every batch or nothing of it. Two calls may see different
///   states: a scan of several pages is consistent only if nobody writes into its range meanwhile.
///   A chain's partition has one writer, which is what makes that hold.
///
/// Futures do nothing until polled. A write whose future is dropped may or may not happen.
pub trait KeyValueStore: MaybeSendSync {
    /// The value of one key.
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// The values of several keys, in the order of the keys, all from one state.
    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>>;

    /// Keys that start with `prefix` and come after `start_after`, with their values, in key order:
    /// at most `limit` (at least 1) and about [`MAX_PAGE_BYTES`](crate::MAX_PAGE_BYTES).
    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>>;

    /// As [`scan`](Self::scan), without the values.
    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>>;

    /// Writes a batch, durably where the store is durable at all.
    fn write(&self, batch: Batch) -> StoreFuture<'_, ()>;
}

/// Why a store did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A key is longer than [`MAX_STORED_KEY_BYTES`].
    #[error("a key of {bytes} bytes is longer than the {MAX_STORED_KEY_BYTES} bytes a store takes")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A value is longer than [`MAX_VALUE_BYTES`].
    #[error("a value of {bytes} bytes is longer than the {MAX_VALUE_BYTES} bytes a store takes")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The store is shutting down, or its writer has stopped.
    #[error("the store is closed; open it again")]
    Closed,
    /// The data on disk does not make sense.
    #[error(
        "the store is damaged ({reason}); stop the node and restore the folder from a backup, or move it away and let the node fetch its chains again"
    )]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// Reading or writing failed. After a failed write it is unknown whether the batch was stored.
    #[error("the store failed: {0}; check the disk and its free space, then open the store again")]
    Failed(Arc<dyn Error + Send + Sync>),
    /// Only in a browser: state was read that had not been loaded before, and the thread that asks
    /// cannot wait.
    #[error("the store has to wait, which this thread cannot; load the partition before the block")]
    WouldBlock,
}

/// Every key that starts with `prefix` is below this one; `None` if there is no such bound.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::prefix_end;

    #[test]
    fn prefix_end_is_the_next_string_of_at_most_that_length() {
        assert_eq!(prefix_end(b""), None);
        assert_eq!(prefix_end(&[255, 255]), None);
        assert_eq!(prefix_end(&[1, 255]), Some(vec![2]));
        assert_eq!(prefix_end(&[1, 2]), Some(vec![1, 3]));
    }
}
