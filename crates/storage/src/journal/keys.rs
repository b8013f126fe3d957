//! How keys of the state and of the node are laid out in the store.

use resident_base::CryptoHash;

use super::error::{JournalError, LimitExceeded};

/// The longest key of a value, or prefix of a scan, in bytes, without its namespace.
pub const MAX_KEY_BYTES: usize = 4 << 10;

/// The longest name of a partition, in bytes.
pub const MAX_PARTITION_BYTES: usize = 256;

const ACCUMULATOR_TAG: u8 = 0;
const SYSTEM_TAG: u8 = 1;
const APPLICATION_TAG: u8 = 2;
const LOCAL_TAG: u8 = 0x80;

/// Whose value a key names. Keys of different namespaces never meet, in reads or in scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// The chain itself.
    System,
    /// One application on the chain, by the hash that identifies it.
    Application(CryptoHash),
}

/// Says which kind of node-local record a key belongs to: records beside the state, in the same
/// partition and batch, that are not part of the state and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTag(u8);

impl LocalTag {
    /// One of 128 kinds.
    ///
    /// # Panics
    /// If `number` is above 127. Make tags in constants, where that fails to compile.
    pub const fn new(number: u8) -> Self {
        assert!(number < LOCAL_TAG, "there are 128 kinds of local records");
        Self(LOCAL_TAG | number)
    }
}

/// The stored key of a node-local record. An empty `key` gives the prefix of all records of that
/// kind.
pub fn partition_key(partition: &[u8], tag: LocalTag, key: &[u8]) -> Vec<u8> {
    [partition, &[tag.0], key].concat()
}

/// The stored key of a value of the state, for readers of what is committed: they need no journal.
pub fn partition_state_key(partition: &[u8], namespace: Namespace, key: &[u8]) -> Vec<u8> {
    stored_key(partition, &state_key(namespace, key))
}

pub(super) fn accumulator_key(partition: &[u8]) -> Vec<u8> {
    [partition, &[ACCUMULATOR_TAG]].concat()
}

/// A key as the journal and the hash know it: everything behind the partition. No two pairs of
/// namespace and key share one, since an application's hash has a fixed length.
pub(super) fn state_key(namespace: Namespace, key: &[u8]) -> Vec<u8> {
    match namespace {
        Namespace::System => [&[SYSTEM_TAG], key].concat(),
        Namespace::Application(hash) => {
            [&[APPLICATION_TAG], hash.as_bytes().as_slice(), key].concat()
        }
    }
}

pub(super) fn stored_key(partition: &[u8], state_key: &[u8]) -> Vec<u8> {
    [partition, state_key].concat()
}

pub(super) fn check_key(key: &[u8]) -> Result<(), LimitExceeded> {
    if key.len() > MAX_KEY_BYTES {
        return Err(LimitExceeded::Key { bytes: key.len() });
    }
    Ok(())
}

pub(super) fn check_partition(partition: &[u8]) -> Result<(), JournalError> {
    if partition.is_empty() || partition.len() > MAX_PARTITION_BYTES {
        return Err(JournalError::Partition {
            bytes: partition.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MAX_STORED_KEY_BYTES;

    #[test]
    fn the_longest_key_fits_the_store() {
        const { assert!(MAX_PARTITION_BYTES + 1 + 32 + MAX_KEY_BYTES <= MAX_STORED_KEY_BYTES) };
    }

    #[test]
    fn local_records_lie_apart_from_the_state() {
        let local = partition_key(b"chain", LocalTag::new(0), b"key");
        assert_eq!(local, b"chain\x80key");
        assert_ne!(
            local,
            stored_key(b"chain", &state_key(Namespace::System, b"key"))
        );
    }
}
