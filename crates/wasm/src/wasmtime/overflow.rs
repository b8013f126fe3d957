//! Instances that find no room in the pool.
//!
//! How many instances live at once depends on how many blocks a node runs, and no block may fail because of
//! others. So whatever the pool has no room for is made by a second engine, which takes memory from the system for
//! each instance. It runs the very same code.

use std::sync::{Arc, OnceLock};

use wasmtime::{Engine, InstancePre, Linker, Module};

use super::{
    code,
    engine::{ExportIndices, WasmtimeModule, base_config, compile_error, setup_error},
    guest::State,
    link,
};
use crate::{EngineError, Host};

/// The engine without a pool, once it is needed.
pub(super) struct Overflow<H: Host> {
    made: OnceLock<(Engine, Linker<State<H>>)>,
}

impl<H: Host> Default for Overflow<H> {
    fn default() -> Self {
        let made = OnceLock::new();
        Self { made }
    }
}

/// A module on the engine without a pool, once it is needed.
pub(super) struct OverflowModule<H: Host> {
    pub(super) engine: Arc<Overflow<H>>,
    pub(super) made: OnceLock<Unpooled<H>>,
}

/// What instances are made of.
pub(super) struct Unpooled<H: Host> {
    pub(super) instance: InstancePre<State<H>>,
    pub(super) exports: ExportIndices,
}

impl<H: Host> Overflow<H> {
    /// If two threads need it at once, one of them makes it in vain.
    fn get(&self) -> Result<&(Engine, Linker<State<H>>), EngineError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let engine = Engine::new(&base_config()).map_err(setup_error)?;
        let linker = link::linker(&engine).map_err(setup_error)?;
        Ok(self.made.get_or_init(|| (engine, linker)))
    }
}

impl<H: Host> WasmtimeModule<H> {
    /// This module, for instances outside of the pool.
    pub(super) fn unpooled(&self) -> Result<&Unpooled<H>, EngineError> {
        let overflow = &*self.overflow;
        if let Some(made) = overflow.made.get() {
            return Ok(made);
        }
        let (engine, linker) = overflow.engine.get()?;
        let module = code::copy_to(engine, self.instance.module())
            .or_else(|_| Module::new(engine, &self.prepared.bytes))
            .map_err(compile_error)?;
        let instance = linker.instantiate_pre(&module).map_err(compile_error)?;
        let exports = ExportIndices::find(&module, &self.prepared)?;
        let made = Unpooled { instance, exports };
        Ok(overflow.made.get_or_init(|| made))
    }
}
