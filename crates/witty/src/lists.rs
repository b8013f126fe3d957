//! Lists and strings: an address and a length, beside the elements in memory.

use crate::{
    CoreType, FlatBuffer, Flats, GuestAllocator, GuestMemory, Lift, LiftError, WitLift, WitLower,
    WitType, lower::allocate_list, memory::offset,
};

/// Implements [`WitType`] for something passed as an address and a length.
macro_rules! address_and_length {
    ([$($parameter:ident)?] $type:ty, $shape:expr) => {
        impl<$($parameter: WitType)?> WitType for $type {
            const SIZE: u32 = 8;
            const ALIGN: u32 = 4;
            const FLAT_COUNT: usize = 2;

            fn flat_types(out: &mut Vec<CoreType>) {
                out.extend([CoreType::I32; 2]);
            }

            fn shape() -> String {
                $shape
            }
        }
    };
}

/// Implements [`WitLower`] for something that can be seen as a slice of elements.
macro_rules! lower_as_slice {
    ([$($parameter:ident)?] $type:ty, $this:ident => $slice:expr) => {
        impl<$($parameter: WitLower)?> WitLower for $type {
            fn store<G: GuestAllocator>(
                &self,
                guest: &mut G,
                address: u32,
            ) -> Result<(), G::Error> {
                let $this = self;
                let (start, length) = allocate_list(guest, $slice)?;
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&start.to_le_bytes());
                bytes[4..].copy_from_slice(&length.to_le_bytes());
                guest.write(address, &bytes)
            }

            fn lower<G: GuestAllocator>(
                &self,
                guest: &mut G,
                flats: &mut FlatBuffer,
            ) -> Result<(), G::Error> {
                let $this = self;
                let (start, length) = allocate_list(guest, $slice)?;
                flats.push(start.into());
                flats.push(length.into());
                Ok(())
            }
        }
    };
}

address_and_length! { [T] Vec<T>, list_shape::<T>() }
address_and_length! { [T] &[T], list_shape::<T>() }
address_and_length! { [] String, "string".into() }
address_and_length! { [] &str, "string".into() }

lower_as_slice! { [T] Vec<T>, items => items.as_slice() }
lower_as_slice! { [T] &[T], items => items }
lower_as_slice! { [] String, text => text.as_bytes() }
lower_as_slice! { [] &str, text => text.as_bytes() }

impl<T: WitLift> WitLift for Vec<T> {
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError> {
        let start = u32::load(lift, address)?;
        let length = u32::load(lift, offset(address, 4)?)?;
        load_list(lift, start, length)
    }

    fn lift<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        let start = flats.take_u32()?;
        let length = flats.take_u32()?;
        load_list(lift, start, length)
    }
}

impl WitLift for String {
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError> {
        to_text(Vec::load(lift, address)?)
    }

    fn lift<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        to_text(Vec::lift(lift, flats)?)
    }
}

fn list_shape<T: WitType>() -> String {
    format!("list<{}>", T::shape())
}

fn load_list<T: WitLift, M: GuestMemory>(
    lift: &mut Lift<'_, M>,
    start: u32,
    length: u32,
) -> Result<Vec<T>, LiftError> {
    lift.admit_list::<T>(start, length)?;
    T::load_list(lift, start, length)
}

fn to_text(bytes: Vec<u8>) -> Result<String, LiftError> {
    String::from_utf8(bytes).map_err(|error| LiftError::InvalidUtf8 {
        valid_bytes: error.utf8_error().valid_up_to() as u64,
    })
}
