//! Passing the parameters and the result of a whole function.
//!
//! Parameters are always a tuple. `lift_params` and `lower_results` serve a function that the
//! guest imports, `lower_params` and `lift_results` one that it exports.

use crate::{
    FlatBuffer, Flats, GuestAllocator, GuestMemory, LIFT_LIMIT_BYTES, Lift, LiftError,
    MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, MemoryError, WitLift, WitLower, WitType, lower::allocate,
    memory::check_aligned,
};

/// Lifts the parameters of a host function from its core parameters. A trailing return pointer
/// is ignored.
pub fn lift_params<P: WitLift, M: GuestMemory>(memory: &M, flats: &[u64]) -> Result<P, LiftError> {
    lift_params_within(memory, flats, LIFT_LIMIT_BYTES)
}

/// Like [`lift_params`], with a limit on the bytes of lists and strings.
pub fn lift_params_within<P: WitLift, M: GuestMemory>(
    memory: &M,
    flats: &[u64],
    limit_bytes: u64,
) -> Result<P, LiftError> {
    lift_value(memory, flats, limit_bytes, MAX_FLAT_PARAMS)
}

/// The address for the result of a host function, if it travels in memory: its last core
/// parameter.
#[must_use]
pub fn return_pointer<P: WitType, R: WitType>(flats: &[u64]) -> Option<u32> {
    let params = if P::FLAT_COUNT > MAX_FLAT_PARAMS {
        1
    } else {
        P::FLAT_COUNT
    };
    if R::FLAT_COUNT > MAX_FLAT_RESULTS {
        flats.get(params).map(|slot| *slot as u32)
    } else {
        None
    }
}

/// Lowers the result of a host function: into the returned slots, at most one, or to the address
/// that the guest passed (see [`return_pointer`]).
pub fn lower_results<R: WitLower, G: GuestAllocator>(
    guest: &mut G,
    value: &R,
    return_pointer: Option<u32>,
) -> Result<FlatBuffer, G::Error> {
    let mut flats = FlatBuffer::new();
    if R::FLAT_COUNT > MAX_FLAT_RESULTS {
        let address = return_pointer.ok_or(MemoryError::NoReturnPointer)?;
        check_aligned(address, R::ALIGN)?;
        value.store(guest, address)?;
    } else {
        value.lower(guest, &mut flats)?;
    }
    Ok(flats)
}

/// Lowers the parameters of a guest's function into its core parameters. Too many of them go
/// into memory that the guest allocates.
pub fn lower_params<P: WitLower, G: GuestAllocator>(
    guest: &mut G,
    value: &P,
) -> Result<FlatBuffer, G::Error> {
    let mut flats = FlatBuffer::new();
    if P::FLAT_COUNT > MAX_FLAT_PARAMS {
        let address = allocate(guest, P::SIZE, P::ALIGN)?;
        value.store(guest, address)?;
        flats.push(address.into());
    } else {
        value.lower(guest, &mut flats)?;
    }
    Ok(flats)
}

/// Lifts the result of a guest's function from its core results.
pub fn lift_results<R: WitLift, M: GuestMemory>(memory: &M, flats: &[u64]) -> Result<R, LiftError> {
    lift_results_within(memory, flats, LIFT_LIMIT_BYTES)
}

/// Like [`lift_results`], with a limit on the bytes of lists and strings.
pub fn lift_results_within<R: WitLift, M: GuestMemory>(
    memory: &M,
    flats: &[u64],
    limit_bytes: u64,
) -> Result<R, LiftError> {
    lift_value(memory, flats, limit_bytes, MAX_FLAT_RESULTS)
}

fn lift_value<T: WitLift, M: GuestMemory>(
    memory: &M,
    flats: &[u64],
    limit_bytes: u64,
    max_flats: usize,
) -> Result<T, LiftError> {
    let mut lift = Lift::with_limit(memory, limit_bytes);
    let mut flats = Flats::new(flats);
    if T::FLAT_COUNT <= max_flats {
        return T::lift(&mut lift, &mut flats);
    }
    let address = flats.take_u32()?;
    lift.check_stored::<T>(address)?;
    T::load(&mut lift, address)
}
