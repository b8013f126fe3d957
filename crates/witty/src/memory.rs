//! What an engine must offer so that values can be read from and written to its guests.

use thiserror::Error;

/// The linear memory of a guest, for reading.
pub trait GuestMemory {
    /// Fills `into` with the bytes at `address`.
    ///
    /// Must fail with [`MemoryError::OutOfRange`] unless the whole range is inside the memory.
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryError>;

    /// The current size of the memory, in bytes.
    fn size_bytes(&self) -> u64;

    /// Copies `len` bytes at `address`. The range is checked before anything is allocated.
    fn read_bytes(&self, address: u32, len: u32) -> Result<Vec<u8>, MemoryError> {
        self.check_range(address, len.into())?;
        let mut bytes = vec![0; len as usize];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Fails unless the `len` bytes at `address` are all inside the memory.
    fn check_range(&self, address: u32, len: u64) -> Result<(), MemoryError> {
        let size = self.size_bytes();
        match u64::from(address).checked_add(len) {
            Some(end) if end <= size => Ok(()),
            _ => Err(MemoryError::OutOfRange { address, len, size }),
        }
    }
}

/// A running guest: memory that can be written and allocated in.
///
/// Allocating calls the guest's `cabi_realloc`, so it can fail in any way a guest can.
pub trait GuestAllocator {
    /// Why an allocation or a write failed.
    type Error: From<MemoryError>;

    /// Asks the guest for `size` bytes (never zero) aligned to `align`, and returns their address.
    ///
    /// The address comes from the guest: implementers need not check it, since callers check its
    /// alignment and [`write`](Self::write) its range.
    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Self::Error>;

    /// Writes `bytes` at `address`.
    ///
    /// Must fail with [`MemoryError::OutOfRange`] unless the whole range is inside the memory.
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// An address or a length that the guest's memory does not allow.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MemoryError {
    /// The range reaches past the end of the memory.
    #[error("{len} bytes at address {address} are outside the memory of {size} bytes")]
    OutOfRange {
        /// Where the range starts.
        address: u32,
        /// The length of the range, in bytes.
        len: u64,
        /// The size of the memory, in bytes. `u64::MAX` if the range does not even fit a 32-bit
        /// address space.
        size: u64,
    },
    /// The address is not a multiple of the alignment its type requires.
    #[error("address {address} is not aligned to {align} bytes")]
    Misaligned {
        /// The address.
        address: u32,
        /// The required alignment, in bytes.
        align: u32,
    },
    /// The host's value is too long for a 32-bit memory.
    #[error("a list of {length} elements does not fit into a 32-bit memory")]
    TooLong {
        /// The number of elements.
        length: u64,
    },
    /// The function returns its result through memory, but was called without an address for it.
    #[error("the call has no address for its result")]
    NoReturnPointer,
}

/// A memory that is visible as a slice, as engines on the native platform offer it.
impl GuestMemory for &[u8] {
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryError> {
        into.copy_from_slice(slice_range(self, address, into.len())?);
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_bytes(&self, address: u32, len: u32) -> Result<Vec<u8>, MemoryError> {
        slice_range(self, address, len as usize).map(<[u8]>::to_vec)
    }
}

fn slice_range(memory: &[u8], address: u32, len: usize) -> Result<&[u8], MemoryError> {
    let start = address as usize;
    let range = start
        .checked_add(len)
        .and_then(|end| memory.get(start..end));
    range.ok_or(MemoryError::OutOfRange {
        address,
        len: len as u64,
        size: memory.len() as u64,
    })
}

/// The address `bytes` after `address`.
#[inline]
pub fn offset(address: u32, bytes: u32) -> Result<u32, MemoryError> {
    address.checked_add(bytes).ok_or(MemoryError::OutOfRange {
        address,
        len: bytes.into(),
        size: u64::MAX,
    })
}

/// Fails unless `address` is a multiple of `align`, a power of two.
#[inline]
pub(crate) fn check_aligned(address: u32, align: u32) -> Result<(), MemoryError> {
    if address & (align - 1) == 0 {
        Ok(())
    } else {
        Err(MemoryError::Misaligned { address, align })
    }
}
