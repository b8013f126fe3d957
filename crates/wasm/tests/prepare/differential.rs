//! Generated modules do the same prepared as they are.

use arbitrary::Unstructured;
use resident_wasm::prepare::{Exhaustion, Limits, START_EXPORT, prepare_with_limits};
use wasm_encoder::reencode::{self, Reencode};
use wasm_smith::{Config as Shape, Module as Generated};
use wasmtime::{Engine, ExternType, FuncType, Instance, Module, Store, Trap, Val, ValType};

use crate::harness::{PLENTY, Prepared, SURFACE, bits, config, instantiate_module};

/// Modules to generate; set `RESIDENT_PREPARE_CASES` to search longer.
const CASES: u64 = 250;
/// Fuel of one call, in the original's units as well as the prepared module's.
const FUEL: u64 = 200_000;

#[test]
fn generated_modules_do_the_same_prepared() {
    let cases = std::env::var("RESIDENT_PREPARE_CASES").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number"));
    let completed: u64 = (1..=cases)
        .filter_map(Pair::generate)
        .map(|pair| pair.compare())
        .sum();
    assert!(
        completed > cases,
        "only {completed} calls of {cases} modules ran to their end"
    );
}

/// A generated module, compiled as it is and prepared.
struct Pair {
    seed: u64,
    original: Module,
    prepared: Module,
    has_start: bool,
}

impl Pair {
    /// `None` if generation fails or the module is refused.
    fn generate(seed: u64) -> Option<Self> {
        let code = generate(seed)?;
        let limits = Limits {
            memory_maximum_pages: 4,
            memory_initial_pages: 4,
            ..Limits::PROTOCOL
        };
        let prepared = prepare_with_limits(&code, &SURFACE, &limits).ok()?;
        let mut config = config();
        config
            .cranelift_nan_canonicalization(true)
            .consume_fuel(true);
        let engine = Engine::new(&config).expect("engine");
        let original = Module::new(&engine, code).expect("valid");
        let has_start = prepared.has_start;
        let plain = Engine::new(&self::config()).expect("engine");
        let prepared = Module::new(&plain, prepared.bytes).expect("valid");
        Some(Self {
            seed,
            original,
            prepared,
            has_start,
        })
    }

    /// Calls every exported function on new instances. Returns how many calls ran to their end.
    fn compare(&self) -> u64 {
        let functions = self
            .original
            .exports()
            .filter_map(|export| match export.ty() {
                ExternType::Func(ty) => Some((export.name().to_owned(), ty)),
                _ => None,
            });
        functions
            .map(|(name, ty)| u64::from(self.compare_call(&name, &ty)))
            .sum()
    }

    fn compare_call(&self, name: &str, ty: &FuncType) -> bool {
        let arguments: Vec<Val> = ty.params().map(|ty| argument(&ty, self.seed)).collect();
        let Some(mut original) = Original::new(&self.original) else {
            return false;
        };
        let Some(expected) = original.call(name, &arguments) else {
            return false;
        };
        let (store, instance) = instantiate_module(&self.prepared);
        let mut prepared = Prepared { store, instance };
        if self.has_start {
            let started = prepared.call(START_EXPORT, &[], PLENTY);
            assert!(
                started.results.is_ok(),
                "seed {}: start fails when prepared",
                self.seed
            );
        }
        let outcome = prepared.call(name, &arguments, PLENTY);
        if outcome.results == Err(Some(Exhaustion::Stack)) {
            return false;
        }
        let seed = self.seed;
        assert_eq!(
            outcome.results.ok(),
            expected,
            "seed {seed}: results of {name}"
        );
        let state = state(&mut prepared.store, &prepared.instance);
        assert!(original.state() == state, "seed {seed}: state after {name}");
        expected.is_some()
    }
}

/// The memory and all exported globals.
type State = (Vec<u8>, Vec<(String, u64)>);

fn state(store: &mut Store<()>, instance: &Instance) -> State {
    let memory = instance
        .get_memory(&mut *store, "memory")
        .expect("memory")
        .data(&*store)
        .to_vec();
    let exports: Vec<_> = instance
        .exports(&mut *store)
        .map(|it| it.name().to_owned())
        .collect();
    let mut globals = Vec::new();
    for name in exports
        .into_iter()
        .filter(|name| !name.starts_with("resident:"))
    {
        if let Some(global) = instance.get_global(&mut *store, &name) {
            globals.push((name, bits(&global.get(&mut *store))));
        }
    }
    (memory, globals)
}

struct Original {
    store: Store<()>,
    instance: Instance,
}

impl Original {
    /// `None` if the start function traps or runs for too long.
    fn new(module: &Module) -> Option<Self> {
        let mut store = Store::new(module.engine(), ());
        store.set_fuel(FUEL).expect("fuel is on");
        let instance = Instance::new(&mut store, module, &[]).ok()?;
        Some(Self { store, instance })
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
        state(&mut self.store, &self.instance)
    }
}

fn argument(ty: &ValType, seed: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32((seed % 7) as i32),
        ValType::I64 => Val::I64((seed % 11) as i64),
        ValType::F32 => Val::F32(if seed.is_multiple_of(2) {
            0x7fa0_0001
        } else {
            0x3fc0_0000
        }),
        ValType::F64 => Val::F64(if seed.is_multiple_of(2) {
            0x7ff4_0000_0000_0001
        } else {
            1 << 62
        }),
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
        // Most modules with it have blocks that take or give several values, which are refused.
        multi_value_enabled: seed.is_multiple_of(6),
        allow_start_export: seed.is_multiple_of(5),
        disallow_traps: seed.is_multiple_of(2),
        export_everything: true,
        max_imports: 0,
        min_memories: 1,
        max_memory32_bytes: 4 << 16,
        memory_max_size_required: true,
        max_table_elements: 100,
        max_data_segments: 0,
        max_element_segments: 2,
        min_funcs: 3,
        max_funcs: 8,
        max_instructions: 300,
        min_types: 4,
        max_types: 12,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(90, 9, 1),
        ..Shape::default()
    };
    let bytes = random_bytes(seed, 64 << 10);
    let module = Generated::new(shape, &mut Unstructured::new(&bytes)).ok()?;
    let mut encoded = wasm_encoder::Module::new();
    let parser = wasmparser::Parser::new(0);
    WithMemory
        .parse_core_module(&mut encoded, parser, &module.to_bytes())
        .ok()?;
    Some(encoded.finish())
}

/// Exports the memory under the name that the ABI asks for, and makes sure that it holds something.
struct WithMemory;

impl Reencode for WithMemory {
    type Error = std::convert::Infallible;

    fn memory_type(
        &mut self,
        memory: wasmparser::MemoryType,
    ) -> Result<wasm_encoder::MemoryType, reencode::Error<Self::Error>> {
        let (minimum, maximum) = (
            memory.initial.max(1),
            memory.maximum.map(|pages| pages.max(1)),
        );
        Ok(reencode::utils::memory_type(
            self,
            wasmparser::MemoryType {
                initial: minimum,
                maximum,
                ..memory
            },
        ))
    }

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
    std::iter::repeat_with(|| next().to_le_bytes())
        .flatten()
        .take(length)
        .collect()
}
