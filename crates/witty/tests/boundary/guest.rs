//! A guest without code: a memory, and an allocator that never frees.

use resident_witty::{GuestAllocator, GuestMemory, MemoryError};

/// The size of the fake guest's memory, in bytes.
pub(crate) const MEMORY_BYTES: usize = 1 << 20;

/// The fake guest. Its memory starts out full of a byte that no test writes on purpose, so that
/// padding and unused payloads are never accidentally zero.
pub(crate) struct Guest {
    pub(crate) memory: Vec<u8>,
    /// The address of the next allocation, before alignment.
    pub(crate) next: u32,
    /// How often the guest was asked to allocate.
    pub(crate) allocations: u32,
    /// What to answer an allocation with, instead of good memory.
    pub(crate) forged_address: Option<u32>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![0xa5; MEMORY_BYTES],
            next: 64,
            allocations: 0,
            forged_address: None,
        }
    }

    /// The memory, for lifting.
    pub(crate) fn slice(&self) -> &[u8] {
        &self.memory
    }
}

impl GuestMemory for Guest {
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryError> {
        self.slice().read(address, into)
    }

    fn size_bytes(&self) -> u64 {
        self.slice().size_bytes()
    }
}

impl GuestAllocator for Guest {
    type Error = MemoryError;

    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, MemoryError> {
        assert!(size > 0, "empty values need no memory");
        self.allocations += 1;
        let address = self.next.next_multiple_of(align);
        self.check_range(address, size.into())?;
        self.next = address + size;
        Ok(self.forged_address.unwrap_or(address))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), MemoryError> {
        self.check_range(address, bytes.len() as u64)?;
        let start = address as usize;
        self.memory[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}
