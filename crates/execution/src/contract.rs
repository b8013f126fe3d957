//! The one file that names engines: what an instance of a contract or a service is, whichever engine runs it.

use std::sync::Arc;

use resident_abi::{
    entry_points::{
        ExecuteMessage, ExecuteOperation, Finalize, HandleQuery, Instantiate, ProcessStreams,
        SummarizeEvents,
    },
    wire::StreamUpdate,
};
use resident_wasm::{
    EngineError, EngineIdentity, Entered, Host, InstanceSnapshot, PortableSnapshot, RestoreError,
    SealKey,
    prepare::PreparedModule,
    wasmer::{WasmerEngine, WasmerInstance, WasmerModule},
    wasmtime::{WasmtimeEngine, WasmtimeInstance, WasmtimeModule},
};
use resident_witty::SnapshotSize;

use crate::{EngineKind, PortableSize};

/// One live instance of a contract.
///
/// Every entry lends the instance the host `H` and gives it back, whatever happened. After an entry
/// that failed, the instance is in an undefined state, and only [`restore`](Self::restore) or
/// dropping it may follow.
pub trait UserContract<H: Host> {
    /// The complete state of an instance.
    type Snapshot;

    /// Sets the application up. Called once in the life of an application.
    fn instantiate(&mut self, host: H, argument: Vec<u8>) -> Entered<H, ()>;
    /// Runs an operation and gives its response.
    fn execute_operation(&mut self, host: H, operation: Vec<u8>) -> Entered<H, Vec<u8>>;
    /// Runs a message.
    fn execute_message(&mut self, host: H, message: Vec<u8>) -> Entered<H, ()>;
    /// Looks at new events on followed streams.
    fn process_streams(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()>;
    /// Replaces events by a summary.
    fn summarize_events(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()>;
    /// Ends the block. Nothing but dropping may follow.
    fn finalize(&mut self, host: H) -> Entered<H, ()>;
    /// Takes the instance's complete state, into the buffers of an older snapshot.
    ///
    /// # Errors
    /// If the engine cannot give the state.
    fn snapshot(&mut self, reused: Option<Self::Snapshot>) -> Result<Self::Snapshot, EngineError>;
    /// Takes the instance's complete state in the form that is as large as what has changed since
    /// instantiation, and that continues on any engine; into the buffer of an older one.
    ///
    /// # Errors
    /// If the engine cannot give the state.
    fn portable_snapshot(
        &mut self,
        reused: Option<Self::Snapshot>,
    ) -> Result<Self::Snapshot, EngineError>;
    /// Goes back to a state.
    ///
    /// # Errors
    /// If the snapshot does not fit the instance as it is, which is not changed then.
    fn restore(&mut self, snapshot: &Self::Snapshot) -> Result<(), RestoreError>;
}

/// The state of an instance, by engine, or in the form that all Wasm engines share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractSnapshot {
    /// Memory and globals of an instance on Wasmtime.
    Wasmtime(InstanceSnapshot),
    /// Memory and globals of an instance on Wasmer.
    Wasmer(InstanceSnapshot),
    /// What an instance changed in its memory, and its globals, of any Wasm engine.
    Portable(PortableSnapshot),
    /// Nothing: what an EVM contract changes is written through to the chain's state.
    Revm,
}

impl SnapshotSize for ContractSnapshot {
    fn snapshot_bytes(&self) -> u64 {
        match self {
            ContractSnapshot::Wasmtime(snapshot) | ContractSnapshot::Wasmer(snapshot) => {
                snapshot.snapshot_bytes()
            }
            ContractSnapshot::Portable(snapshot) => snapshot.snapshot_bytes(),
            ContractSnapshot::Revm => 0,
        }
    }
}

impl ContractSnapshot {
    /// The size of a portable snapshot in its encoding.
    pub(crate) fn portable_size(&self) -> Option<PortableSize> {
        match self {
            ContractSnapshot::Portable(snapshot) => Some(PortableSize {
                memory_bytes: snapshot.memory_bytes(),
                snapshot_bytes: snapshot.encoded_len() as u64,
            }),
            _ => None,
        }
    }

