//! An instance on either engine, and its whole state.

use std::sync::Arc;

use resident_abi::{
    EntryPoint,
    entry_points::{ExecuteMessage, ExecuteOperation, Finalize, Instantiate},
};
use resident_wasm::{
    CallError, Entered, GuestFailure, InstanceSnapshot, PortableSnapshot, RestoreError,
    prepare::PreparedModule,
    wasmer::{WasmerEngine, WasmerInstance, WasmerModule},
    wasmtime::{WasmtimeEngine, WasmtimeInstance, WasmtimeModule},
};

use crate::host::{FuzzHost, Refused};

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Wasmtime,
    Wasmer,
}

impl Kind {
    pub(crate) fn other(self) -> Self {
        match self {
            Kind::Wasmtime => Kind::Wasmer,
            Kind::Wasmer => Kind::Wasmtime,
        }
    }
}

/// Both engines.
pub(crate) struct Engines {
    wasmtime: WasmtimeEngine<FuzzHost>,
    wasmer: WasmerEngine<FuzzHost>,
}

impl Engines {
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Engines {
            wasmtime: WasmtimeEngine::new().map_err(|error| error.to_string())?,
            wasmer: WasmerEngine::new().map_err(|error| error.to_string())?,
        })
    }

    pub(crate) fn compile(&self, prepared: PreparedModule) -> Result<Compiled, String> {
        let prepared = Arc::new(prepared);
        let wasmtime = self.wasmtime.compile(prepared.clone());
        let wasmer = self.wasmer.compile(prepared);
        Ok(Compiled {
            wasmtime: wasmtime.map_err(|error| error.to_string())?,
            wasmer: wasmer.map_err(|error| error.to_string())?,
        })
    }
}

/// A module, compiled on both engines.
pub(crate) struct Compiled {
    wasmtime: WasmtimeModule<FuzzHost>,
    wasmer: WasmerModule<FuzzHost>,
}

impl Compiled {
    pub(crate) fn instance(&self, kind: Kind) -> Result<Instance, String> {
        let instance = match kind {
            Kind::Wasmtime => WasmtimeInstance::new(&self.wasmtime).map(Instance::Wasmtime),
            Kind::Wasmer => WasmerInstance::new(&self.wasmer).map(Instance::Wasmer),
        };
        instance.map_err(|error| error.to_string())
    }
}

/// An instance on either engine.
pub(crate) enum Instance {
    Wasmtime(WasmtimeInstance<FuzzHost>),
    Wasmer(WasmerInstance<FuzzHost>),
}

macro_rules! each {
    ($self:ident, $instance:ident => $call:expr) => {
        match $self {
            Instance::Wasmtime($instance) => $call,
            Instance::Wasmer($instance) => $call,
        }
    };
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Operation(Vec<u8>),
    Message(Vec<u8>),
    Instantiate(Vec<u8>),
    Finalize,
}

/// What a call answered.
pub(crate) type Response = Result<Vec<u8>, CallError<Refused>>;

impl Instance {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Instance::Wasmtime(_) => Kind::Wasmtime,
            Instance::Wasmer(_) => Kind::Wasmer,
        }
    }

    /// Calls an entry point.
    pub(crate) fn call(&mut self, host: FuzzHost, entry: &Entry) -> (FuzzHost, Response) {
        match entry {
            Entry::Operation(script) => {
                self.enter::<ExecuteOperation>(host, &(script.clone(),), std::convert::identity)
            }
            Entry::Message(script) => {
                self.enter::<ExecuteMessage>(host, &(script.clone(),), |()| Vec::new())
            }
            Entry::Instantiate(script) => {
                self.enter::<Instantiate>(host, &(script.clone(),), |()| Vec::new())
            }
            Entry::Finalize => self.enter::<Finalize>(host, &(), |()| Vec::new()),
        }
    }

    fn enter<E: EntryPoint>(
        &mut self,
        host: FuzzHost,
        parameters: &E::Parameters,
        response: impl FnOnce(E::Results) -> Vec<u8>,
    ) -> (FuzzHost, Response) {
        let Entered { host, result } =
            each!(self, instance => instance.enter::<E>(host, parameters));
        (host, result.map(response))
    }

    pub(crate) fn snapshot(&mut self, reused: InstanceSnapshot) -> InstanceSnapshot {
        each!(self, instance => instance.snapshot(reused))
    }

    pub(crate) fn restore(&mut self, snapshot: &InstanceSnapshot) -> Result<(), RestoreError> {
        each!(self, instance => instance.restore(snapshot))
    }

    pub(crate) fn portable_snapshot(
        &mut self,
        reused: Option<PortableSnapshot>,
    ) -> PortableSnapshot {
        each!(self, instance => instance.portable_snapshot(reused))
    }

    pub(crate) fn restore_portable(
        &mut self,
        snapshot: &PortableSnapshot,
    ) -> Result<(), RestoreError> {
        each!(self, instance => instance.restore_portable(snapshot))
    }
}

/// How a call ended, as a word.
pub(crate) fn ending(response: &Response) -> String {
    match response {
        Ok(_) => "completed".to_owned(),
        Err(CallError::Host(_)) => "refused by the host".to_owned(),
        Err(CallError::Guest(failure)) => match failure {
            GuestFailure::OutOfFuel => "out of fuel".to_owned(),
            GuestFailure::StackExhausted => "stack exhausted".to_owned(),
            GuestFailure::Trap(kind) => format!("trap {kind:?}"),
            GuestFailure::Malformed(_) => "malformed".to_owned(),
            GuestFailure::Allocator(_) => "broken allocator".to_owned(),
        },
        Err(CallError::Engine(error)) => panic!("no module is an engine's fault: {error}"),
    }
}
