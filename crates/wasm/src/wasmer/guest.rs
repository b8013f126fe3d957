//! A running instance as the boundary sees it.

use std::sync::Arc;

use resident_abi::entry_points::EntryPointIndex;
use resident_witty::{GuestAllocator, GuestMemory, MAX_FLAT_PARAMS, MemoryError};
use send_wrapper::SendWrapper;
use wasmer::{
    AsStoreMut, FrameInfo, Function, FunctionEnv, Global, Memory, RuntimeError, StoreMut,
    TypedFunction, Value,
};
use wasmer_types::TrapCode;

use super::{
    engine::NAME,
    link::{from_value, to_value},
    memory::{bytes, bytes_mut},
};
use crate::{
    CallError, EngineError, GuestFailure, Host, MAX_TRACED_FRAMES, Meters, TrapKind,
    boundary::{Guest, ResolvedEntry, entry_signatures, explain_trap, no_entry},
    host::Slot,
};

/// What the environment of the host functions holds.
///
/// Wasmer wants it to be `Send`, but its own stores are not, and the host keeps stores of other
/// instances. An instance stays on the thread that made it, and the wrapper checks that.
pub(super) type State<H> = SendWrapper<Slot<H, Exports>>;

/// The exports of an instance, resolved once.
pub(super) struct Exports {
    pub(super) handles: Arc<Handles>,
    /// Whether the start function has run, or there is none.
    pub(super) started: bool,
}

/// The part of [`Exports`] that never changes.
pub(super) struct Handles {
    pub(super) memory: Memory,
    pub(super) realloc: TypedFunction<(u32, u32, u32, u32), u32>,
    pub(super) fuel: Global,
    pub(super) stack: Global,
    /// The module's own mutable globals, in the order of the prepared module's list.
    pub(super) captured: Vec<Global>,
    /// In the order of [`EntryPointIndex::ALL`].
    pub(super) entries: Vec<ResolvedEntry<Function>>,
    /// The start function.
    pub(super) start: Option<Function>,
}

/// An instance while it runs, or while it is about to.
pub(super) struct WasmerGuest<'a, H: Host> {
    store: StoreMut<'a>,
    state: FunctionEnv<State<H>>,
    handles: Arc<Handles>,
}

impl<'a, H: Host> WasmerGuest<'a, H> {
    /// Looks at the instance of this store.
    pub(super) fn new(store: StoreMut<'a>, state: FunctionEnv<State<H>>) -> Self {
        let exports = state.as_ref(&store).exports.as_ref();
        let handles = exports
            .expect("the exports are resolved before any call")
            .handles
            .clone();
        WasmerGuest {
            store,
            state,
            handles,
        }
    }

    fn state(&mut self) -> &mut State<H> {
        self.state.as_mut(&mut self.store)
    }

    /// Turns what Wasmer reports into what happened.
    fn explain(&mut self, error: RuntimeError) -> CallError<H::Error> {
        if let Some(exit) = self.state().exit.take() {
            return exit;
        }
        let frames = error.trace().iter().map(FrameInfo::func_index);
        self.state().frames = frames.take(MAX_TRACED_FRAMES).collect();
        let message = error.message();
        let trap = match error.to_trap() {
            Some(code) => trap(code),
            None => Err(stopped(message)),
        };
        explain_trap(NAME, self.meters(), trap)
    }

    fn call_func(
        &mut self,
        func: &Function,
        parameters: &[Value],
    ) -> Result<Box<[Value]>, CallError<H::Error>> {
        func.call(&mut self.store, parameters)
            .map_err(|error| self.explain(error))
    }
}

impl<H: Host> GuestMemory for WasmerGuest<'_, H> {
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryError> {
        let memory = bytes(&self.handles.memory, &self.store);
        let source = (address as usize)
            .checked_add(into.len())
            .and_then(|end| memory.get(address as usize..end))
            .ok_or(out_of_range(address, into.len(), memory.len()))?;
        into.copy_from_slice(source);
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        bytes(&self.handles.memory, &self.store).len() as u64
    }
}

