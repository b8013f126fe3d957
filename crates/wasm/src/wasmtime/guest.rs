//! A running instance as the boundary sees it.

use resident_abi::entry_points::EntryPointIndex;
use resident_witty::{GuestAllocator, GuestMemory, MAX_FLAT_PARAMS, MemoryError};
use wasmtime::{
    AsContextMut, FrameInfo, Func, Global, Memory, StoreContextMut, Trap, TypedFunc, Val,
    WasmBacktrace,
};

use super::{
    engine::NAME,
    link::{from_val, to_val},
};
use crate::{
    CallError, EngineError, GuestFailure, Host, Meters, TrapKind,
    boundary::{Guest, ResolvedEntry, entry_signatures, explain_trap, no_entry},
    host::Slot,
};

/// What Wasmtime's store holds.
pub(super) type State<H> = Slot<H, Exports>;

/// The exports of an instance, resolved once.
#[derive(Clone)]
pub(super) struct Exports {
    pub(super) memory: Memory,
    pub(super) realloc: TypedFunc<(u32, u32, u32, u32), u32>,
    pub(super) fuel: Global,
    pub(super) stack: Global,
    /// The module's own mutable globals, in the order of the prepared module's list.
    pub(super) captured: Box<[Global]>,
    /// In the order of [`EntryPointIndex::ALL`].
    pub(super) entries: Box<[ResolvedEntry<Func>]>,
    /// The start function.
    pub(super) start: Option<Func>,
    /// Whether it has run, or there is none.
    pub(super) started: bool,
}

/// The small part of [`Exports`] that every crossing needs, copied out so that the store is free.
#[derive(Clone, Copy)]
struct Handles {
    memory: Memory,
    fuel: Global,
    stack: Global,
}

/// An instance while it runs, or while it is about to.
pub(super) struct WasmtimeGuest<'a, H: Host> {
    store: StoreContextMut<'a, State<H>>,
    handles: Handles,
}

impl<'a, H: Host> WasmtimeGuest<'a, H> {
    /// Looks at the instance of this store.
    pub(super) fn new(store: StoreContextMut<'a, State<H>>) -> Self {
        let exports = exports(store.data());
        let handles = Handles {
            memory: exports.memory,
            fuel: exports.fuel,
            stack: exports.stack,
        };
        WasmtimeGuest { store, handles }
    }

    /// Turns what Wasmtime reports into what happened.
    fn explain(&mut self, error: &wasmtime::Error) -> CallError<H::Error> {
        if let Some(exit) = self.store.data_mut().exit.take() {
            return exit;
        }
        let trace = error.downcast_ref::<WasmBacktrace>();
        let frames = trace.into_iter().flat_map(WasmBacktrace::frames);
        self.store.data_mut().frames = frames.map(FrameInfo::func_index).collect();
        let trap = match error.downcast_ref::<Trap>() {
            Some(code) => trap(*code),
            None => Err(stopped(error)),
        };
        explain_trap(NAME, self.meters(), trap)
    }

    fn call_func(
        &mut self,
        func: Func,
        parameters: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError<H::Error>> {
        func.call(&mut self.store, parameters, results)
            .map_err(|error| self.explain(&error))
    }
}

impl<H: Host> GuestMemory for WasmtimeGuest<'_, H> {
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryError> {
        let memory = self.handles.memory.data(&self.store);
        let source = (address as usize)
            .checked_add(into.len())
            .and_then(|end| memory.get(address as usize..end))
            .ok_or(out_of_range(address, into.len(), memory.len()))?;
        into.copy_from_slice(source);
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.handles.memory.data_size(&self.store) as u64
    }
}

