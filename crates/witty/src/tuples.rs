//! Tuples of up to twelve elements, laid out as records. The empty tuple is nothing at all.

use crate::{
    CoreType, FlatBuffer, Flats, GuestAllocator, GuestMemory, Layout, Lift, LiftError, WitLift,
    WitLower, WitType,
    layout::{field_offset, record_align, record_flat_count, record_size},
    memory::offset,
};

impl WitType for () {
    const SIZE: u32 = 0;
    const ALIGN: u32 = 1;
    const FLAT_COUNT: usize = 0;

    fn flat_types(_out: &mut Vec<CoreType>) {}

    fn shape() -> String {
        "_".into()
    }
}

impl WitLift for () {
    fn load<M: GuestMemory>(_lift: &mut Lift<'_, M>, _address: u32) -> Result<Self, LiftError> {
        Ok(())
    }

    fn lift<M: GuestMemory>(
        _lift: &mut Lift<'_, M>,
        _flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        Ok(())
    }
}

impl WitLower for () {
    fn store<G: GuestAllocator>(&self, _guest: &mut G, _address: u32) -> Result<(), G::Error> {
        Ok(())
    }

    fn lower<G: GuestAllocator>(
        &self,
        _guest: &mut G,
        _flats: &mut FlatBuffer,
    ) -> Result<(), G::Error> {
        Ok(())
    }
}

macro_rules! tuple {
    ($($element:ident $index:tt),+) => {
        impl<$($element: WitType),+> WitType for ($($element,)+) {
            const PARTS: &'static [Layout] = &[$(Layout::of::<$element>()),+];
            const SIZE: u32 = record_size(Self::PARTS);
            const ALIGN: u32 = record_align(Self::PARTS);
            const FLAT_COUNT: usize = record_flat_count(Self::PARTS);

            fn flat_types(out: &mut Vec<CoreType>) {
                $($element::flat_types(out);)+
            }

            fn shape() -> String {
                format!("tuple<{}>", [$($element::shape()),+].join(", "))
            }
        }

        impl<$($element: WitLift),+> WitLift for ($($element,)+) {
            fn load<M: GuestMemory>(
                lift: &mut Lift<'_, M>,
                address: u32,
            ) -> Result<Self, LiftError> {
                Ok(($({
                    let start = offset(address, const { field_offset(Self::PARTS, $index) })?;
                    $element::load(lift, start)?
                },)+))
            }

            fn lift<M: GuestMemory>(
                lift: &mut Lift<'_, M>,
                flats: &mut Flats<'_>,
            ) -> Result<Self, LiftError> {
                Ok(($($element::lift(lift, flats)?,)+))
            }
        }

        impl<$($element: WitLower),+> WitLower for ($($element,)+) {
            fn store<Guest: GuestAllocator>(
                &self,
                guest: &mut Guest,
                address: u32,
            ) -> Result<(), Guest::Error> {
                $({
                    let start = offset(address, const { field_offset(Self::PARTS, $index) })?;
                    self.$index.store(guest, start)?;
                })+
                Ok(())
            }

            fn lower<Guest: GuestAllocator>(
                &self,
                guest: &mut Guest,
                flats: &mut FlatBuffer,
            ) -> Result<(), Guest::Error> {
                $(self.$index.lower(guest, flats)?;)+
                Ok(())
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
