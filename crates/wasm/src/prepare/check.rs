//! The checks of everything outside function bodies that a valid module can still fail.

use wasmparser::{
    BlockType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Export, ExternalKind,
    FuncType, Global, Import, MemoryType, Operator, RefType, TableType, TypeRef,
    WasmModuleResources,
};

use super::{
    AbiExport, AbiSurface, FUEL_EXPORT, GLOBAL_EXPORT_PREFIX, Limits, MEMORY_EXPORT, PrepareError,
    RESERVED_PREFIX, RefusalReason, STACK_EXPORT, START_EXPORT, ValueType,
    error::within,
    parse::ParsedModule,
    surface::{describe, describe_found, same_type},
};

const PAGE_BYTES: u64 = 65_536;

/// What the canonical ABI puts before an export's name to name the function that frees its result. The
/// host calls it if it is there, so its type matters too.
const POST_RETURN_PREFIX: &str = "cabi_post_";

/// The size up to which the module's memory may grow, in pages.
pub(super) fn memory_maximum(memory: Option<&MemoryType>, limits: &Limits) -> u32 {
    let declared = memory.and_then(|memory| memory.maximum).unwrap_or(u64::MAX);
    u32::try_from(declared)
        .unwrap_or(u32::MAX)
        .min(limits.memory_maximum_pages)
}

/// Parameters and results of a function or block type.
pub(super) fn function_type(
    offset: u64,
    ty: &FuncType,
    limits: &Limits,
) -> Result<(), PrepareError> {
    within(
        offset,
        "number of parameters",
        ty.params().len() as u64,
        limits.parameters,
    )?;
    within(
        offset,
        "number of results",
        ty.results().len() as u64,
        limits.results,
    )
}

/// A block has no parameters and one result at most. Compilers could not keep more in one place, and the work and the
/// memory that they take for it grow with the number of blocks times the number of values.
pub(super) fn block_type(
    offset: u64,
    operator: &Operator<'_>,
    resources: &impl WasmModuleResources,
) -> Result<(), PrepareError> {
    let index = match operator {
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            match blockty {
                BlockType::FuncType(index) => *index,
                _ => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    let ty = resources.sub_type_at(index);
    let ty = ty.expect("validation found the type").unwrap_func();
    let (parameters, results) = (ty.params().len(), ty.results().len());
    if parameters == 0 && results <= 1 {
        return Ok(());
    }
    let reason = RefusalReason::BlockType {
        parameters,
        results,
    };
    Err(PrepareError::new(offset, reason))
}

/// An import must be a function of the ABI, with its exact type.
pub(super) fn import(
    offset: u64,
    import: &Import<'_>,
    types: &[FuncType],
    abi: &AbiSurface<'_>,
) -> Result<(), PrepareError> {
    let (module, name) = (import.module.to_owned(), import.name.to_owned());
    let TypeRef::Func(index) = import.ty else {
        let kind = import_kind(&import.ty);
        return Err(PrepareError::new(
            offset,
            RefusalReason::ImportKind { module, name, kind },
        ));
    };
    let mut known = abi.imports.iter();
    let Some(known) = known.find(|it| it.module == module && it.name == name) else {
        return Err(PrepareError::new(
            offset,
            RefusalReason::UnknownImport { module, name },
        ));
    };
    let ty = &types[index as usize];
    if same_type(ty, known.params, known.results) {
        return Ok(());
    }
    let (found, expected) = (describe_found(ty), describe(known.params, known.results));
    Err(PrepareError::new(
        offset,
        RefusalReason::ImportType {
            module,
            name,
            found,
            expected,
        },
    ))
}

/// The table must hold functions.
pub(super) fn table(offset: u64, ty: &TableType, limits: &Limits) -> Result<(), PrepareError> {
    if ty.element_type != RefType::FUNCREF {
        let ty = ty.element_type.to_string();
        return Err(PrepareError::new(offset, RefusalReason::TableType { ty }));
    }
    within(
        offset,
        "number of table elements",
        ty.initial,
        limits.table_elements,
    )
}

/// Mutable globals must hold numbers.
pub(super) fn global(offset: u64, index: u32, global: &Global<'_>) -> Result<(), PrepareError> {
    let ty = global.ty.content_type;
    if global.ty.mutable && ValueType::from_wasm(ty).is_none() {
        let ty = ty.to_string();
        return Err(PrepareError::new(
            offset,
            RefusalReason::GlobalType { index, ty },
        ));
    }
    Ok(())
}

/// Exports must leave reserved names alone and have the ABI's types. Says whether the host wants this one.
pub(super) fn export(
    offset: u64,
    export: &Export<'_>,
    module: &ParsedModule<'_>,
    abi: &AbiSurface<'_>,
    limits: &Limits,
) -> Result<bool, PrepareError> {
    let size = export.name.len() as u64;
    within(
        offset,
        "length of an export's name in bytes",
        size,
        limits.export_name_bytes,
    )?;
    let name = export.name;
    let known = abi.exports.iter().find(|known| known.name == name);
    let frees = |known: &&AbiExport<'_>| name.strip_prefix(POST_RETURN_PREFIX) == Some(known.name);
    if let Some(entry) = abi.exports.iter().find(frees) {
        let (params, results) = (entry.results, &[][..]);
        let post_return = AbiExport {
            name,
            params,
            results,
        };
        return export_type(offset, export, module, &post_return).map(|()| true);
    }
    match known.filter(|_| !is_added(name)) {
        Some(known) => export_type(offset, export, module, known).map(|()| true),
        None if name.starts_with(RESERVED_PREFIX) => {
            let name = name.to_owned();
            Err(PrepareError::new(
                offset,
                RefusalReason::ReservedExport { name },
            ))
        }
        None => Ok(name == MEMORY_EXPORT && export.kind == ExternalKind::Memory),
    }
}

/// The memory and everything that the ABI asks for must be exported.
pub(super) fn required_exports(
    module: &ParsedModule<'_>,
    abi: &AbiSurface<'_>,
    end: u64,
) -> Result<(), PrepareError> {
    let has = |name: &str, kind: ExternalKind| {
        module
            .exports
            .iter()
            .any(|export| export.name == name && export.kind == kind)
    };
    if !has(MEMORY_EXPORT, ExternalKind::Memory) {
        return Err(missing(end, MEMORY_EXPORT, "memory"));
    }
    match abi
        .exports
        .iter()
        .find(|known| !has(known.name, ExternalKind::Func))
    {
        Some(known) => Err(missing(end, known.name, "function")),
        None => Ok(()),
    }
}

/// An element segment must be declarative, or fit the table. Returns its length.
pub(super) fn element(
    offset: u64,
    element: &Element<'_>,
    table: Option<&TableType>,
) -> Result<u64, PrepareError> {
    let length = match &element.items {
        ElementItems::Functions(items) => u64::from(items.count()),
        ElementItems::Expressions(_, items) => u64::from(items.count()),
    };
    let kind = "element";
    match &element.kind {
        ElementKind::Passive => {
            return Err(PrepareError::new(
                offset,
                RefusalReason::PassiveSegment { kind },
            ));
        }
        ElementKind::Declared => (),
        ElementKind::Active { offset_expr, .. } => {
            let size = table.map_or(0, |table| table.initial);
            segment_bounds(offset, kind, offset_expr, length, size)?;
        }
    }
    Ok(length)
}

/// Calls `found` with every function that an element segment refers to.
pub(super) fn functions_of(
    element: &Element<'_>,
    mut found: impl FnMut(u32),
) -> Result<(), PrepareError> {
    match &element.items {
        ElementItems::Functions(items) => {
            for function in items.clone() {
                found(function?);
            }
        }
        ElementItems::Expressions(_, items) => {
            for expression in items.clone() {
                functions_in(&expression?, &mut found)?;
            }
        }
    }
    Ok(())
}

/// Calls `found` with every function that a constant expression refers to.
pub(super) fn functions_in(
    expression: &ConstExpr<'_>,
    found: &mut impl FnMut(u32),
) -> Result<(), PrepareError> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            found(function_index);
        }
    }
    Ok(())
}

