//! Generated modules do the same prepared as they are.

use arbitrary::Unstructured;
use resident_wasm::prepare::{Exhaustion, Limits, START_EXPORT, prepare_with_limits};
use wasm_encoder::reencode::{self, Reencode};
use wasm_smith::{Config as Shape, Module as Generated};
use wasmtime::{Config, Engine, ExternType, Instance, Linker, Module, Store, Trap, Val, ValType};

use crate::harness::{Prepared, SURFACE, bits};

/// Modules to generate; set `RESIDENT_PREPARE_CASES` to search longer.
const CASES: u64 = 150;
/// Fuel of one call, in the original's units as well as the prepared module's.
const FUEL: u64 = 200_000;

#[test]
fn generated_modules_do_the_same_prepared() {
    let cases = std::env::var("RESIDENT_PREPARE_CASES").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number"));
    let mut compared = 0;
    for seed in 1..=cases {
        if let Some(calls) = compare(seed) {
            compared += calls;
        }
    }
    assert!(compared > cases, "only {compared} calls of {cases} modules were compared");
}

/// Compares every exported function of one module. `None` if the module is refused.
fn compare(seed: u64) -> Option<u64> {
    let code = generate(seed)?;
    let limits = Limits { memory_maximum_pages: 4, memory_initial_pages: 4, ..Limits::PROTOCOL };
    let prepared = prepare_with_limits(&code, &SURFACE, &limits).ok()?;
    let mut original = Original::new(&code)?;
    let mut prepared_instance = Prepared::new(&prepared);
    if prepared.has_start {
        let started = prepared_instance.call(START_EXPORT, &[], i64::MAX >> 1);
        assert!(started.results.is_ok(), "seed {seed}: start traps only when prepared");
    }
    let mut compared = 0;
    for (name, parameters) in original.functions() {
        let arguments: Vec<Val> = parameters.iter().map(|ty| argument(ty, seed)).collect();
        let Some(expected) = original.call(&name, &arguments) else { return Some(compared) };
        let outcome = prepared_instance.call(&name, &arguments, 1 << 40);
        if outcome.results == Err(Some(Exhaustion::Stack)) {
            return Some(compared);
        }
        assert_eq!(outcome.results.ok(), expected, "seed {seed}: results of {name}");
        assert_eq!(original.state(), state(&mut prepared_instance), "seed {seed}: after {name}");
        if expected.is_none() {
            return Some(compared + 1);
        }
        compared += 1;
    }
    Some(compared)
}

/// The memory and all exported globals.
type State = (Vec<u8>, Vec<(String, u64)>);

fn state(prepared: &mut Prepared) -> State {
    state_of(&mut prepared.store, &prepared.instance)
}

fn state_of(store: &mut Store<()>, instance: &Instance) -> State {
    let memory = instance.get_memory(&mut *store, "memory").expect("memory").data(&*store).to_vec();
    let exports: Vec<_> = instance.exports(&mut *store).map(|it| it.name().to_owned()).collect();
    let mut globals = Vec::new();
    for name in exports.into_iter().filter(|name| !name.starts_with("resident:")) {
        if let Some(global) = instance.get_global(&mut *store, &name) {
            globals.push((name, bits(&global.get(&mut *store))));
        }
    }
    (memory, globals)
}

struct Original {
    store: Store<()>,
    instance: Instance,
    module: Module,
}

impl Original {
    fn new(code: &[u8]) -> Option<Self> {
        let mut config = Config::new();
        config.cranelift_nan_canonicalization(true).consume_fuel(true);
        let engine = Engine::new(&config).expect("engine");
        let module = Module::new(&engine, code).expect("valid");
        let mut store = Store::new(&engine, ());
        store.set_fuel(FUEL).expect("fuel is on");
        let mut linker = Linker::new(&engine);
        linker.func_wrap("env", "host", |value: i64| value + 1).expect("no clash");
        let instance = linker.instantiate(&mut store, &module).ok()?;
        Some(Self { store, instance, module })
    }

    fn functions(&self) -> Vec<(String, Vec<ValType>)> {
        let functions = self.module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some((export.name().to_owned(), ty.params().collect())),
            _ => None,
        });
        functions.collect()
    }

    /// The results, `Some(None)` for a trap, `None` if the call was cut off.
    fn call(&mut self, name: &str, arguments: &[Val]) -> Option<Option<Vec<u64>>> {
        self.store.set_fuel(FUEL).expect("fuel is on");
        let results = crate::harness::call(&mut self.store, &self.instance, name, arguments);
        match results {
            Ok(results) => Some(Some(results)),
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::OutOfFuel | Trap::StackOverflow) => None,
                _ => Some(None),
            },
        }
    }

    fn state(&mut self) -> State {
        state_of(&mut self.store, &self.instance)
    }
}

fn argument(ty: &ValType, seed: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32((seed % 7) as i32),
        ValType::I64 => Val::I64((seed % 11) as i64),
        ValType::F32 => Val::F32(if seed % 2 == 0 { 0x7fa0_0001 } else { 0x3fc0_0000 }),
        ValType::F64 => Val::F64(if seed % 2 == 0 { 0x7ff4_0000_0000_0001 } else { 1 << 62 }),
        other => panic!("not generated: {other}"),
    }
}

/// A module of the accepted kind with everything exported and four pages of memory.
fn generate(seed: u64) -> Option<Vec<u8>> {
    let shape = Shape {
        bulk_memory_enabled: false,
        reference_types_enabled: false,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        compact_imports_enabled: false,
        export_everything: true,
        max_imports: 0,
        min_memories: 1,
        max_memory32_bytes: 4 << 16,
        memory_max_size_required: true,
        max_table_elements: 100,
        min_funcs: 3,
        max_funcs: 8,
        max_instructions: 300,
        max_type_size: 20,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(90, 9, 1),
        ..Shape::default()
    };
    let bytes = random_bytes(seed, 8 << 10);
    let module = Generated::new(shape, &mut Unstructured::new(&bytes)).ok()?;
    let mut encoded = wasm_encoder::Module::new();
    let parser = wasmparser::Parser::new(0);
    WithMemory.parse_core_module(&mut encoded, parser, &module.to_bytes()).ok()?;
    Some(encoded.finish())
}

/// Exports the memory under the name that the ABI asks for.
struct WithMemory;

impl Reencode for WithMemory {
    type Error = std::convert::Infallible;

    fn parse_export_section(
        &mut self,
        exports: &mut wasm_encoder::ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Self::Error>> {
        exports.export("memory", wasm_encoder::ExportKind::Memory, 0);
        reencode::utils::parse_export_section(self, exports, section)
    }
}

/// Deterministic noise (SplitMix64).
fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    std::iter::repeat_with(|| next().to_le_bytes()).flatten().take(length).collect()
}
