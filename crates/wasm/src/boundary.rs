//! Crossing the boundary, in both directions, the same for every engine.
//!
//! An engine implements [`Guest`]; this module lifts, lowers, carries the meters and classifies.

use std::sync::OnceLock;

use resident_abi::{
    EntryPoint, HostFunction,
    entry_points::{EntryPointIndex, EntryPointVisitor, visit_entry_points},
};
use resident_witty::{
    FlatBuffer, GuestAllocator, GuestMemory, LIFT_LIMIT_BYTES, LiftError, Signature, WitLift,
    WitLower, lift_params_within, lift_results_within, lower_params, lower_results,
};

use crate::{
    CallError, EngineError, Entered, GuestFailure, Host, Meters, TrapKind,
    prepare::OUT_OF_SYSTEM_MEMORY,
};

/// A resolved entry point with its post-return function; none if the module is not of its world.
pub(crate) type ResolvedEntry<F> = Option<(F, Option<F>)>;

/// An instance that can be run, or is running and has called its host.
pub(crate) trait Guest<H: Host>:
    GuestMemory + GuestAllocator<Error = CallError<H::Error>>
{
    /// The host's place. Empty only while nothing runs.
    fn host(&mut self) -> &mut Option<H>;
    /// The meters as they stand in the instance.
    fn meters(&mut self) -> Meters;
    /// Sets what is left of the fuel in the instance.
    fn set_fuel(&mut self, fuel: i64);
    /// Sets what is left of the call-stack height in the instance.
    fn set_stack(&mut self, stack: i32);
    /// Runs the start function, if the module has one that did not run yet.
    fn start(&mut self) -> Result<(), CallError<H::Error>>;
    /// Calls an entry point with flat parameters; gives the flat result, if there is one.
    fn call(
        &mut self,
        entry: EntryPointIndex,
        flats: &[u64],
    ) -> Result<Option<u64>, CallError<H::Error>>;
    /// Lets the guest free the result of an entry point.
    fn post_return(
        &mut self,
        entry: EntryPointIndex,
        flat: Option<u64>,
    ) -> Result<(), CallError<H::Error>>;
}

/// Runs a host function that the guest called with these flat parameters.
///
/// `return_pointer` is where an indirect result goes. A direct result is returned.
pub(crate) fn call_host<H, G, P, R>(
    guest: &mut G,
    function: HostFunction<H, P, R>,
    flats: &[u64],
    return_pointer: Option<u32>,
) -> Result<FlatBuffer, CallError<H::Error>>
where
    H: Host,
    G: Guest<H>,
    P: WitLift,
    R: WitLower,
{
    let Meters { fuel, stack } = guest.meters();
    // Code that only goes forward is not checked, so a guest can come here with less than nothing.
    if fuel < 0 {
        return Err(CallError::Guest(GuestFailure::OutOfFuel));
    }
    let parameters = paid::<_, H::Error>(fuel, |limit| {
        lift_params_within::<P, G>(guest, flats, limit)
    })?;
    let inner_stack = stack - HOST_CALL_STACK_UNITS;
    if inner_stack < 0 {
        return Err(CallError::Guest(GuestFailure::StackExhausted));
    }
    let memory_bytes = guest.size_bytes();
    let host = guest.host().as_mut().expect("a running guest has a host");
    host.set_meters(Meters {
        fuel,
        stack: inner_stack,
    });
    host.note_memory(memory_bytes);
    let result = function(host, parameters).map_err(CallError::Host);
    // Whatever ran in between has given back what it took of the stack.
    let fuel = host.meters().fuel;
    guest.set_fuel(fuel);
    // Reading and setting globals is most of what a small host function costs. Only a result that is written to memory
    // can call the guest's allocator, which may call the host again.
    if return_pointer.is_none() {
        return lower_results(guest, &result?, None);
    }
    guest.set_stack(inner_stack);
    let lowered = lower_results(guest, &result?, return_pointer)?;
    guest.set_stack(stack);
    Ok(lowered)
}

/// Lifts no more bytes than the guest has fuel. The host charges at least that for each, so nothing that could
/// be paid for is refused here.
fn paid<T, E>(
    fuel: i64,
    lift: impl FnOnce(u64) -> Result<T, LiftError>,
) -> Result<T, CallError<E>> {
    let fuel = u64::try_from(fuel).unwrap_or_default();
    match lift(LIFT_LIMIT_BYTES.min(fuel)) {
        Err(LiftError::TooLarge { .. }) if fuel < LIFT_LIMIT_BYTES => {
            Err(CallError::Guest(GuestFailure::OutOfFuel))
        }
        lifted => Ok(lifted?),
    }
}

/// What a host function takes of the call-stack budget while it runs, in units of
/// [`crate::prepare::STACK_UNITS`].
///
/// A guest can recurse through the host: by applications that call each other, and by an allocator that
/// calls host functions which return lists. The native frames in between are the host's, so they are
/// paid for here, and such a recursion ends at the same call on every engine, after at most 128 of them.
const HOST_CALL_STACK_UNITS: i32 = crate::prepare::STACK_UNITS / 128;

