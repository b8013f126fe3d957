//! `Option` and `Result`, with `()` for a payload that WIT leaves out.

use crate::{
    CoreType, FlatBuffer, Flats, GuestAllocator, GuestMemory, Layout, Lift, LiftError, WitLift,
    WitLower, WitType,
    layout::{join_case, payload_offset, variant_align, variant_flat_count, variant_size},
    lower::store_discriminant,
    memory::offset,
};

impl<T: WitType> WitType for Option<T> {
    const PARTS: &'static [Layout] = &[Layout::of::<()>(), Layout::of::<T>()];
    const SIZE: u32 = variant_size(Self::PARTS);
    const ALIGN: u32 = variant_align(Self::PARTS);
    const FLAT_COUNT: usize = variant_flat_count(Self::PARTS);

    fn flat_types(out: &mut Vec<CoreType>) {
        out.push(CoreType::I32);
        T::flat_types(out);
    }

    fn shape() -> String {
        format!("option<{}>", T::shape())
    }
}

impl<T: WitLift> WitLift for Option<T> {
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError> {
        match lift.load_discriminant(address, 2)? {
            0 => Ok(None),
            1 => {
                let payload = offset(address, const { payload_offset(Self::PARTS) })?;
                T::load(lift, payload).map(Some)
            }
            case => Err(LiftError::invalid_discriminant(case, 2)),
        }
    }

    fn lift<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        let end = flats.position() + Self::FLAT_COUNT;
        let value = match flats.take_u32()? {
            0 => None,
            1 => Some(T::lift(lift, flats)?),
            case => return Err(LiftError::invalid_discriminant(case, 2)),
        };
        flats.skip_to(end);
        Ok(value)
    }
}

impl<T: WitLower> WitLower for Option<T> {
    fn store<G: GuestAllocator>(&self, guest: &mut G, address: u32) -> Result<(), G::Error> {
        store_discriminant(guest, address, self.is_some().into(), 2)?;
        let Some(value) = self else { return Ok(()) };
        let payload = offset(address, const { payload_offset(Self::PARTS) })?;
        value.store(guest, payload)
    }

    fn lower<G: GuestAllocator>(
        &self,
        guest: &mut G,
        flats: &mut FlatBuffer,
    ) -> Result<(), G::Error> {
        let end = flats.len() + Self::FLAT_COUNT;
        flats.push(self.is_some().into());
        if let Some(value) = self {
            value.lower(guest, flats)?;
        }
        flats.pad_to(end);
        Ok(())
    }
}

impl<T: WitType, E: WitType> WitType for Result<T, E> {
    const PARTS: &'static [Layout] = &[Layout::of::<T>(), Layout::of::<E>()];
    const SIZE: u32 = variant_size(Self::PARTS);
    const ALIGN: u32 = variant_align(Self::PARTS);
    const FLAT_COUNT: usize = variant_flat_count(Self::PARTS);

    fn flat_types(out: &mut Vec<CoreType>) {
        out.push(CoreType::I32);
        let start = out.len();
        join_case::<T>(out, start);
        join_case::<E>(out, start);
    }

    fn shape() -> String {
        match (T::shape().as_str(), E::shape().as_str()) {
            ("_", "_") => "result".into(),
            (value, "_") => format!("result<{value}>"),
            (value, error) => format!("result<{value}, {error}>"),
        }
    }
}

impl<T: WitLift, E: WitLift> WitLift for Result<T, E> {
    fn load<M: GuestMemory>(lift: &mut Lift<'_, M>, address: u32) -> Result<Self, LiftError> {
        let payload = offset(address, const { payload_offset(Self::PARTS) })?;
        match lift.load_discriminant(address, 2)? {
            0 => T::load(lift, payload).map(Ok),
            1 => E::load(lift, payload).map(Err),
            case => Err(LiftError::invalid_discriminant(case, 2)),
        }
    }

    fn lift<M: GuestMemory>(
        lift: &mut Lift<'_, M>,
        flats: &mut Flats<'_>,
    ) -> Result<Self, LiftError> {
        let end = flats.position() + Self::FLAT_COUNT;
        let value = match flats.take_u32()? {
            0 => Ok(T::lift(lift, flats)?),
            1 => Err(E::lift(lift, flats)?),
            case => return Err(LiftError::invalid_discriminant(case, 2)),
        };
        flats.skip_to(end);
        Ok(value)
    }
}

impl<T: WitLower, E: WitLower> WitLower for Result<T, E> {
    fn store<G: GuestAllocator>(&self, guest: &mut G, address: u32) -> Result<(), G::Error> {
        store_discriminant(guest, address, self.is_err().into(), 2)?;
        let payload = offset(address, const { payload_offset(Self::PARTS) })?;
        match self {
            Ok(value) => value.store(guest, payload),
            Err(error) => error.store(guest, payload),
        }
    }

    fn lower<G: GuestAllocator>(
        &self,
        guest: &mut G,
        flats: &mut FlatBuffer,
    ) -> Result<(), G::Error> {
        let end = flats.len() + Self::FLAT_COUNT;
        flats.push(self.is_err().into());
        match self {
            Ok(value) => value.lower(guest, flats)?,
            Err(error) => error.lower(guest, flats)?,
        }
        flats.pad_to(end);
        Ok(())
    }
}
