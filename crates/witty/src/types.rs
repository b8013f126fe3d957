//! The three traits of a type that crosses the boundary.

use crate::{CoreType, FlatBuffer, Flats, GuestAllocator, GuestMemory, Layout, Lift, LiftError};

/// A type with a WIT equivalent, laid out by the canonical ABI.
///
/// Implementers guarantee that the constants, [`flat_types`](Self::flat_types) and
/// [`shape`](Self::shape) describe the same WIT type. Derive it, if possible.
pub trait WitType: Sized {
    /// Size in memory, in bytes, padded to the alignment.
    const SIZE: u32;
    /// Alignment in memory, in bytes: a power of two.
    const ALIGN: u32;
    /// Number of flat slots; saturates.
    const FLAT_COUNT: usize;
    /// The parts of a composite type: fields of a record, or payloads of a variant's cases.
    #[doc(hidden)]
    const PARTS: &'static [Layout] = &[];

    /// Appends the type's [`FLAT_COUNT`](Self::FLAT_COUNT) core types to `out`.
    fn flat_types(out: &mut Vec<CoreType>);

    /// The structure of the type in WIT's words, with named types spelled out, to be compared
    /// with a `.wit` file. Items are separated by a comma and a space: `record{a: u32, b:
    /// list<u8>}`, `variant{x(u8), y}`, `enum{a, b}`, `tuple<u64, u64>`, `option<u32>`, `result`,
    /// `result<u8>`, `result<_, string>`. The empty tuple, which WIT does not have, is `_`.
    fn shape() -> String;
}

/// A type that the host can take from a guest.
pub trait WitLift: WitType {
    /// Reads a value stored at `address`, which must be aligned. The range is checked.
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError>;

    /// Takes a value from flat slots, as many as [`WitType::FLAT_COUNT`].
    fn lift<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError>;

    /// Reads `length` values stored from `address` on, in a range that was checked and charged.
    /// Overridden where all of it can be copied at once.
    #[doc(hidden)]
    fn load_list<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        mut address: u32,
        length: u32,
    ) -> Result<Vec<Self>, LiftError> {
        let mut items = Vec::with_capacity(length as usize);
        for _ in 0..length {
            items.push(Self::load(lift, address)?);
            // Wraps at most after the last element of a list that ends with the address space.
            address = address.wrapping_add(Self::SIZE);
        }
        Ok(items)
    }
}

/// A type that the host can give to a guest.
pub trait WitLower: WitType {
    /// Writes the value to `address`, which must be aligned. Bytes of padding keep what they had.
    fn store<G: GuestAllocator>(&self, guest: &mut G, address: u32) -> Result<(), G::Error>;

    /// Appends the value's slots, as many as [`WitType::FLAT_COUNT`], to `flats`.
    fn lower<G: GuestAllocator>(
        &self,
        guest: &mut G,
        flats: &mut FlatBuffer,
    ) -> Result<(), G::Error>;

    /// Writes a list's elements from `address` on, in a range inside the address space.
    /// Overridden where all of it can be copied at once.
    #[doc(hidden)]
    fn store_list<G: GuestAllocator>(
        items: &[Self],
        guest: &mut G,
        mut address: u32,
    ) -> Result<(), G::Error> {
        for item in items {
            item.store(guest, address)?;
            address = address.wrapping_add(Self::SIZE);
        }
        Ok(())
    }
}

/// A reference lowers as what it refers to, so that parameters need not be cloned into a tuple.
impl<T: WitType> WitType for &T {
    const SIZE: u32 = T::SIZE;
    const ALIGN: u32 = T::ALIGN;
    const FLAT_COUNT: usize = T::FLAT_COUNT;

    fn flat_types(out: &mut Vec<CoreType>) {
        T::flat_types(out);
    }

    fn shape() -> String {
        T::shape()
    }
}

impl<T: WitLower> WitLower for &T {
    fn store<G: GuestAllocator>(&self, guest: &mut G, address: u32) -> Result<(), G::Error> {
        T::store(self, guest, address)
    }

    fn lower<G: GuestAllocator>(
        &self,
        guest: &mut G,
        flats: &mut FlatBuffer,
    ) -> Result<(), G::Error> {
        T::lower(self, guest, flats)
    }
}
