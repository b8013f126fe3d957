//! The complete mutable state of one instance: [`InstanceSnapshot`] within a process, and
//! [`PortableSnapshot`] between engines, processes and machines.
//!
//! A prepared module's mutable state is its memory and its mutable globals: preparation refuses
//! everything else that could change. The two meters (fuel and stack) are globals too, but they
//! belong to whoever enters the instance, and are not part of its state.

mod encoding;
mod portable;

use resident_base::CryptoHash;
use resident_witty::SnapshotSize;
use thiserror::Error;

pub use portable::{PortableSnapshot, SNAPSHOT_FORMAT_VERSION};

use crate::prepare::PreparedModule;
use portable::PAGE_BYTES;

/// The state of an instance at one moment: all of its memory, and its globals.
///
/// The form for checkpoints within a process. A plain copy into warm buffers is what every
/// instance can be checkpointed with at the speed of memory; see `benches/benches/snapshots.rs` for what
/// it was compared with.
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

    /// The same state in the portable form. `prepared` is the module that the snapshot was taken of.
    ///
    /// # Errors
    /// If it is another one.
    pub fn to_portable(&self, prepared: &PreparedModule) -> Result<PortableSnapshot, RestoreError> {
        RestoreError::check_module(self.module, prepared)?;
        let (started, globals) = (self.started, &self.globals);
        Ok(PortableSnapshot::new(
            None,
            prepared,
            started,
            globals,
            &self.memory,
        ))
    }

    /// The state of a portable snapshot of an instance of `prepared`.
    ///
    /// # Errors
    /// If the snapshot does not fit the module.
    pub fn from_portable(
        snapshot: &PortableSnapshot,
        prepared: &PreparedModule,
    ) -> Result<Self, RestoreError> {
        snapshot.check(prepared, 0)?;
        let mut memory = vec![0; snapshot.memory_bytes() as usize];
        prepared.starting_image.reset(&mut memory);
        snapshot.write_differences(&mut memory);
        Ok(InstanceSnapshot {
            module: snapshot.module(),
            started: snapshot.started(),
            memory,
            globals: snapshot.globals().to_vec(),
        })
    }

    /// Checks that the snapshot can be restored to an instance of `prepared` whose memory has
    /// `memory_bytes` now.
    pub(crate) fn check(
        &self,
        prepared: &PreparedModule,
        memory_bytes: u64,
    ) -> Result<(), RestoreError> {
        RestoreError::check_module(self.module, prepared)?;
        RestoreError::check_memory(self.memory.len() as u64, prepared, memory_bytes)
    }
}

/// Makes a memory equal to `source`, which has its size, by writing only where it differs.
///
/// Most of a rollback finds nothing to do, and reading both sides is cheaper than writing one: a cold page that is
/// written is a page fault, and a warm one leaves the cache again. Small pieces keep what was read for the comparison
/// at hand for the copy, so that even a memory that differs everywhere takes about as long as a plain copy.
pub(crate) fn write_differing(memory: &mut [u8], source: &[u8]) {
    let pieces = memory.chunks_exact_mut(COMPARED_BYTES);
    for (piece, source) in pieces.zip(source.chunks_exact(COMPARED_BYTES)) {
        if piece != source {
            piece.copy_from_slice(source);
        }
    }
}

/// The size of those pieces, which divides that of a page.
const COMPARED_BYTES: usize = 256;

impl SnapshotSize for InstanceSnapshot {
    fn snapshot_bytes(&self) -> u64 {
        (self.memory.len() + self.globals.len() * size_of::<u64>()) as u64
    }
}

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The first bytes are not those of a snapshot.
    #[error("these bytes are no snapshot: they do not begin with `RSNP`")]
    NotASnapshot,
    /// The snapshot was written in another version of the format.
    #[error(
        "the snapshot has format version {found}, this build reads version {SNAPSHOT_FORMAT_VERSION}; take it anew"
    )]
    Version {
        /// The version that it has.
        found: u32,
    },
    /// The bytes end too early.
    #[error("the snapshot was cut off after {found} bytes, or its counts are corrupt")]
    CutOff {
        /// The bytes that are there.
        found: u64,
    },
    /// The bytes go on behind the end.
    #[error("{more} bytes follow the end of the snapshot")]
    TooLong {
        /// The bytes behind the end.
        more: u64,
    },
    /// A field has a value that it cannot have.
    #[error("the snapshot is corrupt: {0}")]
    Corrupt(&'static str),
    /// The hash at the end is not that of the bytes.
    #[error("the snapshot is corrupt: its hash is {found}, it says {expected}")]
    Hash {
        /// The hash of the bytes.
        found: CryptoHash,
        /// The hash at the end.
        expected: CryptoHash,
    },
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
    /// No instance of the module has so small a memory.
    #[error("the snapshot's memory has {snapshot} bytes, the module starts with {initial}")]
    MemoryTooSmall {
        /// The snapshot's memory size in bytes.
        snapshot: u64,
        /// The size at instantiation in bytes.
        initial: u64,
    },
    /// The snapshot's globals are not those of the module, in number or in width.
    #[error("the snapshot's globals do not fit those of the module")]
    OtherGlobals,
    /// The snapshot holds words that are what they were at instantiation, so its state has another
    /// encoding too.
    #[error("the snapshot is not in its canonical encoding")]
    NotCanonical,
}

impl RestoreError {
    fn check_module(snapshot: CryptoHash, prepared: &PreparedModule) -> Result<(), Self> {
        let instance = prepared.hash();
        match snapshot == instance {
            true => Ok(()),
            false => Err(Self::OtherModule { snapshot, instance }),
        }
    }

    /// Checks that a memory of `instance` bytes can become one of `snapshot` bytes.
    fn check_memory(snapshot: u64, prepared: &PreparedModule, instance: u64) -> Result<(), Self> {
        let bytes = |pages: u32| u64::from(pages) * PAGE_BYTES as u64;
        let initial = bytes(prepared.memory_initial_pages);
        if snapshot < initial {
            return Err(Self::MemoryTooSmall { snapshot, initial });
        }
        if snapshot > bytes(prepared.memory_maximum_pages) {
            return Err(Self::MemoryTooLarge { snapshot });
        }
        if snapshot < instance {
            return Err(Self::MemoryGrew { snapshot, instance });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences at the first, the last and other bytes of pieces, and in neighbours.
    #[test]
    fn a_memory_becomes_what_the_snapshot_was() {
        let source: Vec<u8> = (0..PAGE_BYTES).map(|index| (index % 251) as u8).collect();
        for places in [
            vec![],
            vec![0],
            vec![PAGE_BYTES - 1],
            vec![255, 256, 1_000, 40_000],
            (0..PAGE_BYTES).collect(),
        ] {
            let mut memory = source.clone();
            for place in places {
                memory[place] ^= 0x80;
            }
            write_differing(&mut memory, &source);
            assert!(memory == source);
        }
    }
}
