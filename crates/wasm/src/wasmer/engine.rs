//! The engine's configuration, and compiled modules.

use std::{
    marker::PhantomData,
    sync::{Arc, Once},
};

use wasmer::{
    Engine, Module,
    sys::{Cranelift, CraneliftOptLevel, EngineBuilder},
};

use crate::{EngineError, Host, NATIVE_STACK_BYTES, prepare::PreparedModule};

const NAME: &str = "wasmer";

/// A configured Wasmer. Cheap to clone.
pub struct WasmerEngine<H: Host> {
    engine: Engine,
    host: PhantomData<fn(H)>,
}

impl<H: Host> Clone for WasmerEngine<H> {
    fn clone(&self) -> Self {
        WasmerEngine {
            engine: self.engine.clone(),
            host: PhantomData,
        }
    }
}

impl<H: Host> WasmerEngine<H> {
    /// Sets the engine up.
    ///
    /// # Errors
    /// None today; the other engine has some.
    pub fn new() -> Result<Self, EngineError> {
        // Wasmer runs guests on stacks of its own, whose size is one setting of the process.
        static STACK_SIZE: Once = Once::new();
        STACK_SIZE.call_once(|| wasmer_vm::set_stack_size(NATIVE_STACK_BYTES));
        let mut compiler = Cranelift::new();
        compiler.opt_level(CraneliftOptLevel::Speed);
        compiler.canonicalize_nans(false);
        let engine = EngineBuilder::new(compiler).engine().into();
        Ok(WasmerEngine {
            engine,
            host: PhantomData,
        })
    }

    /// Compiles a prepared module, once for all instances.
    ///
    /// # Errors
    /// If the engine refuses what `prepare` accepted, which is a fault of the node.
    pub fn compile(&self, prepared: Arc<PreparedModule>) -> Result<WasmerModule<H>, EngineError> {
        let module =
            Module::new(&self.engine, &prepared.bytes).map_err(|error| EngineError::Compile {
                engine: NAME,
                reason: error.to_string(),
            })?;
        let asked = module
            .imports()
            .map(|import| (import.module().to_owned(), import.name().to_owned()))
            .collect();
        Ok(WasmerModule {
            prepared,
            engine: self.engine.clone(),
            module,
            asked,
            host: PhantomData,
        })
    }
}

/// A compiled module, ready to be instantiated. Cheap to clone.
pub struct WasmerModule<H: Host> {
    pub(super) prepared: Arc<PreparedModule>,
    pub(super) engine: Engine,
    pub(super) module: Module,
    /// The functions that the module imports: interface and name.
    asked: Arc<[(String, String)]>,
    host: PhantomData<fn(H)>,
}

impl<H: Host> Clone for WasmerModule<H> {
    fn clone(&self) -> Self {
        WasmerModule {
            prepared: self.prepared.clone(),
            engine: self.engine.clone(),
            module: self.module.clone(),
            asked: self.asked.clone(),
            host: PhantomData,
        }
    }
}

impl<H: Host> WasmerModule<H> {
    /// Whether the module imports this function.
    pub(super) fn asks_for(&self, interface: &str, name: &str) -> bool {
        self.asked
            .iter()
            .any(|(asked, function)| asked == interface && function == name)
    }

    /// The prepared module that this one was compiled from.
    pub fn prepared(&self) -> &Arc<PreparedModule> {
        &self.prepared
    }
}

pub(super) fn instantiate_error(reason: impl std::fmt::Display) -> EngineError {
    EngineError::Instantiate {
        engine: NAME,
        reason: reason.to_string(),
    }
}
