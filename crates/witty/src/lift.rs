//! The state of lifting one call's values, and how it can fail.

use thiserror::Error;

use crate::{GuestMemory, MemoryError, WitType, layout::discriminant_size, memory::check_aligned};

/// How many bytes of lists and strings one call may lift, unless the caller says otherwise.
pub const LIFT_LIMIT_BYTES: u64 = 16 << 20;

/// Lifts the values of one call from a guest's memory, within a budget.
///
/// The budget bounds what the host allocates. The size of the guest's memory does not: a hostile
/// guest can pass a list of a million lists that are all the same megabyte. (Elements are charged at
/// the larger of their sizes in the guest and in the host; a list of numbers is briefly held twice.)
#[derive(Debug)]
pub struct Lift<'a, M> {
    memory: &'a M,
    budget_bytes: u64,
    limit_bytes: u64,
}

impl<'a, M: GuestMemory> Lift<'a, M> {
    /// Lifts from `memory` at most [`LIFT_LIMIT_BYTES`] of lists and strings.
    pub fn new(memory: &'a M) -> Self {
        Self::with_limit(memory, LIFT_LIMIT_BYTES)
    }

    /// Lifts from `memory` at most `limit_bytes` of lists and strings.
    pub fn with_limit(memory: &'a M, limit_bytes: u64) -> Self {
        Self {
            memory,
            budget_bytes: limit_bytes,
            limit_bytes,
        }
    }

    /// The guest's memory.
    pub fn memory(&self) -> &'a M {
        self.memory
    }

    /// How many bytes may still be lifted.
    pub fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }

    /// Takes `bytes` out of the budget. Called before they are allocated.
    pub fn charge(&mut self, bytes: u64) -> Result<(), LiftError> {
        match self.budget_bytes.checked_sub(bytes) {
            Some(rest) => self.budget_bytes = rest,
            None => {
                return Err(LiftError::TooLarge {
                    limit: self.limit_bytes,
                });
            }
        }
        Ok(())
    }

    /// Reads `N` bytes at `address`.
    #[inline]
    pub fn load_array<const N: usize>(&self, address: u32) -> Result<[u8; N], LiftError> {
        let mut bytes = [0; N];
        self.memory.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the discriminant of a variant with so many cases. Its value is not yet checked.
    #[inline]
    pub fn load_discriminant(&self, address: u32, cases: usize) -> Result<u32, LiftError> {
        Ok(match discriminant_size(cases) {
            1 => u8::from_le_bytes(self.load_array(address)?).into(),
            2 => u16::from_le_bytes(self.load_array(address)?).into(),
            _ => u32::from_le_bytes(self.load_array(address)?),
        })
    }

    /// Checks that a `T` stored at `address` is aligned and inside the memory.
    pub(crate) fn check_stored<T: WitType>(&self, address: u32) -> Result<(), LiftError> {
        check_aligned(address, T::ALIGN)?;
        Ok(self.memory.check_range(address, T::SIZE.into())?)
    }

    /// Checks and charges a list of `length` elements before any of them is read.
    pub(crate) fn admit_list<T: WitType>(
        &mut self,
        address: u32,
        length: u32,
    ) -> Result<(), LiftError> {
        check_aligned(address, T::ALIGN)?;
        self.memory
            .check_range(address, u64::from(length) * u64::from(T::SIZE))?;
        // Elements without a size still cost a turn of the loop, so they are charged too.
        let element_bytes = (size_of::<T>() as u64).max(T::SIZE.into()).max(1);
        self.charge(u64::from(length).saturating_mul(element_bytes))
    }
}

/// A cursor over the flat slots of a call.
#[derive(Clone, Debug)]
pub struct Flats<'a> {
    slots: &'a [u64],
    position: usize,
}

impl<'a> Flats<'a> {
    /// Starts at the first of `slots`.
    #[must_use]
    pub fn new(slots: &'a [u64]) -> Self {
        Self { slots, position: 0 }
    }

    /// Takes the next slot.
    #[inline]
    pub fn take(&mut self) -> Result<u64, LiftError> {
        let slot = *self
            .slots
            .get(self.position)
            .ok_or(LiftError::MissingFlat)?;
        self.position += 1;
        Ok(slot)
    }

    /// Takes the low half of the next slot: an `i32`.
    #[inline]
    pub fn take_u32(&mut self) -> Result<u32, LiftError> {
        Ok(self.take()? as u32)
    }

    /// The number of slots already taken.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes on at `position`, over slots that the case of a variant did not use.
    pub fn skip_to(&mut self, position: usize) {
        self.position = position;
    }
}

/// Why a value that a guest passed could not be lifted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LiftError {
    /// An address or a length that the guest's memory does not allow.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A discriminant that is not below the number of cases.
    #[error("discriminant {value} does not exist in a type with {cases} cases")]
    InvalidDiscriminant {
        /// The discriminant.
        value: u32,
        /// The number of cases.
        cases: u32,
    },
    /// A character that is no Unicode scalar value.
    #[error("{value:#x} is not a character")]
    InvalidChar {
        /// The code point.
        value: u32,
    },
    /// A string that is not UTF-8.
    #[error("the string is not UTF-8 after its first {valid_bytes} bytes")]
    InvalidUtf8 {
        /// The length of the valid beginning, in bytes.
        valid_bytes: u64,
    },
    /// The call's lists and strings exceed the limit.
    #[error("the call passes more than {limit} bytes of lists and strings")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// There are fewer flat slots than the type needs: the function was linked with another
    /// signature.
    #[error("the call has too few flat values")]
    MissingFlat,
}

impl LiftError {
    /// The error for a discriminant that matched none of the cases.
    #[must_use]
    pub fn invalid_discriminant(value: u32, cases: usize) -> Self {
        Self::InvalidDiscriminant {
            value,
            cases: u32::try_from(cases).unwrap_or(u32::MAX),
        }
    }
}
