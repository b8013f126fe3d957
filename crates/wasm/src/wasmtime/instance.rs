//! An instance: made, entered, snapshotted, restored.

use resident_abi::EntryPoint;
use wasmtime::{
    AsContextMut, Extern, Instance, InstancePre, ModuleExport, PoolConcurrencyLimitError, Store,
};

use super::{
    engine::{ExportIndices, WasmtimeModule, instantiate_error},
    guest::{Exports, State, WasmtimeGuest},
    link::{from_val, to_val},
    overflow::Unpooled,
};
use crate::{
    EngineError, Entered, Host, InstanceSnapshot, PortableSnapshot, RestoreError, boundary::enter,
    host::Slot, snapshot::write_differing,
};

/// One instance of a module, with a store of its own so that it can go by itself.
pub struct WasmtimeInstance<H: Host> {
    module: WasmtimeModule<H>,
    store: Store<State<H>>,
    /// Whether the memory is still what it was at instantiation.
    untouched: bool,
}

impl<H: Host> WasmtimeInstance<H> {
    /// Makes an instance. No code of the guest runs.
    ///
    /// # Errors
    /// If the engine has no room for another instance.
    pub fn new(module: &WasmtimeModule<H>) -> Result<Self, EngineError> {
        let (mut store, exports) = match make(&module.instance, &module.exports) {
            Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                let Unpooled { instance, exports } = module.unpooled()?;
                make(instance, exports)
            }
            made => made,
        }
        .map_err(instantiate_error)?;
        store.data_mut().exports = Some(exports);
        Ok(WasmtimeInstance {
            module: module.clone(),
            store,
            untouched: true,
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
        self.untouched = false;
        let entered = enter::<E, H, _>(
            &mut WasmtimeGuest::new(self.store.as_context_mut()),
            host,
            parameters,
        );
        let frames = std::mem::take(&mut self.store.data_mut().frames);
        entered.note_trap(&self.module.prepared, &frames)
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.exports().memory.data_size(&self.store) as u64
    }

    /// Takes a snapshot, into the buffers of an older one.
    pub fn snapshot(&mut self, mut reused: InstanceSnapshot) -> InstanceSnapshot {
        reused.module = self.module.prepared.hash();
        reused.started = self.exports().started;
        reused.memory.clear();
        reused.memory.extend_from_slice(self.memory());
        reused.globals.clear();
        for index in 0..self.exports().captured.len() {
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
        let count = self.exports().captured.len();
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
        self.exports().memory.data(&self.store)
    }

    /// The memory, to be changed.
    fn memory_mut(&mut self) -> &mut [u8] {
        self.untouched = false;
        let memory = self.exports().memory;
        memory.data_mut(&mut self.store)
    }

    fn grow_to(&mut self, bytes: u64) -> Result<(), RestoreError> {
        let missing_pages = (bytes - self.memory_bytes()) >> 16;
        let memory = self.exports().memory;
        match missing_pages {
            0 => Ok(()),
            _ => memory
                .grow(&mut self.store, missing_pages)
                .map(|_| ())
                .map_err(|_| RestoreError::MemoryTooLarge { snapshot: bytes }),
        }
    }

    fn global(&mut self, index: usize) -> u64 {
        let global = self.exports().captured[index];
        from_val(&global.get(&mut self.store))
    }

    fn set_globals(&mut self, globals: impl Iterator<Item = u64>) {
        let module = self.module.clone();
        for (index, (flat, captured)) in globals.zip(&module.prepared.captured_globals).enumerate()
        {
            let global = self.exports().captured[index];
            global
                .set(&mut self.store, to_val(captured.ty.into(), flat))
                .expect("captured globals are mutable");
        }
    }

    fn set_started(&mut self, started: bool) {
        let exports = self.store.data_mut().exports.as_mut();
        exports.expect("resolved in `new`").started = started;
    }

    fn exports(&self) -> &Exports {
        self.store
            .data()
            .exports
            .as_ref()
            .expect("resolved in `new`")
    }
}

/// An instance in a store of its own.
fn make<H: Host>(
    instance: &InstancePre<State<H>>,
    exports: &ExportIndices,
) -> wasmtime::Result<(Store<State<H>>, Exports)> {
    let mut store = Store::new(instance.module().engine(), Slot::new());
    let instance = instance.instantiate(&mut store)?;
    let exports = resolve(exports, &instance, &mut store)
        .ok_or_else(|| wasmtime::Error::msg("an export has another type"))?;
    Ok((store, exports))
}

fn resolve<H: Host>(
    indices: &ExportIndices,
    instance: &Instance,
    store: &mut Store<State<H>>,
) -> Option<Exports> {
    let mut export = |index: &ModuleExport| instance.get_module_export(&mut *store, index);
    let memory = export(&indices.memory)?.into_memory()?;
    let realloc = export(&indices.realloc)?.into_func()?;
    let fuel = export(&indices.fuel)?.into_global()?;
    let stack = export(&indices.stack)?.into_global()?;
    let captured: Option<_> = indices
        .captured
        .iter()
        .map(|index| export(index)?.into_global())
        .collect();
    let mut func = |index: &ModuleExport| export(index).and_then(Extern::into_func);
    let mut entry = |(entry, post_return): &(ModuleExport, Option<ModuleExport>)| {
        Some((func(entry)?, post_return.as_ref().and_then(&mut func)))
    };
    let entries = indices.entries.iter().map(|found| entry(found.as_ref()?));
    let entries = entries.collect();
    let start = indices.start.as_ref().and_then(&mut func);
    let realloc = realloc.typed(&*store).ok()?;
    Some(Exports {
        memory,
        realloc,
        fuel,
        stack,
        captured: captured?,
        entries,
        started: start.is_none(),
        start,
    })
}
