//! Compiled code out of the engine, sealed, and back into it.

#![allow(unsafe_code)]

use std::sync::Arc;

use wasmtime::{Engine, Module};

use super::engine::{NAME, WasmtimeEngine, WasmtimeModule};
use crate::{
    EngineError, EngineIdentity, Host, SealKey, prepare::PreparedModule, sealed::Authentic,
};

impl<H: Host> WasmtimeModule<H> {
    /// The compiled code, sealed with the node's key.
    ///
    /// # Errors
    /// If the engine cannot serialize it.
    pub fn serialize(&self, key: &SealKey) -> Result<Vec<u8>, EngineError> {
        let code = self.instance.module().serialize();
        let code = code.map_err(|error| EngineError::Serialize {
            engine: NAME,
            reason: format!("{error:#}"),
        })?;
        Ok(key.seal(&self.prepared.hash, &self.identity, &code))
    }

    /// About what it takes of memory, in bytes, with the prepared module.
    pub fn size_bytes(&self) -> usize {
        let image = self.instance.module().image_range();
        let image_bytes = image.end.addr() - image.start.addr();
        image_bytes + self.prepared.size_bytes()
    }
}

impl<H: Host> WasmtimeEngine<H> {
    /// Loads what [`WasmtimeModule::serialize`] gave for this prepared module, this engine and this key.
    ///
    /// # Errors
    /// If it is anything else, or was damaged. Nothing of it is used then.
    pub fn deserialize(
        &self,
        prepared: Arc<PreparedModule>,
        sealed: &[u8],
        key: &SealKey,
    ) -> Result<WasmtimeModule<H>, EngineError> {
        let error = |reason: String| EngineError::Deserialize {
            engine: NAME,
            reason,
        };
        let code = key
            .open(&prepared.hash, self.identity(), sealed)
            .map_err(|reason| error(reason.to_string()))?;
        let module = load(&self.engine, &code).map_err(|reason| error(format!("{reason:#}")))?;
        self.link(prepared, &module)
    }
}

fn load(engine: &Engine, code: &Authentic<'_>) -> wasmtime::Result<Module> {
    // SAFETY: the bytes are unchanged output of `Module::serialize` on an engine of the same version and
    // configuration on such a processor: that is what the seal vouches for, and `Authentic` is only made
    // where a seal was checked.
    unsafe { Module::deserialize(engine, code.code()) }
}

/// The same compiled code on another engine of this process, if their configurations let it.
pub(super) fn copy_to(engine: &Engine, module: &Module) -> wasmtime::Result<Module> {
    let code = module.serialize()?;
    // SAFETY: the bytes are unchanged output of `Module::serialize`, made just now. Whether the engine is
    // configured in the same way is checked.
    unsafe { Module::deserialize(engine, &code) }
}

/// Wasmtime tells all that its code depends on as one value, its version included.
pub(super) fn identity(engine: &Engine) -> EngineIdentity {
    EngineIdentity::new(NAME, "", engine.precompile_compatibility_hash())
}
