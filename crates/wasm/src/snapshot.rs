//! The complete mutable state of one instance, in the form used within a process.
//!
//! A prepared module's mutable state is its memory and its mutable globals: preparation refuses
//! everything else that could change. The two meters (fuel and stack) are globals too, but they
//! belong to whoever enters the instance, and are not part of its state.

use resident_base::CryptoHash;
use resident_witty::SnapshotSize;
use thiserror::Error;

/// The state of an instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSnapshot {
    /// The prepared module that the state belongs to.
    pub(crate) module: CryptoHash,
    /// Whether the module's start function has run.
    pub(crate) started: bool,
    /// All of the memory; its length is the memory's size.
    pub(crate) memory: Vec<u8>,
    /// The captured globals in the order of the prepared module's list, as raw bits.
    pub(crate) globals: Vec<u64>,
}

impl Default for InstanceSnapshot {
    /// Empty buffers, to take a first snapshot into.
    fn default() -> Self {
        let module = CryptoHash::from([0; 32]);
        InstanceSnapshot {
            module,
            started: false,
            memory: Vec::new(),
            globals: Vec::new(),
        }
    }
}

impl InstanceSnapshot {
    /// The prepared module that the snapshot can be restored to.
    pub fn module(&self) -> CryptoHash {
        self.module
    }

    /// The memory as it was.
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// The captured globals as they were, as raw bits.
    pub fn globals(&self) -> &[u64] {
        &self.globals
    }
}

impl SnapshotSize for InstanceSnapshot {
    fn snapshot_bytes(&self) -> u64 {
        (self.memory.len() + self.globals.len() * size_of::<u64>()) as u64
    }
}

/// Why a snapshot cannot be restored. The instance is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// The snapshot was taken of another module.
    #[error("the snapshot belongs to module {snapshot}, the instance runs {instance}")]
    OtherModule {
        /// The module of the snapshot.
        snapshot: CryptoHash,
        /// The module of the instance.
        instance: CryptoHash,
    },
    /// The snapshot was taken on another engine, in that engine's own form.
    #[error("the snapshot was taken on another engine")]
    OtherEngine,
    /// Memory cannot shrink: take a new instance.
    #[error(
        "the memory has grown to {instance} bytes since the snapshot of {snapshot} bytes; restore to a new instance"
    )]
    MemoryGrew {
        /// The snapshot's memory size in bytes.
        snapshot: u64,
        /// The instance's memory size in bytes.
        instance: u64,
    },
    /// The memory cannot be as large as the snapshot's.
    #[error("the memory cannot grow to the snapshot's {snapshot} bytes")]
    MemoryTooLarge {
        /// The snapshot's memory size in bytes.
        snapshot: u64,
    },
}

impl InstanceSnapshot {
    /// Checks that the snapshot can be restored to an instance of `prepared` whose memory has
    /// `memory_bytes` now.
    pub(crate) fn check(
        &self,
        prepared: &crate::prepare::PreparedModule,
        memory_bytes: u64,
    ) -> Result<(), RestoreError> {
        if self.module != prepared.hash() {
            let (snapshot, instance) = (self.module, prepared.hash());
            return Err(RestoreError::OtherModule { snapshot, instance });
        }
        let snapshot = self.memory.len() as u64;
        if snapshot < memory_bytes {
            return Err(RestoreError::MemoryGrew {
                snapshot,
                instance: memory_bytes,
            });
        }
        Ok(())
    }
}
