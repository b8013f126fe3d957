//! Writing the prepared module from the parts of the published one.

use std::convert::Infallible;

use wasm_encoder::{
    ConstExpr, DataSection, ElementSection, ExportKind, ExportSection, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module, TableSection,
    TypeSection, ValType,
    reencode::{self, Reencode, RoundtripReencoder},
};
use wasmparser::{Global, TypeRef};

use super::{
    CapturedGlobal, FUEL_EXPORT, GLOBAL_EXPORT_PREFIX, Limits, PrepareError, PreparedModule,
    RefusalReason, STACK_EXPORT, STACK_UNITS, START_EXPORT, StartingImage, ValueType,
    body::value_type, check::memory_maximum, error::within, hash_prepared, parse::ParsedModule,
};

/// Assembles the prepared module.
pub(super) fn assemble(
    parsed: ParsedModule<'_>,
    limits: &Limits,
) -> Result<PreparedModule, PrepareError> {
    let captured_globals = captured_globals(&parsed.globals);
    let starting_image = StartingImage::new(&parsed.segments);
    let segments = starting_image.segments();
    within(
        0,
        "number of data segments far from each other",
        segments.len() as u64,
        limits.data_pieces,
    )?;
    let bytes = encode(&parsed, &captured_globals, &segments, limits);
    let bytes = bytes.map_err(|error| refuse(&error))?;
    within(
        0,
        "size of the prepared module in bytes",
        bytes.len() as u64,
        limits.prepared_bytes,
    )?;
    let memory_initial = parsed.memory.as_ref().map_or(0, |memory| memory.initial);
    Ok(PreparedModule {
        hash: hash_prepared(&bytes),
        bytes,
        captured_globals: captured_globals
            .into_iter()
            .map(|(_, global)| global)
            .collect(),
        has_start: parsed.start.is_some(),
        memory_initial_pages: u32::try_from(memory_initial).expect("limits bound the memory"),
        memory_maximum_pages: memory_maximum(parsed.memory.as_ref(), limits),
        starting_image,
        compile_work: parsed.work,
        instance_work: instance_work(&parsed, &segments),
        function_names: parsed.names,
    })
}

/// What it takes to make an instance on the slower of the engines, in nanoseconds, in whole; measured by
/// `the_dearest_instances` among the hostile modules.
fn instance_work(parsed: &ParsedModule<'_>, segments: &[(u32, Vec<u8>)]) -> u64 {
    let functions = (parsed.functions.len() - parsed.imports.len()) as u64;
    let entries = parsed.table.map_or(0, |table| table.initial);
    let data: u64 = segments.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    50_000
        + functions * 10
        + entries * 10
        + parsed.element_items * 10
        + parsed.globals.len() as u64 * 2_000
        + segments.len() as u64 * 1_000
        + data * 2
}