    fn into_buffers(self) -> InstanceSnapshot {
        match self {
            ContractSnapshot::Wasmtime(snapshot) | ContractSnapshot::Wasmer(snapshot) => snapshot,
            ContractSnapshot::Portable(_) | ContractSnapshot::Revm => InstanceSnapshot::default(),
        }
    }
}

/// An engine that compiles contracts.
pub(crate) enum ContractEngine<H: Host> {
    Wasmtime(WasmtimeEngine<H>),
    Wasmer(WasmerEngine<H>),
}

impl<H: Host> ContractEngine<H> {
    pub(crate) fn new(kind: EngineKind) -> Result<Self, EngineError> {
        match kind {
            EngineKind::Wasmtime => WasmtimeEngine::new().map(Self::Wasmtime),
            EngineKind::Wasmer => WasmerEngine::new().map(Self::Wasmer),
        }
    }

    pub(crate) fn compile(
        &self,
        prepared: Arc<PreparedModule>,
    ) -> Result<ContractModule<H>, EngineError> {
        match self {
            Self::Wasmtime(engine) => engine.compile(prepared).map(ContractModule::Wasmtime),
            Self::Wasmer(engine) => engine.compile(prepared).map(ContractModule::Wasmer),
        }
    }

    /// What compiled code depends on besides its module.
    pub(crate) fn identity(&self) -> &EngineIdentity {
        match self {
            Self::Wasmtime(engine) => engine.identity(),
            Self::Wasmer(engine) => engine.identity(),
        }
    }

    /// Loads code that was compiled and sealed before.
    pub(crate) fn deserialize(
        &self,
        prepared: Arc<PreparedModule>,
        sealed: &[u8],
        key: &SealKey,
    ) -> Result<ContractModule<H>, EngineError> {
        match self {
            Self::Wasmtime(engine) => {
                let module = engine.deserialize(prepared, sealed, key);
                module.map(ContractModule::Wasmtime)
            }
            Self::Wasmer(engine) => {
                let module = engine.deserialize(prepared, sealed, key);
                module.map(ContractModule::Wasmer)
            }
        }
    }
}

/// A compiled contract.
pub(crate) enum ContractModule<H: Host> {
    Wasmtime(WasmtimeModule<H>),
    Wasmer(WasmerModule<H>),
}

impl<H: Host> ContractModule<H> {
    pub(crate) fn instance(&self) -> Result<ContractInstance<H>, EngineError> {
        match self {
            Self::Wasmtime(module) => WasmtimeInstance::new(module).map(ContractInstance::Wasmtime),
            Self::Wasmer(module) => WasmerInstance::new(module).map(ContractInstance::Wasmer),
        }
    }

    /// The prepared module that this one was compiled from.
    pub(crate) fn prepared(&self) -> &PreparedModule {
        match self {
            Self::Wasmtime(module) => module.prepared(),
            Self::Wasmer(module) => module.prepared(),
        }
    }

    /// The compiled code, sealed.
    pub(crate) fn serialize(&self, key: &SealKey) -> Result<Vec<u8>, EngineError> {
        match self {
            Self::Wasmtime(module) => module.serialize(key),
            Self::Wasmer(module) => module.serialize(key),
        }
    }

    /// About what it takes of memory.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Wasmtime(module) => module.size_bytes(),
            Self::Wasmer(module) => module.size_bytes(),
        }
    }
}

/// A live instance of a contract or of a service, by engine.
pub(crate) enum ContractInstance<H: Host> {
    Wasmtime(WasmtimeInstance<H>),
    Wasmer(WasmerInstance<H>),
}

