//! Runs a published module as it is and as it was prepared.

use resident_wasm::prepare::{
    AbiExport, AbiImport, AbiSurface, Exhaustion, FUEL_EXPORT, OtherExports, PreparedModule,
    STACK_EXPORT, STACK_UNITS, ValueType, prepare,
};
use wasmtime::{Config, Engine, Instance, Linker, Module, Store, Val};

/// Enough fuel for every test that does not mean to run out.
pub(crate) const PLENTY: i64 = 1 << 40;

/// One imported function, nothing exported but the memory.
pub(crate) const SURFACE: AbiSurface<'static> = AbiSurface {
    imports: &[AbiImport {
        module: "env",
        name: "host",
        params: &[ValueType::I64],
        results: &[ValueType::I64],
    }],
    exports: &[],
    other_exports: OtherExports::Kept,
};

/// A surface that also asks for a function.
pub(crate) const SURFACE_WITH_RUN: AbiSurface<'static> = AbiSurface {
    imports: &[],
    exports: &[AbiExport {
        name: "run",
        params: &[ValueType::I32],
        results: &[],
    }],
    other_exports: OtherExports::Kept,
};

/// What a call did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The results as bits, or what ran out (`None` for an ordinary trap).
    pub(crate) results: Result<Vec<u64>, Option<Exhaustion>>,
    /// The fuel that is left.
    pub(crate) fuel: i64,
    /// The stack units that are left.
    pub(crate) stack: i32,
}

impl Outcome {
    /// The fuel that was used of [`PLENTY`].
    pub(crate) fn used(&self) -> u64 {
        u64::try_from(PLENTY - self.fuel).expect("fuel is only spent")
    }
}

/// A prepared module with its instance.
pub(crate) struct Prepared {
    pub(crate) store: Store<()>,
    pub(crate) instance: Instance,
}

impl Prepared {
    pub(crate) fn new(module: &PreparedModule) -> Self {
        let (store, instance) = instantiate(&engine(), &module.bytes);
        Self { store, instance }
    }

    /// Calls an export with so much fuel.
    pub(crate) fn call(&mut self, name: &str, arguments: &[Val], fuel: i64) -> Outcome {
        self.set(FUEL_EXPORT, Val::I64(fuel));
        self.set(STACK_EXPORT, Val::I32(STACK_UNITS));
        let results = call(&mut self.store, &self.instance, name, arguments);
        let fuel = self.get(FUEL_EXPORT).unwrap_i64();
        let stack = self.get(STACK_EXPORT).unwrap_i32();
        let results = results.map_err(|_| Exhaustion::from_counters(fuel, stack));
        Outcome {
            results,
            fuel,
            stack,
        }
    }

    pub(crate) fn get(&mut self, global: &str) -> Val {
        let global = self
            .instance
            .get_global(&mut self.store, global)
            .expect("global");
        global.get(&mut self.store)
    }

    pub(crate) fn set(&mut self, global: &str, value: Val) {
        let global = self
            .instance
            .get_global(&mut self.store, global)
            .expect("global");
        global.set(&mut self.store, value).expect("right type");
    }
}

/// Prepares a module in text form, with a memory added behind its other fields.
pub(crate) fn prepare_text(fields: &str) -> PreparedModule {
    prepare(&with_memory(fields), &SURFACE).expect("accepted")
}

/// A module in text form, with a memory added behind its other fields.
pub(crate) fn with_memory(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields} (memory (export \"memory\") 1))")).expect("text")
}

/// Calls `run` of a module, prepared and as it is; both must agree. Returns what the prepared
/// module did.
pub(crate) fn run(fields: &str, arguments: &[Val]) -> Outcome {
    let original = with_memory(fields);
    let prepared = prepare(&original, &SURFACE).expect("accepted");
    let outcome = Prepared::new(&prepared).call("run", arguments, PLENTY);
    let (mut store, instance) = instantiate(&engine(), &original);
    let expected = call(&mut store, &instance, "run", arguments);
    assert_eq!(
        outcome.results.as_ref().ok(),
        expected.as_ref().ok(),
        "results differ"
    );
    if outcome.results.is_ok() {
        assert_eq!(outcome.stack, STACK_UNITS, "stack units are given back");
    }
    outcome
}

/// A configuration without a collector, of which there is none.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.gc_support(false).wasm_exceptions(false);
    config
}

/// An engine that makes NaNs canonical by itself, so that originals can be compared.
pub(crate) fn engine() -> Engine {
    let mut config = config();
    config.cranelift_nan_canonicalization(true);
    // As much as the thread of a test has. What runs here would need less, but not much.
    config.max_wasm_stack(1 << 20).async_stack_size(2 << 20);
    Engine::new(&config).expect("engine")
}

pub(crate) fn instantiate(engine: &Engine, bytes: &[u8]) -> (Store<()>, Instance) {
    instantiate_module(&Module::new(engine, bytes).expect("valid module"))
}

pub(crate) fn instantiate_module(module: &Module) -> (Store<()>, Instance) {
    let engine = module.engine();
    let mut store = Store::new(engine, ());
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("env", "host", |value: i64| value + 1)
        .expect("no clash");
    let instance = linker.instantiate(&mut store, module).expect("instance");
    (store, instance)
}

pub(crate) fn call(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    arguments: &[Val],
) -> wasmtime::Result<Vec<u64>> {
    let function = instance.get_func(&mut *store, name).expect("function");
    let count = function.ty(&*store).results().len();
    let mut results = vec![Val::I32(0); count];
    function.call(store, arguments, &mut results)?;
    Ok(results.iter().map(bits).collect())
}

pub(crate) fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        other => panic!("no number: {other:?}"),
    }
}
