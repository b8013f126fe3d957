//! Integers, floats, booleans and characters.

use crate::{
    CoreType, FlatBuffer, Flats, GuestAllocator, GuestMemory, Lift, LiftError, WitLift, WitLower,
    WitType,
};

/// Implements the traits for a scalar, given how it is named, stored and put into a slot.
///
/// `from_bytes` and `from_slot` return a `Result`, `to_bytes` and `to_slot` cannot fail. Lists of
/// scalars are copied from and to memory in one piece.
macro_rules! scalar {
    ($type:ty, $shape:literal, $size:literal, $core:ident, $from_bytes:expr, $to_bytes:expr,
     $from_slot:expr, $to_slot:expr) => {
        impl WitType for $type {
            const SIZE: u32 = $size;
            const ALIGN: u32 = $size;
            const FLAT_COUNT: usize = 1;

            fn flat_types(out: &mut Vec<CoreType>) {
                out.push(CoreType::$core);
            }

            fn shape() -> String {
                $shape.into()
            }
        }

        impl WitLift for $type {
            #[inline]
            fn load<M: GuestMemory>(
                lift: &mut Lift<'_, M>,
                address: u32,
            ) -> Result<Self, LiftError> {
                $from_bytes(lift.load_array::<$size>(address)?)
            }

            #[inline]
            fn lift<M: GuestMemory>(
                _lift: &mut Lift<'_, M>,
                flats: &mut Flats<'_>,
            ) -> Result<Self, LiftError> {
                $from_slot(flats.take()?)
            }

            fn load_list<M: GuestMemory>(
                lift: &mut Lift<'_, M>,
                address: u32,
                length: u32,
            ) -> Result<Vec<Self>, LiftError> {
                let bytes = lift
                    .memory()
                    .read_bytes(address, length.saturating_mul($size))?;
                bytes
                    .as_chunks::<$size>()
                    .0
                    .iter()
                    .map(|chunk| $from_bytes(*chunk))
                    .collect()
            }
        }

        impl WitLower for $type {
            #[inline]
            fn store<G: GuestAllocator>(
                &self,
                guest: &mut G,
                address: u32,
            ) -> Result<(), G::Error> {
                guest.write(address, &$to_bytes(*self))
            }

            #[inline]
            fn lower<G: GuestAllocator>(
                &self,
                _guest: &mut G,
                flats: &mut FlatBuffer,
            ) -> Result<(), G::Error> {
                flats.push($to_slot(*self));
                Ok(())
            }

            fn store_list<G: GuestAllocator>(
                items: &[Self],
                guest: &mut G,
                address: u32,
            ) -> Result<(), G::Error> {
                let bytes: Vec<u8> = items.iter().flat_map(|item| $to_bytes(*item)).collect();
                guest.write(address, &bytes)
            }
        }
    };
}

/// An integer: its slot is sign- or zero-extended to its core type, and zero-extended from there.
/// Upper bits are ignored when lifting, as the canonical ABI has it.
macro_rules! integer {
    ($($type:ident $shape:literal $size:literal $core:ident via $extended:ident $unsigned:ident;)*) => {
        $(scalar!(
            $type, $shape, $size, $core,
            |bytes| Ok($type::from_le_bytes(bytes)), $type::to_le_bytes,
            |slot: u64| Ok(slot as $type),
            |value: $type| u64::from($extended::from(value) as $unsigned)
        );)*
    };
}

integer! {
    u16 "u16" 2 I32 via u32 u32;
    u32 "u32" 4 I32 via u32 u32;
    u64 "u64" 8 I64 via u64 u64;
    i8 "s8" 1 I32 via i32 u32;
    i16 "s16" 2 I32 via i32 u32;
    i32 "s32" 4 I32 via i32 u32;
    i64 "s64" 8 I64 via i64 u64;
}

scalar!(
    bool,
    "bool",
    1,
    I32,
    |bytes: [u8; 1]| Ok(bytes != [0]),
    |value: bool| [u8::from(value)],
    |slot: u64| Ok(slot as u32 != 0),
    u64::from
);

scalar!(
    char,
    "char",
    4,
    I32,
    |bytes| to_char(u32::from_le_bytes(bytes)),
    |value: char| u32::from(value).to_le_bytes(),
    |slot: u64| to_char(slot as u32),
    u64::from
);

// Every NaN becomes the canonical one, in both directions: its other bits depend on the machine.
scalar!(
    f32,
    "f32",
    4,
    F32,
    |bytes| Ok(from_bits_32(u32::from_le_bytes(bytes))),
    |value| to_bits_32(value).to_le_bytes(),
    |slot: u64| Ok(from_bits_32(slot as u32)),
    |value| u64::from(to_bits_32(value))
);

scalar!(
    f64,
    "f64",
    8,
    F64,
    |bytes| Ok(from_bits_64(u64::from_le_bytes(bytes))),
    |value| to_bits_64(value).to_le_bytes(),
    |slot| Ok(from_bits_64(slot)),
    to_bits_64
);

/// Bytes are the one scalar whose lists are already what memory holds.
impl WitType for u8 {
    const SIZE: u32 = 1;
    const ALIGN: u32 = 1;
    const FLAT_COUNT: usize = 1;

    fn flat_types(out: &mut Vec<CoreType>) {
        out.push(CoreType::I32);
    }

    fn shape() -> String {
        "u8".into()
    }
}

impl WitLift for u8 {
    #[inline]
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError> {
        Ok(u8::from_le_bytes(lift.load_array(address)?))
    }

    #[inline]
    fn lift<M: GuestMemory>(
        _lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        Ok(flats.take()? as u8)
    }

    fn load_list<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        address: u32,
        length: u32,
    ) -> Result<Vec<Self>, LiftError> {
        Ok(lift.memory().read_bytes(address, length)?)
    }
}

impl WitLower for u8 {
    #[inline]
    fn store<G: GuestAllocator>(&self, guest: &mut G, address: u32) -> Result<(), G::Error> {
        guest.write(address, &[*self])
    }

    #[inline]
    fn lower<G: GuestAllocator>(
        &self,
        _guest: &mut G,
        flats: &mut FlatBuffer,
    ) -> Result<(), G::Error> {
        flats.push((*self).into());
        Ok(())
    }

    fn store_list<G: GuestAllocator>(
        items: &[Self],
        guest: &mut G,
        address: u32,
    ) -> Result<(), G::Error> {
        guest.write(address, items)
    }
}

fn to_char(value: u32) -> Result<char, LiftError> {
    char::from_u32(value).ok_or(LiftError::InvalidChar { value })
}

const CANONICAL_NAN_32: u32 = 0x7fc0_0000;
const CANONICAL_NAN_64: u64 = 0x7ff8_0000_0000_0000;

fn to_bits_32(value: f32) -> u32 {
    if value.is_nan() {
        CANONICAL_NAN_32
    } else {
        value.to_bits()
    }
}

fn from_bits_32(bits: u32) -> f32 {
    f32::from_bits(to_bits_32(f32::from_bits(bits)))
}

fn to_bits_64(value: f64) -> u64 {
    if value.is_nan() {
        CANONICAL_NAN_64
    } else {
        value.to_bits()
    }
}

fn from_bits_64(bits: u64) -> f64 {
    f64::from_bits(to_bits_64(f64::from_bits(bits)))
}
