//! An instance: made, entered, snapshotted, restored.

use std::sync::Arc;

use resident_abi::{EntryPoint, MEMORY_EXPORT, REALLOC_EXPORT, entry_points::ContractEntryPoint};
use send_wrapper::SendWrapper;
use wasmer::{AsStoreMut, ExportError, FunctionEnv, Instance, Store};

use super::{
    engine::{WasmerModule, instantiate_error},
    guest::{Exports, Handles, State, WasmerGuest},
    link::{from_value, imports, to_value},
    memory::{bytes, bytes_mut},
};
use crate::{
    EngineError, Entered, Host, InstanceSnapshot, RestoreError,
    boundary::enter,
    host::Slot,
    prepare::{FUEL_EXPORT, STACK_EXPORT, START_EXPORT},
};

/// One instance of a module, with a store of its own so that it can go by itself.
pub struct WasmerInstance<H: Host> {
    module: WasmerModule<H>,
    store: Store,
    state: FunctionEnv<State<H>>,
    handles: Arc<Handles>,
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
        let state = self.state.clone();
        enter::<E, H, _>(
            &mut WasmerGuest::new(self.store.as_store_mut(), state),
            host,
            parameters,
        )
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        bytes(&self.handles.memory, &self.store).len() as u64
    }

    /// Takes a snapshot, into the buffers of an older one.
    pub fn snapshot(&mut self, mut reused: InstanceSnapshot) -> InstanceSnapshot {
        reused.module = self.module.prepared.hash();
        reused.started = self.exports().start.is_none();
        reused.memory.clear();
        reused
            .memory
            .extend_from_slice(bytes(&self.handles.memory, &self.store));
        reused.globals.clear();
        for global in &self.handles.captured {
            reused
                .globals
                .push(from_value(&global.get(&mut self.store)));
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
        let memory = &self.handles.memory;
        let missing_pages = (snapshot.memory.len() as u64 - self.memory_bytes()) >> 16;
        if missing_pages > 0 {
            let too_large = RestoreError::MemoryTooLarge {
                snapshot: snapshot.memory.len() as u64,
            };
            memory
                .grow(&mut self.store, missing_pages as u32)
                .map_err(|_| too_large)?;
        }
        bytes_mut(memory, &mut self.store).copy_from_slice(&snapshot.memory);
        let types = self.module.prepared.captured_globals.iter();
        for ((global, flat), captured) in self
            .handles
            .captured
            .iter()
            .zip(&snapshot.globals)
            .zip(types)
        {
            let value = to_value(captured.ty.into(), *flat);
            global
                .set(&mut self.store, value)
                .expect("captured globals are mutable");
        }
        if snapshot.started {
            let state = self.state.as_mut(&mut self.store);
            state.exports.as_mut().expect("resolved in `new`").start = None;
        }
        Ok(())
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
    let entry = |entry: &ContractEntryPoint| {
        let post_return = exports
            .get_function(&entry.post_return_name())
            .ok()
            .cloned();
        Ok((
            exports.get_function(&entry.export_name())?.clone(),
            post_return,
        ))
    };
    let handles = Handles {
        memory: exports.get_memory(MEMORY_EXPORT)?.clone(),
        realloc: exports.get_typed_function(store, REALLOC_EXPORT)?,
        fuel: exports.get_global(FUEL_EXPORT)?.clone(),
        stack: exports.get_global(STACK_EXPORT)?.clone(),
        captured: captured
            .map(|captured| exports.get_global(&captured.export_name).cloned())
            .collect::<Result<_, _>>()?,
        entries: ContractEntryPoint::ALL
            .iter()
            .map(entry)
            .collect::<Result<_, ExportError>>()?,
    };
    let start = exports.get_function(START_EXPORT).ok().cloned();
    Ok(Exports {
        handles: Arc::new(handles),
        start,
    })
}
