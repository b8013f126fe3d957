//! An instance with its host, on either engine, behind one trait.

use std::sync::Arc;

use resident_abi::{
    EntryPoint,
    entry_points::{ExecuteOperation, Finalize, Instantiate},
};
use resident_wasm::{
    Entered, InstanceSnapshot, PortableSnapshot,
    prepare::PreparedModule,
    wasmer::{WasmerEngine, WasmerInstance, WasmerModule},
    wasmtime::{WasmtimeEngine, WasmtimeInstance, WasmtimeModule},
};

use crate::BenchHost;

/// Both engines, as nodes configure them.
pub struct Engines {
    wasmtime: WasmtimeEngine<BenchHost>,
    wasmer: WasmerEngine<BenchHost>,
}

impl Default for Engines {
    fn default() -> Self {
        Engines {
            wasmtime: WasmtimeEngine::new().expect("Wasmtime runs here"),
            wasmer: WasmerEngine::new().expect("Wasmer runs here"),
        }
    }
}

impl Engines {
    /// Their names.
    pub const NAMES: [&str; 2] = ["wasmtime", "wasmer"];

    /// Compiles a module on the engine of this name.
    pub fn compile(&self, name: &str, prepared: &Arc<PreparedModule>) -> CompiledGuest {
        let prepared = prepared.clone();
        match name {
            "wasmtime" => {
                let module = self.wasmtime.compile(prepared);
                CompiledGuest::Wasmtime(module.expect("Wasmtime compiles it"))
            }
            "wasmer" => {
                let module = self.wasmer.compile(prepared);
                CompiledGuest::Wasmer(module.expect("Wasmer compiles it"))
            }
            other => panic!("no engine is called {other}"),
        }
    }
}

/// A compiled module.
pub enum CompiledGuest {
    /// On Wasmtime.
    Wasmtime(WasmtimeModule<BenchHost>),
    /// On Wasmer.
    Wasmer(WasmerModule<BenchHost>),
}

impl CompiledGuest {
    /// Makes an instance, which keeps the host.
    pub fn instance(&self, host: BenchHost) -> Guest {
        let instance = match self {
            CompiledGuest::Wasmtime(module) => {
                Instance::Wasmtime(WasmtimeInstance::new(module).expect("there is room"))
            }
            CompiledGuest::Wasmer(module) => {
                Instance::Wasmer(WasmerInstance::new(module).expect("there is room"))
            }
        };
        let host = Some(host);
        Guest { instance, host }
    }
}

enum Instance {
    Wasmtime(WasmtimeInstance<BenchHost>),
    Wasmer(WasmerInstance<BenchHost>),
}

macro_rules! on_engine {
    ($guest:expr, $instance:ident => $code:expr) => {
        match &mut $guest.instance {
            Instance::Wasmtime($instance) => $code,
            Instance::Wasmer($instance) => $code,
        }
    };
}

/// An instance and its host.
pub struct Guest {
    instance: Instance,
    /// Empty only while the instance runs.
    host: Option<BenchHost>,
}

impl Guest {
    /// Instantiates the application with an argument in JSON.
    pub fn instantiate(&mut self, argument: &str) {
        self.enter::<Instantiate>(&(argument.as_bytes().to_vec(),));
    }

    /// Executes an operation and gives the response.
    pub fn operation(&mut self, operation: Vec<u8>) -> Vec<u8> {
        self.enter::<ExecuteOperation>(&(operation,))
    }

    /// Finalizes the application.
    pub fn finalize(&mut self) {
        self.enter::<Finalize>(&());
    }

    /// Takes a snapshot, into the buffers of an older one.
    pub fn snapshot(&mut self, reused: InstanceSnapshot) -> InstanceSnapshot {
        on_engine!(self, instance => instance.snapshot(reused))
    }

    /// Goes back to a snapshot.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn restore(&mut self, snapshot: &InstanceSnapshot) {
        on_engine!(self, instance => instance.restore(snapshot)).expect("the snapshot fits");
    }

    /// Takes a snapshot in the portable form, into the buffer of an older one.
    pub fn portable_snapshot(&mut self, reused: Option<PortableSnapshot>) -> PortableSnapshot {
        on_engine!(self, instance => instance.portable_snapshot(reused))
    }

    /// Goes to the state of a portable snapshot.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn restore_portable(&mut self, snapshot: &PortableSnapshot) {
        on_engine!(self, instance => instance.restore_portable(snapshot))
            .expect("the snapshot fits");
    }

    /// The host, with what the instance left there.
    ///
    /// # Panics
    /// Never, since nothing runs now.
    pub fn into_host(self) -> BenchHost {
        self.host.expect("nothing runs")
    }

    fn enter<E: EntryPoint>(&mut self, parameters: &E::Parameters) -> E::Results {
        let host = self.host.take().expect("nothing runs");
        let Entered { host, result } =
            on_engine!(self, instance => instance.enter::<E>(host, parameters));
        self.host = Some(host);
        result.unwrap_or_else(|error| panic!("the contract failed: {error:?}"))
    }
}