impl<H: Host> GuestAllocator for WasmtimeGuest<'_, H> {
    type Error = CallError<H::Error>;

    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Self::Error> {
        let realloc = exports(self.store.data()).realloc.clone();
        realloc
            .call(&mut self.store, (0, 0, align, size))
            .map_err(|error| self.explain(&error))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let memory = self.handles.memory.data_mut(&mut self.store);
        let size = memory.len();
        (address as usize)
            .checked_add(bytes.len())
            .and_then(|end| memory.get_mut(address as usize..end))
            .ok_or(out_of_range(address, bytes.len(), size))?
            .copy_from_slice(bytes);
        Ok(())
    }
}

const METER: &str = "preparation made the meter a mutable global";

impl<H: Host> Guest<H> for WasmtimeGuest<'_, H> {
    fn host(&mut self) -> &mut Option<H> {
        &mut self.store.data_mut().host
    }

    fn meters(&mut self) -> Meters {
        Meters {
            fuel: self.handles.fuel.get(&mut self.store).unwrap_i64(),
            stack: self.handles.stack.get(&mut self.store).unwrap_i32(),
        }
    }

    fn set_fuel(&mut self, fuel: i64) {
        let set = self.handles.fuel.set(&mut self.store, Val::I64(fuel));
        set.expect(METER);
    }

    fn set_stack(&mut self, stack: i32) {
        let set = self.handles.stack.set(&mut self.store, Val::I32(stack));
        set.expect(METER);
    }

    fn start(&mut self) -> Result<(), CallError<H::Error>> {
        let exports = self
            .store
            .data_mut()
            .exports
            .as_mut()
            .expect("resolved before any call");
        let started = std::mem::replace(&mut exports.started, true);
        match exports.start.filter(|_| !started) {
            Some(start) => self.call_func(start, &[], &mut []),
            None => Ok(()),
        }
    }

    fn call(
        &mut self,
        entry: EntryPointIndex,
        flats: &[u64],
    ) -> Result<Option<u64>, CallError<H::Error>> {
        let (func, _) = exports(self.store.data()).entries[entry as usize].ok_or_else(no_entry)?;
        let signature = &entry_signatures()[entry as usize];
        let mut parameters = [const { Val::I32(0) }; MAX_FLAT_PARAMS];
        for ((value, flat), ty) in parameters.iter_mut().zip(flats).zip(&signature.params) {
            *value = to_val(*ty, *flat);
        }
        let mut results = [Val::I32(0)];
        let results = &mut results[..signature.results.len()];
        self.call_func(func, &parameters[..flats.len()], results)?;
        Ok(results.first().map(from_val))
    }

    fn post_return(
        &mut self,
        entry: EntryPointIndex,
        flat: Option<u64>,
    ) -> Result<(), CallError<H::Error>> {
        match exports(self.store.data()).entries[entry as usize] {
            // A post-return function takes what its entry point returned: a pointer, or nothing.
            Some((_, Some(func))) => {
                let pointer = flat.map(|flat| Val::I32(flat as i32));
                self.call_func(func, pointer.as_slice(), &mut [])
            }
            _ => Ok(()),
        }
    }
}

/// Leaves the reason of an early end in the store, and gives Wasmtime an error to unwind with.
pub(super) fn leave<H: Host>(
    mut store: impl AsContextMut<Data = State<H>>,
    exit: CallError<H::Error>,
) -> wasmtime::Error {
    store.as_context_mut().data_mut().exit = Some(exit);
    wasmtime::Error::msg("ended by the host")
}

fn exports<H: Host>(state: &State<H>) -> &Exports {
    state
        .exports
        .as_ref()
        .expect("the exports are resolved before anything is called")
}

fn out_of_range(address: u32, len: usize, size: usize) -> MemoryError {
    MemoryError::OutOfRange {
        address,
        len: len as u64,
        size: size as u64,
    }
}

/// A trap of the guest's own making; an error for what prepared modules cannot cause.
fn trap(trap: Trap) -> Result<GuestFailure, EngineError> {
    let kind = match trap {
        Trap::StackOverflow => return Err(EngineError::NativeStack { engine: NAME }),
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::IndirectCallToNull,
        Trap::BadSignature => TrapKind::BadSignature,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversionToInteger,
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