/// Implements the entries of [`UserContract`] for an engine's instance.
macro_rules! wasm_contract {
    ($instance:ident, $kind:ident) => {
        impl<H: Host> UserContract<H> for $instance<H> {
            type Snapshot = ContractSnapshot;

            fn instantiate(&mut self, host: H, argument: Vec<u8>) -> Entered<H, ()> {
                self.enter::<Instantiate>(host, &(argument,))
            }

            fn execute_operation(&mut self, host: H, operation: Vec<u8>) -> Entered<H, Vec<u8>> {
                self.enter::<ExecuteOperation>(host, &(operation,))
            }

            fn execute_message(&mut self, host: H, message: Vec<u8>) -> Entered<H, ()> {
                self.enter::<ExecuteMessage>(host, &(message,))
            }

            fn process_streams(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()> {
                self.enter::<ProcessStreams>(host, &(updates,))
            }

            fn summarize_events(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()> {
                self.enter::<SummarizeEvents>(host, &(updates,))
            }

            fn finalize(&mut self, host: H) -> Entered<H, ()> {
                self.enter::<Finalize>(host, &())
            }

            fn snapshot(
                &mut self,
                reused: Option<ContractSnapshot>,
            ) -> Result<ContractSnapshot, EngineError> {
                let buffers = reused
                    .map(ContractSnapshot::into_buffers)
                    .unwrap_or_default();
                Ok(ContractSnapshot::$kind($instance::snapshot(self, buffers)))
            }

            fn portable_snapshot(
                &mut self,
                reused: Option<ContractSnapshot>,
            ) -> Result<ContractSnapshot, EngineError> {
                let reused = match reused {
                    Some(ContractSnapshot::Portable(snapshot)) => Some(snapshot),
                    _ => None,
                };
                Ok(ContractSnapshot::Portable($instance::portable_snapshot(
                    self, reused,
                )))
            }

            fn restore(&mut self, snapshot: &ContractSnapshot) -> Result<(), RestoreError> {
                match snapshot {
                    ContractSnapshot::$kind(snapshot) => $instance::restore(self, snapshot),
                    ContractSnapshot::Portable(snapshot) => self.restore_portable(snapshot),
                    _ => Err(RestoreError::OtherEngine),
                }
            }
        }
    };
}

wasm_contract!(WasmtimeInstance, Wasmtime);
wasm_contract!(WasmerInstance, Wasmer);

/// Passes a call on to whichever engine's instance it is.
macro_rules! each_engine {
    ($self:ident, $instance:ident => $call:expr) => {
        match $self {
            ContractInstance::Wasmtime($instance) => $call,
            ContractInstance::Wasmer($instance) => $call,
        }
    };
}

impl<H: Host> ContractInstance<H> {
    /// The size of the instance's memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        each_engine!(self, instance => instance.memory_bytes())
    }

    /// Answers a query; only for services. As with contracts, an instance that failed must be dropped.
    pub(crate) fn handle_query(&mut self, host: H, query: Vec<u8>) -> Entered<H, Vec<u8>> {
        each_engine!(self, instance => instance.enter::<HandleQuery>(host, &(query,)))
    }

    /// The size of the memory, in pages of 64 KiB.
    pub(crate) fn memory_pages(&self) -> u64 {
        each_engine!(self, instance => instance.memory_bytes()).div_ceil(64 << 10)
    }
}

impl<H: Host> UserContract<H> for ContractInstance<H> {
    type Snapshot = ContractSnapshot;

    fn instantiate(&mut self, host: H, argument: Vec<u8>) -> Entered<H, ()> {
        each_engine!(self, instance => instance.instantiate(host, argument))
    }

    fn execute_operation(&mut self, host: H, operation: Vec<u8>) -> Entered<H, Vec<u8>> {
        each_engine!(self, instance => instance.execute_operation(host, operation))
    }

    fn execute_message(&mut self, host: H, message: Vec<u8>) -> Entered<H, ()> {
        each_engine!(self, instance => instance.execute_message(host, message))
    }

    fn process_streams(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()> {
        each_engine!(self, instance => instance.process_streams(host, updates))
    }

    fn summarize_events(&mut self, host: H, updates: Vec<StreamUpdate>) -> Entered<H, ()> {
        each_engine!(self, instance => instance.summarize_events(host, updates))
    }

    fn finalize(&mut self, host: H) -> Entered<H, ()> {
        each_engine!(self, instance => instance.finalize(host))
    }

    fn snapshot(
        &mut self,
        reused: Option<ContractSnapshot>,
    ) -> Result<ContractSnapshot, EngineError> {
        each_engine!(self, instance => UserContract::<H>::snapshot(instance, reused))
    }

    fn portable_snapshot(
        &mut self,
        reused: Option<ContractSnapshot>,
    ) -> Result<ContractSnapshot, EngineError> {
        each_engine!(self, instance => UserContract::<H>::portable_snapshot(instance, reused))
    }

    fn restore(&mut self, snapshot: &ContractSnapshot) -> Result<(), RestoreError> {
        each_engine!(self, instance => UserContract::<H>::restore(instance, snapshot))
    }
}
