//! Where lowered slots go, and how lowered values get their memory.

use std::ops::Deref;

use crate::{
    GuestAllocator, MAX_FLAT_PARAMS, MemoryError, WitLower, layout::discriminant_size,
    memory::check_aligned,
};

/// The flat slots of one call, without an allocation. Dereferences to a slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlatBuffer {
    slots: [u64; MAX_FLAT_PARAMS],
    length: usize,
}

impl FlatBuffer {
    /// A buffer without slots.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a slot.
    ///
    /// # Panics
    ///
    /// If there are already [`MAX_FLAT_PARAMS`] slots. No call passes more of them: a type with
    /// more is lowered by [`WitLower::store`], as [`lower_params`](crate::lower_params) does.
    #[inline]
    pub fn push(&mut self, slot: u64) {
        self.slots[self.length] = slot;
        self.length += 1;
    }

    /// Appends zeros until there are `length` slots: those that a variant's case does not use.
    pub fn pad_to(&mut self, length: usize) {
        while self.length < length {
            self.push(0);
        }
    }
}

impl Deref for FlatBuffer {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.slots[..self.length]
    }
}

/// Writes the discriminant of a variant with so many cases.
#[inline]
pub fn store_discriminant<G: GuestAllocator>(
    guest: &mut G,
    address: u32,
    case: u32,
    cases: usize,
) -> Result<(), G::Error> {
    // The discriminant is below the number of cases, so its low bytes are all of it.
    let size = discriminant_size(cases) as usize;
    guest.write(address, &case.to_le_bytes()[..size])
}

/// Writes a list's elements to memory that the guest allocates, and returns address and length.
///
/// An empty list needs no memory, which saves a call into the guest: its address is the
/// alignment, aligned and not null.
pub(crate) fn allocate_list<T: WitLower, G: GuestAllocator>(
    guest: &mut G,
    items: &[T],
) -> Result<(u32, u32), G::Error> {
    let too_long = MemoryError::TooLong {
        length: items.len() as u64,
    };
    let length = u32::try_from(items.len()).map_err(|_| too_long)?;
    let size = length.checked_mul(T::SIZE).ok_or(too_long)?;
    if size == 0 {
        return Ok((T::ALIGN, length));
    }
    let address = allocate(guest, size, T::ALIGN)?;
    T::store_list(items, guest, address)?;
    Ok((address, length))
}

/// Allocates, and checks the alignment of what the guest returned and that it does not wrap.
pub(crate) fn allocate<G: GuestAllocator>(
    guest: &mut G,
    size: u32,
    align: u32,
) -> Result<u32, G::Error> {
    let address = guest.allocate(size, align)?;
    check_aligned(address, align)?;
    // `size` is not zero, so this is the address of the last byte.
    crate::memory::offset(address, size - 1)?;
    Ok(address)
}
