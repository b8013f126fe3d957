//! An instance: made, entered, snapshotted, restored.

use std::sync::Arc;

use resident_abi::{EntryPoint, MEMORY_EXPORT, REALLOC_EXPORT, entry_points::EntryPointIndex};
use send_wrapper::SendWrapper;
use wasmer::{AsStoreMut, ExportError, FunctionEnv, Instance, Store};

use super::{
    engine::{WasmerModule, instantiate_error},
    guest::{Exports, Handles, State, WasmerGuest},
    link::{from_value, imports, to_value},
    memory::{bytes, bytes_mut},
};
use crate::{
    EngineError, Entered, Host, InstanceSnapshot, PortableSnapshot, RestoreError,
    boundary::enter,
    host::Slot,
    prepare::{FUEL_EXPORT, STACK_EXPORT, START_EXPORT},
    snapshot::write_differing,
};

/// One instance of a module, with a store of its own so that it can go by itself.
pub struct WasmerInstance<H: Host> {
    module: WasmerModule<H>,
    store: Store,
    state: FunctionEnv<State<H>>,
    handles: Arc<Handles>,
    /// Whether the memory is still what it was at instantiation.
    untouched: bool,
}

impl<H: Host> WasmerInstance<H> {
    /// Makes an instance. No code of the guest runs.
    ///
    /// # Errors
    /// If the engine has no room for another instance.
    pub fn new(module: &WasmerModule<H>) -> Result<Self, EngineError> {
        let mut store = Store::new(module.engine.clone());
        let state = FunctionEnv::new(&mut store, SendWrapper::new(Slot::new()));
        let imports = imports(module, &mut store, &state);
        let instance =
            Instance::new(&mut store, &module.module, &imports).map_err(instantiate_error)?;
        let exports = resolve(module, &instance, &store).map_err(instantiate_error)?;
        let handles = exports.handles.clone();
        state.as_mut(&mut store).exports = Some(exports);
        Ok(WasmerInstance {
            module: module.clone(),
            store,
            state,
            handles,
            untouched: true,
        })
    }

    /// The module that this is an instance of.
    pub fn module(&self) -> &WasmerModule<H> {
        &self.module
    }

    /// Calls an entry point, lending the guest the host.
    pub fn enter<E: EntryPoint>(
        &mut self,
        host: H,
        parameters: &E::Parameters,
    ) -> Entered<H, E::Results> {
        self.untouched = false;
        let state = self.state.clone();
        let entered = enter::<E, H, _>(
            &mut WasmerGuest::new(self.store.as_store_mut(), state),
            host,
            parameters,
        );
        let frames = std::mem::take(&mut self.state.as_mut(&mut self.store).frames);
        entered.note_trap(&self.module.prepared, &frames)
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        bytes(&self.handles.memory, &self.store).len() as u64
    }

    /// Takes a snapshot, into the buffers of an older one.
    pub fn snapshot(&mut self, mut reused: InstanceSnapshot) -> InstanceSnapshot {
        reused.module = self.module.prepared.hash();
        reused.started = self.exports().started;
        reused.memory.clear();
        reused.memory.extend_from_slice(self.memory());
        reused.globals.clear();
        for index in 0..self.handles.captured.len() {
            reused.globals.push(self.global(index));
        }
        reused
    }

    /// Goes back to a snapshot.
    ///
    /// # Errors
    /// If the snapshot does not fit; nothing is changed then. A memory that grew since is the usual
    /// reason, and a new instance the answer.
    pub fn restore(&mut self, snapshot: &InstanceSnapshot) -> Result<(), RestoreError> {
        snapshot.check(&self.module.prepared, self.memory_bytes())?;
        self.grow_to(snapshot.memory.len() as u64)?;
        write_differing(self.memory_mut(), &snapshot.memory);
        self.set_globals(snapshot.globals.iter().copied());
        self.set_started(snapshot.started);
        Ok(())
    }

