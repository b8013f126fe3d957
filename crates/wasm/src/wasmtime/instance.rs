//! An instance: made, entered, snapshotted, restored.

use resident_abi::EntryPoint;
use wasmtime::{AsContextMut, Extern, Instance, Store};

use super::{
    engine::{ExportIndices, WasmtimeModule, instantiate_error},
    guest::{Exports, State, WasmtimeGuest},
    link::{from_val, to_val},
};
use crate::{
    EngineError, Entered, Host, InstanceSnapshot, RestoreError, boundary::enter, host::Slot,
};

/// One instance of a module, with a store of its own so that it can go by itself.
pub struct WasmtimeInstance<H: Host> {
    module: WasmtimeModule<H>,
    store: Store<State<H>>,
}

impl<H: Host> WasmtimeInstance<H> {
    /// Makes an instance. No code of the guest runs.
    ///
    /// # Errors
    /// If the engine has no room for another instance.
    pub fn new(module: &WasmtimeModule<H>) -> Result<Self, EngineError> {
        let mut store = Store::new(module.instance.module().engine(), Slot::new());
        let instance = module
            .instance
            .instantiate(&mut store)
            .map_err(instantiate_error)?;
        let exports = resolve(&module.exports, &instance, &mut store)
            .ok_or_else(|| instantiate_error("an export has another type"))?;
        store.data_mut().exports = Some(exports);
        Ok(WasmtimeInstance {
            module: module.clone(),
            store,
        })
    }

    /// The module that this is an instance of.
    pub fn module(&self) -> &WasmtimeModule<H> {
        &self.module
    }

    /// Calls an entry point, lending the guest the host.
    pub fn enter<E: EntryPoint>(
        &mut self,
        host: H,
        parameters: &E::Parameters,
    ) -> Entered<H, E::Results> {
        enter::<E, H, _>(
            &mut WasmtimeGuest::new(self.store.as_context_mut()),
            host,
            parameters,
        )
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.exports().memory.data_size(&self.store) as u64
    }

    /// Takes a snapshot, into the buffers of an older one.
    pub fn snapshot(&mut self, mut reused: InstanceSnapshot) -> InstanceSnapshot {
        reused.module = self.module.prepared.hash();
        reused.started = self.exports().start.is_none();
        reused.memory.clear();
        reused
            .memory
            .extend_from_slice(self.exports().memory.data(&self.store));
        reused.globals.clear();
        for index in 0..self.exports().captured.len() {
            let global = self.exports().captured[index];
            reused.globals.push(from_val(&global.get(&mut self.store)));
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
        let memory = self.exports().memory;
        let missing_pages = (snapshot.memory.len() as u64 - self.memory_bytes()) >> 16;
        if missing_pages > 0 {
            let too_large = RestoreError::MemoryTooLarge {
                snapshot: snapshot.memory.len() as u64,
            };
            memory
                .grow(&mut self.store, missing_pages)
                .map_err(|_| too_large)?;
        }
        memory
            .data_mut(&mut self.store)
            .copy_from_slice(&snapshot.memory);
        for (index, flat) in snapshot.globals.iter().enumerate() {
            let global = self.exports().captured[index];
            let value = to_val(
                self.module.prepared.captured_globals[index].ty.into(),
                *flat,
            );
            global
                .set(&mut self.store, value)
                .expect("captured globals are mutable");
        }
        if snapshot.started {
            self.store
                .data_mut()
                .exports
                .as_mut()
                .expect("resolved in `new`")
                .start = None;
        }
        Ok(())
    }

    fn exports(&self) -> &Exports {
        self.store
            .data()
            .exports
            .as_ref()
            .expect("resolved in `new`")
    }
}

fn resolve<H: Host>(
    indices: &ExportIndices,
    instance: &Instance,
    store: &mut Store<State<H>>,
) -> Option<Exports> {
    let mut export = |index| instance.get_module_export(&mut *store, index);
    let memory = export(&indices.memory)?.into_memory()?;
    let realloc = export(&indices.realloc)?.into_func()?;
    let fuel = export(&indices.fuel)?.into_global()?;
    let stack = export(&indices.stack)?.into_global()?;
    let captured: Option<_> = indices
        .captured
        .iter()
        .map(|index| export(index)?.into_global())
        .collect();
    let mut func = |index| export(index).and_then(Extern::into_func);
    let entries: Option<_> = indices
        .entries
        .iter()
        .map(|(entry, post_return)| Some((func(entry)?, post_return.as_ref().and_then(&mut func))))
        .collect();
    let start = indices.start.as_ref().and_then(&mut func);
    let realloc = realloc.typed(&*store).ok()?;
    Some(Exports {
        memory,
        realloc,
        fuel,
        stack,
        captured: captured?,
        entries: entries?,
        start,
    })
}