/// A data segment must be active and fit the initial memory. Returns its address.
pub(super) fn data(
    offset: u64,
    data: &Data<'_>,
    memory: Option<&MemoryType>,
) -> Result<u32, PrepareError> {
    let kind = "data";
    let DataKind::Active { offset_expr, .. } = &data.kind else {
        return Err(PrepareError::new(
            offset,
            RefusalReason::PassiveSegment { kind },
        ));
    };
    let size = memory.map_or(0, |memory| memory.initial * PAGE_BYTES);
    segment_bounds(offset, kind, offset_expr, data.data.len() as u64, size)
}

fn segment_bounds(
    offset: u64,
    kind: &'static str,
    start: &ConstExpr<'_>,
    length: u64,
    size: u64,
) -> Result<u32, PrepareError> {
    let Some(start) = constant(start)? else {
        return Err(PrepareError::new(
            offset,
            RefusalReason::SegmentOffset { kind },
        ));
    };
    let end = u64::from(start) + length;
    if end > size {
        return Err(PrepareError::new(
            offset,
            RefusalReason::SegmentBounds { kind, end, size },
        ));
    }
    Ok(start)
}

/// The value of an expression that is one `i32.const`, as the unsigned number it stands for.
fn constant(expression: &ConstExpr<'_>) -> Result<Option<u32>, PrepareError> {
    let mut operators = expression.get_operators_reader();
    let (first, second) = (operators.read()?, operators.read()?);
    Ok(match (first, second) {
        (Operator::I32Const { value }, Operator::End) => Some(value.cast_unsigned()),
        _ => None,
    })
}

/// Whether preparation itself exports this name, so that not even the ABI may use it.
fn is_added(name: &str) -> bool {
    [FUEL_EXPORT, STACK_EXPORT, START_EXPORT].contains(&name)
        || name.starts_with(GLOBAL_EXPORT_PREFIX)
}

fn export_type(
    offset: u64,
    export: &Export<'_>,
    module: &ParsedModule<'_>,
    known: &AbiExport<'_>,
) -> Result<(), PrepareError> {
    if export.kind != ExternalKind::Func {
        return Err(missing(offset, known.name, "function"));
    }
    let ty = &module.types[module.functions[export.index as usize] as usize];
    if same_type(ty, known.params, known.results) {
        return Ok(());
    }
    let (found, expected) = (describe_found(ty), describe(known.params, known.results));
    let name = known.name.to_owned();
    Err(PrepareError::new(
        offset,
        RefusalReason::ExportType {
            name,
            found,
            expected,
        },
    ))
}

fn missing(offset: u64, name: &str, kind: &'static str) -> PrepareError {
    let name = name.to_owned();
    PrepareError::new(offset, RefusalReason::MissingExport { name, kind })
}

fn import_kind(ty: &TypeRef) -> &'static str {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => "function",
        TypeRef::Table(_) => "table",
        TypeRef::Memory(_) => "memory",
        TypeRef::Global(_) => "global",
        TypeRef::Tag(_) => "tag",
    }
}
