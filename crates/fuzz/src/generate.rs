//! A random module, mostly of the kind that `prepare` accepts.

use arbitrary::Unstructured;
use wasm_smith::{Config, MemoryOffsetChoices, Module};

use crate::random::Random;

/// What a module has that `prepare` may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Bulk,
    ReferenceTypes,
    Simd,
    RelaxedSimd,
    TailCalls,
    Threads,
    Exceptions,
    ExtendedConst,
    GarbageCollection,
    Memory64,
    ManyMemories,
    WideArithmetic,
    CustomPageSizes,
    /// Segments that may be passive or out of bounds.
    Segments,
    /// Bytes of the finished module changed.
    Corrupt,
}

/// Those that could hide state from snapshots, if they were accepted wrongly, come more often.
const EDGES: [Edge; 20] = [
    Edge::Bulk,
    Edge::ReferenceTypes,
    Edge::ReferenceTypes,
    Edge::Segments,
    Edge::Segments,
    Edge::Bulk,
    Edge::ReferenceTypes,
    Edge::Simd,
    Edge::RelaxedSimd,
    Edge::TailCalls,
    Edge::Threads,
    Edge::Exceptions,
    Edge::ExtendedConst,
    Edge::GarbageCollection,
    Edge::Memory64,
    Edge::ManyMemories,
    Edge::WideArithmetic,
    Edge::CustomPageSizes,
    Edge::Segments,
    Edge::Corrupt,
];

/// How many of a hundred modules are over the edge.
const EDGE_PERCENT: u64 = 15;
/// Noise that a module is made of.
const NOISE_BYTES: usize = 64 << 10;
const PAGE: u64 = 64 << 10;

/// A module of random code, without imports, and with a memory.
pub(crate) struct Generated {
    pub(crate) code: Vec<u8>,
    pub(crate) edge: Option<Edge>,
}

/// Generates a module; `None` if the noise does not make one.
pub(crate) fn generate(random: &mut Random) -> Option<Generated> {
    let edge = random.percent(EDGE_PERCENT).then(|| random.choose(&EDGES));
    let mut shape = accepted(random);
    match edge {
        Some(edge) => step_over(&mut shape, edge, random),
        // Copying and filling is accepted, but not on tables, and nothing that drops segments.
        None if random.percent(40) => {
            shape.bulk_memory_enabled = true;
            shape.max_tables = 0;
            (shape.max_element_segments, shape.max_data_segments) = (0, 0);
        }
        None => (),
    }
    let noise = random.bytes(NOISE_BYTES);
    let module = Module::new(shape, &mut Unstructured::new(&noise)).ok()?;
    let code = module.to_bytes();
    Some(Generated { code, edge })
}

/// A shape that `prepare` accepts.
fn accepted(random: &mut Random) -> Config {
    let pages = 1 + random.below(6);
    Config {
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
        multi_value_enabled: random.percent(15),
        allow_start_export: random.percent(15),
        disallow_traps: random.percent(60),
        export_everything: true,
        max_imports: 0,
        min_memories: 1,
        max_memory32_bytes: pages * PAGE,
        memory_max_size_required: random.percent(90),
        max_table_elements: 100,
        // Without bulk memory all segments are active.
        max_data_segments: random.choose(&[0, 0, 4]),
        max_element_segments: 2,
        min_globals: 1,
        max_globals: 12,
        min_funcs: 3,
        max_funcs: 3 + random.below(8) as usize,
        max_instructions: random.choose(&[30, 100, 300]),
        min_types: 4,
        max_types: 12,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        ..Config::default()
    }
}

fn step_over(shape: &mut Config, edge: Edge, random: &mut Random) {
    match edge {
        Edge::Bulk => shape.bulk_memory_enabled = true,
        Edge::ReferenceTypes => {
            shape.reference_types_enabled = true;
            shape.bulk_memory_enabled = random.percent(50);
            shape.max_tables = random.below(3) as usize;
        }
        Edge::Simd => shape.simd_enabled = true,
        Edge::RelaxedSimd => (shape.simd_enabled, shape.relaxed_simd_enabled) = (true, true),
        Edge::TailCalls => shape.tail_call_enabled = true,
        Edge::Threads => shape.threads_enabled = true,
        Edge::Exceptions => shape.exceptions_enabled = true,
        Edge::ExtendedConst => shape.extended_const_enabled = true,
        Edge::GarbageCollection => {
            (shape.reference_types_enabled, shape.gc_enabled) = (true, true);
        }
        Edge::Memory64 => shape.memory64_enabled = true,
        Edge::ManyMemories => shape.max_memories = 3,
        Edge::WideArithmetic => shape.wide_arithmetic_enabled = true,
        Edge::CustomPageSizes => shape.custom_page_sizes_enabled = true,
        Edge::Segments => {
            shape.bulk_memory_enabled = random.percent(50);
            (shape.max_data_segments, shape.max_element_segments) = (8, 8);
        }
        Edge::Corrupt => (),
    }
}

/// Changes a few bytes.
pub(crate) fn corrupt(code: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let position = random.below(code.len() as u64) as usize;
        code[position] ^= 1 << random.below(8);
    }
}