/// The mutable globals with their indices.
fn captured_globals(globals: &[Global<'_>]) -> Vec<(u32, CapturedGlobal)> {
    let mutable = (0..).zip(globals).filter(|(_, global)| global.ty.mutable);
    let captured = mutable.map(|(index, global)| {
        let ty = ValueType::from_wasm(global.ty.content_type).expect("others are refused");
        let export_name = format!("{GLOBAL_EXPORT_PREFIX}{index}");
        (index, CapturedGlobal { export_name, ty })
    });
    captured.collect()
}

fn encode(
    parsed: &ParsedModule<'_>,
    captured: &[(u32, CapturedGlobal)],
    segments: &[(u32, Vec<u8>)],
    limits: &Limits,
) -> Result<Vec<u8>, reencode::Error<Infallible>> {
    let mut module = Module::new();
    module.section(&types(parsed));
    module.section(&imports(parsed));
    module.section(&functions(parsed));
    module.section(&tables(parsed)?);
    module.section(&memories(parsed, limits));
    module.section(&globals(parsed)?);
    module.section(&exports(parsed, captured)?);
    module.section(&elements(parsed)?);
    module.section(&parsed.bodies);
    module.section(&data(segments));
    Ok(module.finish())
}

fn types(parsed: &ParsedModule<'_>) -> TypeSection {
    let mut section = TypeSection::new();
    let encode = |types: &[wasmparser::ValType]| -> Vec<ValType> {
        types.iter().map(|ty| value_type(*ty)).collect()
    };
    for ty in &parsed.types {
        section
            .ty()
            .function(encode(ty.params()), encode(ty.results()));
    }
    for index in &parsed.result_types {
        section
            .ty()
            .function([], encode(parsed.types[*index as usize].results()));
    }
    section
}

fn imports(parsed: &ParsedModule<'_>) -> ImportSection {
    let mut section = ImportSection::new();
    for import in &parsed.imports {
        if let TypeRef::Func(ty) = import.ty {
            section.import(
                import.module,
                import.name,
                wasm_encoder::EntityType::Function(ty),
            );
        }
    }
    section
}

fn functions(parsed: &ParsedModule<'_>) -> FunctionSection {
    let mut section = FunctionSection::new();
    for ty in &parsed.functions[parsed.imports.len()..] {
        section.function(*ty);
    }
    section
}

fn tables(parsed: &ParsedModule<'_>) -> Result<TableSection, reencode::Error<Infallible>> {
    let mut section = TableSection::new();
    if let Some(ty) = parsed.table {
        section.table(RoundtripReencoder.table_type(ty)?);
    }
    Ok(section)
}

fn memories(parsed: &ParsedModule<'_>, limits: &Limits) -> MemorySection {
    let mut section = MemorySection::new();
    if let Some(memory) = &parsed.memory {
        section.memory(MemoryType {
            minimum: memory.initial,
            maximum: Some(memory_maximum(Some(memory), limits).into()),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }
    section
}

/// The module's globals, then fuel and stack units, so that no index moves.
fn globals(parsed: &ParsedModule<'_>) -> Result<GlobalSection, reencode::Error<Infallible>> {
    let mut section = GlobalSection::new();
    for global in &parsed.globals {
        RoundtripReencoder.parse_global(&mut section, global.clone())?;
    }
    let counter = |val_type| GlobalType {
        val_type,
        mutable: true,
        shared: false,
    };
    section.global(counter(ValType::I64), &ConstExpr::i64_const(0));
    section.global(counter(ValType::I32), &ConstExpr::i32_const(STACK_UNITS));
    Ok(section)
}

fn exports(
    parsed: &ParsedModule<'_>,
    captured: &[(u32, CapturedGlobal)],
) -> Result<ExportSection, reencode::Error<Infallible>> {
    let mut section = ExportSection::new();
    for export in &parsed.exports {
        RoundtripReencoder.parse_export(&mut section, *export)?;
    }
    let fuel = u32::try_from(parsed.globals.len()).expect("limits bound the globals");
    section.export(FUEL_EXPORT, ExportKind::Global, fuel);
    section.export(STACK_EXPORT, ExportKind::Global, fuel + 1);
    for (index, global) in captured {
        section.export(&global.export_name, ExportKind::Global, *index);
    }
    if let Some(start) = parsed.start {
        section.export(START_EXPORT, ExportKind::Func, start);
    }
    Ok(section)
}

fn elements(parsed: &ParsedModule<'_>) -> Result<ElementSection, reencode::Error<Infallible>> {
    let mut section = ElementSection::new();
    for element in &parsed.elements {
        RoundtripReencoder.parse_element(&mut section, element.clone())?;
    }
    Ok(section)
}

fn data(segments: &[(u32, Vec<u8>)]) -> DataSection {
    let mut section = DataSection::new();
    for (start, bytes) in segments {
        let start = ConstExpr::i32_const(start.cast_signed());
        section.active(0, &start, bytes.iter().copied());
    }
    section
}

fn refuse(error: &reencode::Error<Infallible>) -> PrepareError {
    PrepareError::new(
        0,
        RefusalReason::Invalid {
            message: error.to_string(),
        },
    )
}