/// Enters the guest at `E`, lending it the host.
pub(crate) fn enter<E, H, G>(
    guest: &mut G,
    host: H,
    parameters: &E::Parameters,
) -> Entered<H, E::Results>
where
    E: EntryPoint,
    H: Host,
    G: Guest<H>,
{
    let Meters { fuel, stack } = host.meters();
    guest.set_fuel(fuel);
    guest.set_stack(stack);
    *guest.host() = Some(host);
    let result = run::<E, H, G>(guest, parameters);
    let meters = guest.meters();
    let mut host = guest
        .host()
        .take()
        .expect("the host stays until the guest is left");
    host.set_meters(meters);
    Entered { host, result }
}

fn run<E, H, G>(
    guest: &mut G,
    parameters: &E::Parameters,
) -> Result<E::Results, CallError<H::Error>>
where
    E: EntryPoint,
    H: Host,
    G: Guest<H>,
{
    guest.start()?;
    let flats = lower_params(guest, parameters)?;
    let flat = guest.call(E::INDEX, &flats)?;
    let fuel = guest.meters().fuel;
    let results = paid::<_, H::Error>(fuel, |limit| {
        lift_results_within::<E::Results, G>(guest, flat.as_slice(), limit)
    })?;
    guest.post_return(E::INDEX, flat)?;
    Ok(results)
}

/// Takes the pointer for an indirect result off the flat parameters of a host function.
pub(crate) fn split_return_pointer<'a>(
    signature: &Signature,
    flats: &'a [u64],
) -> (&'a [u64], Option<u32>) {
    match flats.split_last() {
        Some((pointer, flats)) if signature.indirect_results => (flats, Some(*pointer as u32)),
        _ => (flats, None),
    }
}

/// The core signatures of the entry points, in the order of [`EntryPointIndex::ALL`].
pub(crate) fn entry_signatures() -> &'static [Signature] {
    struct Signatures(Vec<Signature>);
    impl EntryPointVisitor for Signatures {
        fn visit<E: EntryPoint>(&mut self) {
            self.0
                .push(Signature::export::<E::Parameters, E::Results>());
        }
    }
    static SIGNATURES: OnceLock<Vec<Signature>> = OnceLock::new();
    SIGNATURES.get_or_init(|| {
        let mut signatures = Signatures(Vec::new());
        visit_entry_points(&mut signatures);
        signatures.0
    })
}

/// Tells what a trap of this engine was. What the engine could not do is its own fault, whatever the meters say; otherwise
/// a meter below zero explains a trap, whatever instruction was used to stop.
pub(crate) fn explain_trap<E>(
    engine: &'static str,
    meters: Meters,
    trap: Result<GuestFailure, EngineError>,
) -> CallError<E> {
    match trap {
        Err(fault) => CallError::Engine(fault),
        Ok(_) if meters.fuel == OUT_OF_SYSTEM_MEMORY => {
            CallError::Engine(EngineError::SystemMemory { engine })
        }
        Ok(_) if meters.fuel < 0 => CallError::Guest(GuestFailure::OutOfFuel),
        Ok(_) if meters.stack < 0 => CallError::Guest(GuestFailure::StackExhausted),
        Ok(failure) => CallError::Guest(failure),
    }
}

/// A contract was entered as a service, or the other way round. Preparation checks what each of them must
/// have, so only a caller that mixes them up gets here.
pub(crate) fn no_entry<E>() -> CallError<E> {
    CallError::Guest(GuestFailure::Trap(TrapKind::Other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(
        fuel: i64,
        stack: i32,
        trap: Result<GuestFailure, EngineError>,
    ) -> CallError<&'static str> {
        explain_trap("engine", Meters { fuel, stack }, trap)
    }

    /// A guest that came to the end of the native stack with a negative meter would have been explained by that,
    /// on this engine alone.
    #[test]
    fn what_an_engine_cannot_do_is_never_a_guests_failure() {
        let fault = EngineError::NativeStack { engine: "engine" };
        for (fuel, stack) in [(5, 5), (-5, 5), (5, -5)] {
            let explained = explain(fuel, stack, Err(fault.clone()));
            assert_eq!(explained, CallError::Engine(fault.clone()));
        }
        let trap = Ok(GuestFailure::Trap(TrapKind::Unreachable));
        let no_memory = EngineError::SystemMemory { engine: "engine" };
        let explained = explain(OUT_OF_SYSTEM_MEMORY, 5, trap);
        assert_eq!(explained, CallError::Engine(no_memory));
    }

    #[test]
    fn a_meter_below_zero_explains_a_trap() {
        let trap = || Ok(GuestFailure::Trap(TrapKind::Unreachable));
        let guest = |failure| CallError::Guest(failure);
        assert_eq!(explain(-1, -1, trap()), guest(GuestFailure::OutOfFuel));
        assert_eq!(explain(0, -1, trap()), guest(GuestFailure::StackExhausted));
        let unreachable = GuestFailure::Trap(TrapKind::Unreachable);
        assert_eq!(explain(0, 0, trap()), guest(unreachable));
    }
}
