//! What views read from and write to.

/// Keys and values behind views. Every method is one call of the host.
pub trait Store: Clone + Send + Sync + 'static {
    /// The value of a key.
    fn read_value(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// The values of several keys, in the same order.
    fn read_values(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>>;

    /// Whether the key has a value.
    fn contains_key(&self, key: &[u8]) -> bool;

    /// The keys that begin with the prefix, without it, in the order of their bytes.
    fn find_keys(&self, prefix: &[u8]) -> Vec<Vec<u8>>;

    /// The keys that begin with the prefix, without it, in the order of their bytes, with their values.
    fn find_key_values(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Writes everything in the batch.
    fn write_batch(&self, batch: Batch);
}

/// One change of storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOperation {
    /// Removes a key.
    Delete(Vec<u8>),
    /// Removes all keys that begin with this.
    DeletePrefix(Vec<u8>),
    /// Sets a key to a value.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its new value.
        value: Vec<u8>,
    },
}

/// Changes of storage that are written together.
///
/// A key is put or deleted at most once in a batch; a deletion of a prefix comes before everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<WriteOperation>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Removes a key.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.operations.push(WriteOperation::Delete(key));
    }

    /// Removes all keys that begin with `prefix`, before anything of the batch is put there.
    pub fn delete_prefix(&mut self, prefix: Vec<u8>) {
        self.operations.push(WriteOperation::DeletePrefix(prefix));
    }

    /// Sets a key to a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.operations.push(WriteOperation::Put { key, value });
    }

    /// The operations in the order of their keys. A prefix sorts before what it covers, so this is also an order in
    /// which they can be applied.
    pub fn into_operations(mut self) -> Vec<WriteOperation> {
        self.operations
            .sort_by(|left, right| left.order().cmp(&right.order()));
        self.operations
    }
}

impl WriteOperation {
    fn order(&self) -> (&[u8], bool) {
        match self {
            WriteOperation::DeletePrefix(prefix) => (prefix, false),
            WriteOperation::Delete(key) | WriteOperation::Put { key, .. } => (key, true),
        }
    }
}