    /// Takes a snapshot in the portable form, into the buffer of an older one.
    pub fn portable_snapshot(&mut self, reused: Option<PortableSnapshot>) -> PortableSnapshot {
        let count = self.handles.captured.len();
        let globals: Vec<_> = (0..count).map(|index| self.global(index)).collect();
        let started = self.exports().started;
        let prepared = &self.module.prepared;
        PortableSnapshot::new(reused, prepared, started, &globals, self.memory())
    }

    /// Goes to the state of a portable snapshot, on whichever engine it was taken.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn restore_portable(&mut self, snapshot: &PortableSnapshot) -> Result<(), RestoreError> {
        snapshot.check(&self.module.prepared, self.memory_bytes())?;
        self.grow_to(snapshot.memory_bytes())?;
        let (module, untouched) = (self.module.clone(), self.untouched);
        let memory = self.memory_mut();
        if !untouched {
            module.prepared.starting_image.reset(memory);
        }
        snapshot.write_differences(memory);
        self.set_globals(snapshot.globals().iter().copied());
        self.set_started(snapshot.started());
        Ok(())
    }

    fn memory(&self) -> &[u8] {
        bytes(&self.handles.memory, &self.store)
    }

    /// The memory, to be changed.
    fn memory_mut(&mut self) -> &mut [u8] {
        self.untouched = false;
        bytes_mut(&self.handles.memory, &mut self.store)
    }

    fn grow_to(&mut self, bytes: u64) -> Result<(), RestoreError> {
        let missing_pages = (bytes - self.memory_bytes()) >> 16;
        let memory = &self.handles.memory;
        match missing_pages {
            0 => Ok(()),
            _ => memory
                .grow(&mut self.store, missing_pages as u32)
                .map(|_| ())
                .map_err(|_| RestoreError::MemoryTooLarge { snapshot: bytes }),
        }
    }

    fn global(&mut self, index: usize) -> u64 {
        from_value(&self.handles.captured[index].get(&mut self.store))
    }

    fn set_globals(&mut self, globals: impl Iterator<Item = u64>) {
        let module = self.module.clone();
        for (index, (flat, captured)) in globals.zip(&module.prepared.captured_globals).enumerate()
        {
            let global = &self.handles.captured[index];
            global
                .set(&mut self.store, to_value(captured.ty.into(), flat))
                .expect("captured globals are mutable");
        }
    }

    fn set_started(&mut self, started: bool) {
        let exports = self.state.as_mut(&mut self.store).exports.as_mut();
        exports.expect("resolved in `new`").started = started;
    }

    fn exports(&self) -> &Exports {
        self.state
            .as_ref(&self.store)
            .exports
            .as_ref()
            .expect("resolved in `new`")
    }
}

fn resolve<H: Host>(
    module: &WasmerModule<H>,
    instance: &Instance,
    store: &Store,
) -> Result<Exports, ExportError> {
    let exports = &instance.exports;
    let captured = module.prepared.captured_globals.iter();
    // A contract and a service have different ones; preparation checked that they are all there.
    let entry = |entry: &EntryPointIndex| {
        let function = |name: &str| exports.get_function(name).ok().cloned();
        let post_return = function(&entry.post_return_name());
        Some((function(&entry.export_name())?, post_return))
    };
    let handles = Handles {
        memory: exports.get_memory(MEMORY_EXPORT)?.clone(),
        realloc: exports.get_typed_function(store, REALLOC_EXPORT)?,
        fuel: exports.get_global(FUEL_EXPORT)?.clone(),
        stack: exports.get_global(STACK_EXPORT)?.clone(),
        captured: captured
            .map(|captured| exports.get_global(&captured.export_name).cloned())
            .collect::<Result<_, _>>()?,
        entries: EntryPointIndex::ALL.iter().map(entry).collect(),
        start: exports.get_function(START_EXPORT).ok().cloned(),
    };
    Ok(Exports {
        started: handles.start.is_none(),
        handles: Arc::new(handles),
    })
}
