//! Compiled code out of the engine, sealed, and back into it.

#![allow(unsafe_code)]

use std::sync::Arc;

use wasmer::{DeserializeError, Engine, Module, sys::NativeEngineExt};

use super::engine::{NAME, WasmerEngine, WasmerModule, module_engine};
use crate::{
    EngineError, EngineIdentity, Host, SealKey, prepare::PreparedModule, sealed::Authentic,
};

impl<H: Host> WasmerModule<H> {
    /// The compiled code, sealed with the node's key.
    ///
    /// # Errors
    /// If the engine cannot serialize it.
    pub fn serialize(&self, key: &SealKey) -> Result<Vec<u8>, EngineError> {
        let code = self.module.serialize();
        let code = code.map_err(|error| EngineError::Serialize {
            engine: NAME,
            reason: error.to_string(),
        })?;
        Ok(key.seal(&self.prepared.hash, &self.identity, &code))
    }

    /// About what it takes of memory, in bytes, with the prepared module.
    pub fn size_bytes(&self) -> usize {
        // Wasmer keeps what it serializes beside the code that runs.
        2 * self.serialized_bytes + self.prepared.size_bytes()
    }
}

impl<H: Host> WasmerEngine<H> {
    /// Loads what [`WasmerModule::serialize`] gave for this prepared module, this engine and this key.
    ///
    /// # Errors
    /// If it is anything else, or was damaged. Nothing of it is used then.
    pub fn deserialize(
        &self,
        prepared: Arc<PreparedModule>,
        sealed: &[u8],
        key: &SealKey,
    ) -> Result<WasmerModule<H>, EngineError> {
        let error = |reason: String| EngineError::Deserialize {
            engine: NAME,
            reason,
        };
        let code = key
            .open(&prepared.hash, self.identity(), sealed)
            .map_err(|reason| error(reason.to_string()))?;
        let engine = module_engine();
        let module = load(&engine, &code).map_err(|reason| error(reason.to_string()))?;
        Ok(self.link(prepared, engine, module, code.code().len()))
    }
}

fn load(engine: &Engine, code: &Authentic<'_>) -> Result<Module, DeserializeError> {
    // SAFETY: the bytes are unchanged output of `Module::serialize` on an engine of the same version and
    // configuration on such a processor: that is what the seal vouches for, and `Authentic` is only made
    // where a seal was checked.
    unsafe { Module::deserialize(engine, code.code()) }
}

/// Wasmer's crates have one version, and name the parts of a configuration that change the code.
pub(super) fn identity(engine: &Engine) -> EngineIdentity {
    let configuration = (engine.deterministic_id(), engine.artifact_format());
    EngineIdentity::new(
        NAME,
        wasmer_types::VERSION,
        (configuration, engine.target()),
    )
}
