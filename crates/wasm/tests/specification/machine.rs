//! One prepared module on both engines, configured as for contracts, without a contract's boundary.

mod wasmer;
mod wasmtime;

use resident_wasm::{
    NATIVE_STACK_BYTES, TrapKind,
    prepare::{
        AbiImport, AbiSurface, Exhaustion, OtherExports, PreparedModule, START_EXPORT, ValueType,
    },
};

use crate::value::Value;

/// Fuel of one call: more than any call of the suite needs, less than an endless recursion uses.
const FUEL: i64 = 1 << 40;

/// What the suite's modules may import: the functions that print.
pub(crate) const SURFACE: AbiSurface<'static> = AbiSurface {
    imports: &[
        print("print", &[]),
        print("print_i32", &[ValueType::I32]),
        print("print_i64", &[ValueType::I64]),
        print("print_f32", &[ValueType::F32]),
        print("print_f64", &[ValueType::F64]),
        print("print_i32_f32", &[ValueType::I32, ValueType::F32]),
        print("print_f64_f64", &[ValueType::F64, ValueType::F64]),
    ],
    exports: &[],
    other_exports: OtherExports::Kept,
};

/// The module name of the printing functions.
const SPECTEST: &str = "spectest";

const fn print(name: &'static str, params: &'static [ValueType]) -> AbiImport<'static> {
    AbiImport {
        module: SPECTEST,
        name,
        params,
        results: &[],
    }
}

/// Why a call ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Exhausted(Exhaustion),
    Trap(TrapKind),
    /// The engine ran out of native stack before the units were spent: a broken promise.
    NativeStack,
}

/// What a call did, with all that has to be the same on every engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) results: Result<Vec<Value>, Stop>,
    pub(crate) fuel: i64,
    pub(crate) stack: i32,
}

/// The engines of one script.
pub(crate) struct Engines {
    wasmtime: wasmtime::Engine,
    wasmer: wasmer::Engine,
}

impl Engines {
    pub(crate) fn new() -> Self {
        Self {
            wasmtime: wasmtime::engine(),
            wasmer: wasmer::engine(),
        }
    }
}

/// An instance on each engine.
pub(crate) struct Machine {
    wasmtime: wasmtime::Machine,
    wasmer: wasmer::Machine,
}

impl Machine {
    /// Compiles and instantiates; the error says which engine refused and why.
    pub(crate) fn new(engines: &Engines, prepared: &PreparedModule) -> Result<Self, String> {
        Ok(Self {
            wasmtime: wasmtime::Machine::new(&engines.wasmtime, &prepared.bytes)
                .map_err(|error| format!("Wasmtime: {error}"))?,
            wasmer: wasmer::Machine::new(&engines.wasmer, &prepared.bytes)
                .map_err(|error| format!("Wasmer: {error}"))?,
        })
    }

    /// Runs the start function.
    pub(crate) fn start(&mut self) -> Result<Outcome, String> {
        self.call(START_EXPORT, &[])
    }

    /// Calls an export on both engines. An error says how the engines differ.
    pub(crate) fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Outcome, String> {
        let wasmtime = self.wasmtime.call(name, arguments);
        let wasmer = self.wasmer.call(name, arguments);
        same(wasmtime, &wasmer)
    }

    /// Reads an exported global on both engines. An error says how they differ.
    pub(crate) fn global(&mut self, name: &str) -> Result<Value, String> {
        same(self.wasmtime.global(name), &self.wasmer.global(name))
    }
}

fn same<T: PartialEq + std::fmt::Debug>(wasmtime: T, wasmer: &T) -> Result<T, String> {
    if wasmtime == *wasmer {
        return Ok(wasmtime);
    }
    Err(format!(
        "the engines differ: {wasmtime:?} on Wasmtime, {wasmer:?} on Wasmer"
    ))
}

/// The reason of a trap, from the counters first.
fn stop(fuel: i64, stack: i32, engine: Stop) -> Stop {
    Exhaustion::from_counters(fuel, stack).map_or(engine, Stop::Exhausted)
}
