//! Writes that take effect together.

use crate::store::{MAX_STORED_KEY_BYTES, MAX_VALUE_BYTES, StoreError};

/// One step of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Stores a value, replacing an older one.
    Put {
        /// At most [`MAX_STORED_KEY_BYTES`].
        key: Vec<u8>,
        /// At most [`MAX_VALUE_BYTES`].
        value: Vec<u8>,
    },
    /// Removes a key; one that is absent stays absent.
    Delete {
        /// The key to remove.
        key: Vec<u8>,
    },
    /// Removes every key that starts with `prefix`; an empty prefix removes everything.
    DeletePrefix {
        /// What the removed keys start with.
        prefix: Vec<u8>,
    },
}

/// Operations that a store applies in order, and all of them or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Operation>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put at the end.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.operations.push(Operation::Put { key, value });
    }

    /// Adds the removal of one key at the end.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.operations.push(Operation::Delete { key });
    }

    /// Adds the removal of everything under a prefix at the end.
    pub fn delete_prefix(&mut self, prefix: Vec<u8>) {
        self.operations.push(Operation::DeletePrefix { prefix });
    }

    /// Adds all operations of another batch at the end.
    pub fn append(&mut self, mut other: Batch) {
        self.operations.append(&mut other.operations);
    }

    /// The operations, in the order in which they apply.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Takes the operations out, in order.
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Bytes of all keys, prefixes and values together.
    pub fn size_bytes(&self) -> usize {
        self.operations.iter().map(Operation::size_bytes).sum()
    }

    /// Refuses keys and values that are too long. Every store calls this before it writes, so that
    /// a batch which one store takes is taken by all.
    pub fn check(&self) -> Result<(), StoreError> {
        self.operations.iter().try_for_each(Operation::check)
    }
}

impl Operation {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
            Self::DeletePrefix { prefix } => prefix.len(),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let (key, value_bytes) = match self {
            Self::Put { key, value } => (key, value.len()),
            Self::Delete { key } => (key, 0),
            Self::DeletePrefix { prefix } => (prefix, 0),
        };
        if key.len() > MAX_STORED_KEY_BYTES {
            return Err(StoreError::KeyTooLong { bytes: key.len() });
        }
        if value_bytes > MAX_VALUE_BYTES {
            return Err(StoreError::ValueTooLong { bytes: value_bytes });
        }
        Ok(())
    }
}
