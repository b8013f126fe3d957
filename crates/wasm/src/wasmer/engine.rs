//! The engine's configuration, and compiled modules.

use std::{
    marker::PhantomData,
    sync::{Arc, Once},
};

use wasmer::{
    Engine, Module,
    sys::{Cranelift, CraneliftOptLevel, EngineBuilder},
};

use super::code;
use crate::{EngineError, EngineIdentity, Host, NATIVE_STACK_BYTES, prepare::PreparedModule};

pub(super) const NAME: &str = "wasmer";

/// A configured Wasmer. Cheap to clone.
pub struct WasmerEngine<H: Host> {
    identity: Arc<EngineIdentity>,
    host: PhantomData<fn(H)>,
}

impl<H: Host> Clone for WasmerEngine<H> {
    fn clone(&self) -> Self {
        WasmerEngine {
            identity: self.identity.clone(),
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
        Ok(WasmerEngine {
            identity: Arc::new(code::identity(&module_engine())),
            host: PhantomData,
        })
    }

    /// What compiled code depends on besides its module.
    pub fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    /// Compiles a prepared module, once for all instances.
    ///
    /// # Errors
    /// If the engine refuses what `prepare` accepted, which is a fault of the node.
    pub fn compile(&self, prepared: Arc<PreparedModule>) -> Result<WasmerModule<H>, EngineError> {
        let error = |reason: String| EngineError::Compile {
            engine: NAME,
            reason,
        };
        let engine = module_engine();
        let module =
            Module::new(&engine, &prepared.bytes).map_err(|reason| error(reason.to_string()))?;
        let serialized = module
            .serialize()
            .map_err(|reason| error(reason.to_string()))?;
        Ok(self.link(prepared, engine, module, serialized.len()))
    }

    /// `module` is the prepared one, compiled; it takes so many bytes when it is serialized.
    pub(super) fn link(
        &self,
        prepared: Arc<PreparedModule>,
        engine: Engine,
        module: Module,
        serialized_bytes: usize,
    ) -> WasmerModule<H> {
        let asked = module
            .imports()
            .map(|import| (import.module().to_owned(), import.name().to_owned()))
            .collect();
        WasmerModule {
            prepared,
            module,
            engine,
            serialized_bytes,
            asked,
            identity: self.identity.clone(),
            host: PhantomData,
        }
    }
}

/// An engine for one module.
///
/// A Wasmer engine is locked while it compiles, and instances need that lock too; it also keeps the code
/// of all its modules until it is dropped itself. With one engine per module, compiling one holds up
/// nobody who runs another, and a module that is forgotten is gone.
pub(super) fn module_engine() -> Engine {
    let mut compiler = Cranelift::new();
    compiler.opt_level(CraneliftOptLevel::Speed);
    compiler.canonicalize_nans(false);
    EngineBuilder::new(compiler).engine().into()
}

/// A compiled module, ready to be instantiated. Cheap to clone.
pub struct WasmerModule<H: Host> {
    pub(super) prepared: Arc<PreparedModule>,
    // Stands before the engine, whose memory it refers to, so that it is dropped first.
    pub(super) module: Module,
    pub(super) engine: Engine,
    pub(super) serialized_bytes: usize,
    /// The functions that the module imports: interface and name.
    asked: Arc<[(String, String)]>,
    pub(super) identity: Arc<EngineIdentity>,
    host: PhantomData<fn(H)>,
}

impl<H: Host> Clone for WasmerModule<H> {
    fn clone(&self) -> Self {
        WasmerModule {
            prepared: self.prepared.clone(),
            module: self.module.clone(),
            engine: self.engine.clone(),
            serialized_bytes: self.serialized_bytes,
            asked: self.asked.clone(),
            identity: self.identity.clone(),
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
