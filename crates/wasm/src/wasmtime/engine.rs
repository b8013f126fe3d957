//! The engine's configuration, and compiled modules.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
};

use resident_abi::{MEMORY_EXPORT, REALLOC_EXPORT, entry_points::EntryPointIndex};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, ModuleExport,
    OptLevel, PoolingAllocationConfig,
};

use super::{
    code,
    guest::State,
    link,
    overflow::{Overflow, OverflowModule},
};
use crate::{
    EngineError, EngineIdentity, Host, MAX_TRACED_FRAMES, NATIVE_STACK_BYTES,
    boundary::ResolvedEntry,
    prepare::{FUEL_EXPORT, Limits, PreparedModule, STACK_EXPORT, START_EXPORT},
};

pub(super) const NAME: &str = "wasmtime";

/// Instances that the pool has room for: enough for forty blocks that each have as many applications as the
/// default policy allows. Only address space is reserved for them. Those that find no room there are made
/// without the pool, which takes longer and changes nothing else.
const POOLED_INSTANCES: u32 = 4_000;

/// What an instance reserves of address space for its memory. Four gibibytes, with a guard behind
/// them, are what makes bounds checks free.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// Memory up to this size is zeroed rather than given back to the system when an instance ends:
/// writing a few pages is cheaper than faulting them in again.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;

/// A configured Wasmtime with the host functions linked. Cheap to clone.
pub struct WasmtimeEngine<H: Host> {
    pub(super) engine: Engine,
    linker: Arc<Linker<State<H>>>,
    identity: Arc<EngineIdentity>,
    overflow: Arc<Overflow<H>>,
}

impl<H: Host> Clone for WasmtimeEngine<H> {
    fn clone(&self) -> Self {
        WasmtimeEngine {
            engine: self.engine.clone(),
            linker: self.linker.clone(),
            identity: self.identity.clone(),
            overflow: self.overflow.clone(),
        }
    }
}

impl<H: Host> WasmtimeEngine<H> {
    /// Sets the engine up.
    ///
    /// # Errors
    /// If the system does not let the engine reserve address space, or the machine is not one that
    /// Wasmtime compiles for.
    pub fn new() -> Result<Self, EngineError> {
        Self::with_pool(POOLED_INSTANCES)
    }

    /// As [`new`](Self::new), with a pool for so many instances, at least one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_pool(instances: u32) -> Result<Self, EngineError> {
        let engine = Engine::new(&pooling_config(instances.max(1)))
            .or_else(|_| Engine::new(&base_config()))
            .map_err(setup_error)?;
        let linker = Arc::new(link::linker(&engine).map_err(setup_error)?);
        let identity = Arc::new(code::identity(&engine));
        Ok(WasmtimeEngine {
            engine,
            linker,
            identity,
            overflow: Arc::default(),
        })
    }

    /// What compiled code depends on besides its module.
    pub fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    /// Compiles a prepared module and resolves its imports and exports, once for all instances.
    ///
    /// # Errors
    /// If the engine refuses what `prepare` accepted, which is a fault of the node.
    pub fn compile(&self, prepared: Arc<PreparedModule>) -> Result<WasmtimeModule<H>, EngineError> {
        let module = Module::new(&self.engine, &prepared.bytes).map_err(compile_error)?;
        self.link(prepared, &module)
    }

    /// `module` is the prepared one, compiled.
    pub(super) fn link(
        &self,
        prepared: Arc<PreparedModule>,
        module: &Module,
    ) -> Result<WasmtimeModule<H>, EngineError> {
        let instance = self.linker.instantiate_pre(module).map_err(compile_error)?;
        let exports = Arc::new(ExportIndices::find(module, &prepared)?);
        Ok(WasmtimeModule {
            prepared,
            instance,
            exports,
            identity: self.identity.clone(),
            overflow: Arc::new(OverflowModule {
                engine: self.overflow.clone(),
                made: OnceLock::new(),
            }),
        })
    }
}

/// A compiled module, ready to be instantiated. Cheap to clone.
pub struct WasmtimeModule<H: Host> {
    pub(super) prepared: Arc<PreparedModule>,
    pub(super) instance: InstancePre<State<H>>,
    pub(super) exports: Arc<ExportIndices>,
    pub(super) identity: Arc<EngineIdentity>,
    pub(super) overflow: Arc<OverflowModule<H>>,
}

impl<H: Host> Clone for WasmtimeModule<H> {
    fn clone(&self) -> Self {
        WasmtimeModule {
            prepared: self.prepared.clone(),
            instance: self.instance.clone(),
            exports: self.exports.clone(),
            identity: self.identity.clone(),
            overflow: self.overflow.clone(),
        }
    }
}

impl<H: Host> WasmtimeModule<H> {
    /// The prepared module that this one was compiled from.
    pub fn prepared(&self) -> &Arc<PreparedModule> {
        &self.prepared
    }
}

/// Where the exports of a module are, so that instances need not look names up.
pub(super) struct ExportIndices {
    pub(super) memory: ModuleExport,
    pub(super) realloc: ModuleExport,
    pub(super) fuel: ModuleExport,
    pub(super) stack: ModuleExport,
    pub(super) captured: Vec<ModuleExport>,
    pub(super) entries: Vec<ResolvedEntry<ModuleExport>>,
    pub(super) start: Option<ModuleExport>,
}

impl ExportIndices {
    pub(super) fn find(module: &Module, prepared: &PreparedModule) -> Result<Self, EngineError> {
        let find = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| instantiate_error(format!("no export `{name}`")))
        };
        // A contract and a service have different ones; preparation checked that they are all there.
        let entry = |entry: &EntryPointIndex| {
            let post_return = module.get_export_index(&entry.post_return_name());
            let function = module.get_export_index(&entry.export_name())?;
            Some((function, post_return))
        };
        let captured = prepared
            .captured_globals
            .iter()
            .map(|global| find(&global.export_name));
        Ok(ExportIndices {
            memory: find(MEMORY_EXPORT)?,
            realloc: find(REALLOC_EXPORT)?,
            fuel: find(FUEL_EXPORT)?,
            stack: find(STACK_EXPORT)?,
            captured: captured.collect::<Result<_, _>>()?,
            entries: EntryPointIndex::ALL.iter().map(entry).collect(),
            start: module.get_export_index(START_EXPORT),
        })
    }
}

fn pooling_config(instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(Limits::PROTOCOL.table_elements as usize)
        .max_memory_size(Limits::PROTOCOL.memory_maximum_pages as usize * (64 << 10))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10);
    let mut config = base_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

pub(super) fn base_config() -> Config {
    let mut config = Config::new();
    config
        // Prepared modules have no references but those to functions. The Cargo feature is on because releases without it
        // have a defect (see the workspace's manifest); a heap and a collector are not needed for that.
        .gc_support(false)
        .wasm_exceptions(false)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        // Not used, but may not be smaller than the line above.
        .async_stack_size(NATIVE_STACK_BYTES)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_may_move(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(MAX_TRACED_FRAMES));
    config
}

pub(super) fn compile_error(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Compile {
        engine: NAME,
        reason: format!("{reason:#}"),
    }
}

pub(super) fn setup_error(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Setup {
        engine: NAME,
        reason: format!("{reason:#}"),
    }
}

pub(super) fn instantiate_error(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Instantiate {
        engine: NAME,
        reason: format!("{reason:#}"),
    }
}
