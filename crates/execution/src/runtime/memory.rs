//! What a block keeps in memory until it is written, against a limit.
//!
//! Counted is what transactions have caused, by rules that do not depend on the node: the sizes of the
//! instances' memories, of the writes that wait for the block's end, and of the answers and effects that
//! become part of the block. It goes back with a rollback. What a node keeps besides, caches of reads and the
//! undo log, is bounded by constants or by what is counted here.

use super::Runtime;
use crate::Stop;

/// How often the memory of an instance exists at most: the instance itself, and its snapshot.
const INSTANCE_COPIES: u64 = 2;

/// What something kept counts besides its bytes.
const KEPT_OVERHEAD_BYTES: u64 = 256;

/// What a block keeps, in bytes, besides the writes that its journal knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptMemory {
    /// The memories of all loaded applications.
    instances: u64,
    /// Answers from outside, messages, events and blobs.
    effects: u64,
}

impl KeptMemory {
    /// Takes note that an instance's memory is now so large.
    fn resize(&mut self, known: &mut u64, bytes: u64) {
        self.instances = self.instances.saturating_sub(*known).saturating_add(bytes);
        *known = bytes;
    }

    fn total(&self) -> u64 {
        let instances = self.instances.saturating_mul(INSTANCE_COPIES);
        instances.saturating_add(self.effects)
    }
}

impl Runtime {
    /// Fails if the block keeps more than it may.
    pub(crate) fn check_memory(&mut self) -> Result<(), Stop> {
        let bytes = self.memory_bytes();
        let limit = self.context.policy.limits.memory_bytes;
        self.usage.count_memory(bytes, limit)
    }

    /// What the block's transactions let it keep, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let written = self.journal.written_bytes();
        let written = written.saturating_sub(self.opening_bytes);
        self.usage.memory.total().saturating_add(written)
    }

    /// Counts something that becomes part of the block.
    pub(super) fn keep(&mut self, bytes: usize) -> Result<(), Stop> {
        let bytes = (bytes as u64).saturating_add(KEPT_OVERHEAD_BYTES);
        let effects = &mut self.usage.memory.effects;
        *effects = effects.saturating_add(bytes);
        self.check_memory()
    }

    /// Says how much of the running instance's memory has been counted before it was entered.
    pub(super) fn count_instance(&mut self, bytes: u64) {
        if let Some(frame) = self.frames.last_mut() {
            frame.memory_bytes = bytes;
        }
    }

    /// Takes note of the size of the running instance's memory.
    pub(super) fn note_instance(&mut self, bytes: u64) {
        if let Some(frame) = self.frames.last_mut() {
            self.usage.memory.resize(&mut frame.memory_bytes, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_counts_with_its_snapshot_and_only_what_it_has_now() {
        let (mut memory, mut one, mut two) = (KeptMemory::default(), 0, 0);
        memory.resize(&mut one, 100);
        memory.resize(&mut two, 10);
        memory.resize(&mut one, 300);
        memory.resize(&mut one, 300);
        assert_eq!((one, memory.total()), (300, 620));
        memory.effects = 5;
        assert_eq!(memory.total(), 625);
    }
}
