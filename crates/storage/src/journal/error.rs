//! What can go wrong, a contract's fault apart from a node's.

use super::keys::{MAX_KEY_BYTES, MAX_PARTITION_BYTES};
use crate::store::{MAX_VALUE_BYTES, StoreError};

/// The most that one scan may cover, in bytes of keys (with their namespace) and, if they are asked
/// for, values. Each entry counts [`SCAN_ENTRY_OVERHEAD_BYTES`] more.
pub const MAX_SCAN_BYTES: usize = 64 << 20;

/// What an entry of a scan counts besides its key and value, so that many tiny ones are bounded too.
pub const SCAN_ENTRY_OVERHEAD_BYTES: usize = 64;

/// A contract asked for more than the protocol allows. The same on every node: it depends on the
/// state and the request, never on what is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// A key or prefix is too long.
    #[error("a key of {bytes} bytes is longer than the {MAX_KEY_BYTES} bytes allowed")]
    Key {
        /// Its length.
        bytes: usize,
    },
    /// A value is too long.
    #[error("a value of {bytes} bytes is longer than the {MAX_VALUE_BYTES} bytes allowed")]
    Value {
        /// Its length.
        bytes: usize,
    },
    /// More lies under a prefix than one scan may cover, in the committed state or in the current
    /// one.
    #[error("more than {MAX_SCAN_BYTES} bytes lie under a prefix; use longer prefixes")]
    Scan,
    /// Walking over what lies under a prefix costs more than the caller can pay, see
    /// [`ScanCost`](super::ScanCost).
    #[error("what lies under the prefix costs more to walk over than there is")]
    Cost,
}

/// Why a journal did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The contract's fault; it belongs into the block.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The node's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record that the state hash continues from is not one.
    #[error(
        "the state's accumulator has {bytes} bytes instead of 2048; restore the store from a backup"
    )]
    DamagedAccumulator {
        /// Its length.
        bytes: usize,
    },
    /// The partition's name is too long or empty.
    #[error("a partition of {bytes} bytes; it needs 1 to {MAX_PARTITION_BYTES}")]
    Partition {
        /// Its length.
        bytes: usize,
    },
    /// Two looks at the partition saw two states: somebody has written to it meanwhile. A chain's blocks are
    /// the only writers of its partition, so this happens to those who read without its lock.
    #[error("the state changed while it was read; read it again")]
    Changed,
    /// A mark that was released, rolled back across, or set on another journal: a mistake in the code
    /// above.
    #[error("the mark is no longer in force")]
    StaleMark,
}

/// Adds up what a scan covers.
#[derive(Default)]
pub(super) struct ScanSize {
    bytes: usize,
}

impl ScanSize {
    pub(super) fn add(&mut self, key: &[u8], value_bytes: usize) -> Result<(), LimitExceeded> {
        self.bytes += key.len() + value_bytes + SCAN_ENTRY_OVERHEAD_BYTES;
        if self.bytes > MAX_SCAN_BYTES {
            Err(LimitExceeded::Scan)
        } else {
            Ok(())
        }
    }
}