impl<H: Host> GuestAllocator for WasmerGuest<'_, H> {
    type Error = CallError<H::Error>;

    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Self::Error> {
        let handles = self.handles.clone();
        handles
            .realloc
            .call(&mut self.store, 0, 0, align, size)
            .map_err(|error| self.explain(error))
    }

    fn write(&mut self, address: u32, data: &[u8]) -> Result<(), Self::Error> {
        let memory = bytes_mut(&self.handles.memory, &mut self.store);
        let size = memory.len();
        (address as usize)
            .checked_add(data.len())
            .and_then(|end| memory.get_mut(address as usize..end))
            .ok_or(out_of_range(address, data.len(), size))?
            .copy_from_slice(data);
        Ok(())
    }
}

const METER: &str = "preparation made the meter a mutable global";

impl<H: Host> Guest<H> for WasmerGuest<'_, H> {
    fn host(&mut self) -> &mut Option<H> {
        &mut self.state().host
    }

    fn meters(&mut self) -> Meters {
        Meters {
            fuel: self.handles.fuel.get(&mut self.store).unwrap_i64(),
            stack: self.handles.stack.get(&mut self.store).unwrap_i32(),
        }
    }

    fn set_fuel(&mut self, fuel: i64) {
        let set = self.handles.fuel.set(&mut self.store, Value::I64(fuel));
        set.expect(METER);
    }

    fn set_stack(&mut self, stack: i32) {
        let set = self.handles.stack.set(&mut self.store, Value::I32(stack));
        set.expect(METER);
    }

    fn start(&mut self) -> Result<(), CallError<H::Error>> {
        let exports = self
            .state()
            .exports
            .as_mut()
            .expect("resolved before any call");
        let started = std::mem::replace(&mut exports.started, true);
        let start = self.handles.start.clone();
        match start.filter(|_| !started) {
            Some(start) => self.call_func(&start, &[]).map(|_| ()),
            None => Ok(()),
        }
    }

    fn call(
        &mut self,
        entry: EntryPointIndex,
        flats: &[u64],
    ) -> Result<Option<u64>, CallError<H::Error>> {
        let handles = self.handles.clone();
        let signature = &entry_signatures()[entry as usize];
        let mut parameters = [const { Value::I32(0) }; MAX_FLAT_PARAMS];
        for ((value, flat), ty) in parameters.iter_mut().zip(flats).zip(&signature.params) {
            *value = to_value(*ty, *flat);
        }
        let found = handles.entries[entry as usize].as_ref();
        let (func, _) = found.ok_or_else(no_entry)?;
        let results = self.call_func(func, &parameters[..flats.len()])?;
        Ok(results.first().map(from_value))
    }

    fn post_return(
        &mut self,
        entry: EntryPointIndex,
        flat: Option<u64>,
    ) -> Result<(), CallError<H::Error>> {
        let handles = self.handles.clone();
        match &handles.entries[entry as usize] {
            // A post-return function takes what its entry point returned: a pointer, or nothing.
            Some((_, Some(func))) => {
                let pointer = flat.map(|flat| Value::I32(flat as i32));
                self.call_func(func, pointer.as_slice()).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

/// Leaves the reason of an early end in the state, and gives Wasmer an error to unwind with.
pub(super) fn leave<H: Host>(
    store: &mut impl AsStoreMut,
    state: &FunctionEnv<State<H>>,
    exit: CallError<H::Error>,
) -> RuntimeError {
    state.as_mut(store).exit = Some(exit);
    RuntimeError::new("ended by the host")
}

fn out_of_range(address: u32, len: usize, size: usize) -> MemoryError {
    MemoryError::OutOfRange {
        address,
        len: len as u64,
        size: size as u64,
    }
}

/// A trap of the guest's own making; an error for what prepared modules cannot cause.
fn trap(trap: TrapCode) -> Result<GuestFailure, EngineError> {
    let kind = match trap {
        TrapCode::StackOverflow => return Err(EngineError::NativeStack { engine: NAME }),
        TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
        TrapCode::HeapAccessOutOfBounds => TrapKind::MemoryOutOfBounds,
        TrapCode::TableAccessOutOfBounds => TrapKind::TableOutOfBounds,
        TrapCode::IndirectCallToNull => TrapKind::IndirectCallToNull,
        TrapCode::BadSignature => TrapKind::BadSignature,
        TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
        TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        TrapCode::BadConversionToInteger => TrapKind::BadConversionToInteger,
        other => return Err(stopped(other)),
    };
    Ok(GuestFailure::Trap(kind))
}

fn stopped(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Stopped {
        engine: NAME,
        reason: format!("{reason:#}"),
    }
}
