//! Reading a published module: every section is validated, checked and kept for assembling.

use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::CodeSection;
use wasmparser::{
    CustomSectionReader, Data, Element, Export, ExternalKind, FuncToValidate, FuncType,
    FuncValidatorAllocations, FunctionBody, Global, Import, KnownCustom, MemoryType, Name, Parser,
    Payload, SectionLimited, TableType, TypeRef, ValidPayload, Validator, ValidatorResources,
    WasmFeatures,
};

use super::{
    AbiSurface, Limits, OtherExports, PrepareError, RefusalReason,
    analyse::analyse,
    body::{self, Layout},
    check,
    error::within,
    shape::{BodyTypes, Source, shape_of},
    work,
};

/// The proposals beside the first version of Wasm that compilers use by default today and that
/// behave the same everywhere. Some of their instructions are refused later, by name.
const FEATURES: WasmFeatures = WasmFeatures::WASM1
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .difference(WasmFeatures::GC_TYPES);

/// A published module that passed every check; its function bodies are already instrumented.
#[derive(Default)]
pub(super) struct ParsedModule<'a> {
    pub(super) types: Vec<FuncType>,
    /// Indices of the types whose results need a block type of their own, in the order of those
    /// block types, which follow the module's types.
    pub(super) result_types: Vec<u32>,
    pub(super) imports: Vec<Import<'a>>,
    /// Type index of every function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) table: Option<TableType>,
    pub(super) memory: Option<MemoryType>,
    pub(super) globals: Vec<Global<'a>>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    /// Functions in all element segments together.
    pub(super) element_items: u64,
    /// What the data segments put where, in their order.
    pub(super) segments: Vec<(u32, &'a [u8])>,
    pub(super) bodies: CodeSection,
    pub(super) names: BTreeMap<u32, String>,
    /// What all of it makes a compiler do, in nanoseconds.
    pub(super) work: u64,
}

/// Validates and checks a module, and instruments its functions.
pub(super) fn parse<'a>(
    code: &'a [u8],
    abi: &AbiSurface<'_>,
    limits: &Limits,
) -> Result<ParsedModule<'a>, PrepareError> {
    within(
        0,
        "size of the module in bytes",
        code.len() as u64,
        limits.module_bytes,
    )?;
    let mut reader = Reader {
        validator: Validator::new_with_features(FEATURES),
        allocations: FuncValidatorAllocations::default(),
        block_types: BTreeMap::new(),
        imported: BTreeSet::new(),
        exported: BTreeSet::new(),
        escaping: BTreeSet::new(),
        data_bytes: 0,
        module: ParsedModule::default(),
        abi,
        limits,
    };
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    for payload in parser.parse_all(code) {
        reader.payload(payload?)?;
    }
    check::required_exports(&reader.module, abi, code.len() as u64)?;
    Ok(reader.module)
}

struct Reader<'a, 'l> {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    /// Block type of a function's results, by the function's type index.
    block_types: BTreeMap<u32, u32>,
    /// Module and name of each import. A function that is imported twice would be two to a compiler, which keeps
    /// pointers to what a function calls in its frame.
    imported: BTreeSet<(&'a str, &'a str)>,
    /// The functions that the host can call.
    exported: BTreeSet<u32>,
    /// Functions that something outside of them refers to: the host, tables and globals.
    escaping: BTreeSet<u32>,
    data_bytes: u64,
    module: ParsedModule<'a>,
    abi: &'l AbiSurface<'l>,
    limits: &'l Limits,
}

impl<'a> Reader<'a, '_> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), PrepareError> {
        self.check_count(&payload)?;
        if let ValidPayload::Func(function, body) = self.validator.payload(&payload)? {
            return self.body(function, &body);
        }
        match payload {
            Payload::TypeSection(section) => {
                self.types(section.range().start, section.into_iter_err_on_gc_types())
            }
            Payload::ImportSection(section) => self.imports(section.into_imports_with_offsets()),
            Payload::FunctionSection(section) => self.functions(&section),
            Payload::TableSection(section) => self.tables(&section),
            Payload::MemorySection(section) => self.memories(&section),
            Payload::GlobalSection(section) => self.globals(&section),
            Payload::ExportSection(section) => self.exports(&section),
            Payload::StartSection { func, .. } => {
                self.module.start = Some(func);
                self.exported.insert(func);
                self.escaping.insert(func);
                Ok(())
            }
            Payload::ElementSection(section) => self.elements(&section),
            Payload::DataSection(section) => self.data(&section),
            Payload::CodeSectionStart { .. } => self.count_bridges(0),
            Payload::CustomSection(section) => {
                self.custom(&section);
                Ok(())
            }
            // The validator has refused every other payload that means something: the version,
            // the data count and the header of the code section are written anew.
            _ => Ok(()),
        }
    }

    /// Checks what a section claims to have before the validator reserves room for it, whose own limits
    /// are far higher and whose messages would not say what to do.
    fn check_count(&self, payload: &Payload<'a>) -> Result<(), PrepareError> {
        let limits = self.limits;
        let (range, what, count, limit) = match payload {
            Payload::TypeSection(it) => (it.range(), "number of types", it.count(), limits.types),
            Payload::ImportSection(it) => {
                (it.range(), "number of imports", it.count(), limits.imports)
            }
            Payload::FunctionSection(it) => (
                it.range(),
                "number of functions",
                it.count(),
                limits.functions,
            ),
            Payload::TableSection(it) => (it.range(), "number of tables", it.count(), 1),
            Payload::MemorySection(it) => (it.range(), "number of memories", it.count(), 1),
            Payload::GlobalSection(it) => {
                (it.range(), "number of globals", it.count(), limits.globals)
            }
            Payload::ExportSection(it) => {
                (it.range(), "number of exports", it.count(), limits.exports)
            }
            Payload::ElementSection(it) => {
                let what = "number of element segments";
                (it.range(), what, it.count(), limits.element_segments)
            }
            Payload::DataCountSection { count, range } => (
                range.clone(),
                "number of data segments",
                *count,
                limits.data_segments,
            ),
            Payload::DataSection(it) => (
                it.range(),
                "number of data segments",
                it.count(),
                limits.data_segments,
            ),
            _ => return Ok(()),
        };
        within(range.start, what, count.into(), limit)
    }

    fn types(
        &mut self,
        offset: u64,
        types: impl Iterator<Item = wasmparser::Result<FuncType>>,
    ) -> Result<(), PrepareError> {
        for ty in types {
            let ty = ty?;
            check::function_type(offset, &ty, self.limits)?;
            let count = self.module.types.len() as u64 + 1;
            within(offset, "number of types", count, self.limits.types)?;
            self.module.types.push(ty);
        }
        Ok(())
    }

    fn imports(
        &mut self,
        imports: impl Iterator<Item = wasmparser::Result<(u64, Import<'a>)>>,
    ) -> Result<(), PrepareError> {
        for import in imports {
            let (offset, import) = import?;
            let count = self.module.imports.len() as u64 + 1;
            within(offset, "number of imports", count, self.limits.imports)?;
            check::import(offset, &import, &self.module.types, self.abi)?;
            if !self.imported.insert((import.module, import.name)) {
                let (module, name) = (import.module.to_owned(), import.name.to_owned());
                let reason = RefusalReason::DuplicateImport { module, name };
                return Err(PrepareError::new(offset, reason));
            }
            if let TypeRef::Func(ty) = import.ty {
                self.module.functions.push(ty);
            }
            self.module.imports.push(import);
        }
        Ok(())
    }

    fn functions(&mut self, section: &SectionLimited<'a, u32>) -> Result<(), PrepareError> {
        for ty in section.clone() {
            self.module.functions.push(ty?);
        }
        Ok(())
    }

    fn tables(
        &mut self,
        section: &SectionLimited<'a, wasmparser::Table<'a>>,
    ) -> Result<(), PrepareError> {
        for table in section.clone().into_iter_with_offsets() {
            let (offset, table) = table?;
            check::table(offset, &table.ty, self.limits)?;
            // Nothing can grow it, and engines differ in what maximum they take.
            self.module.table = Some(TableType {
                maximum: Some(table.ty.initial),
                ..table.ty
            });
        }
        Ok(())
    }

    fn memories(&mut self, section: &SectionLimited<'a, MemoryType>) -> Result<(), PrepareError> {
        for memory in section.clone().into_iter_with_offsets() {
            let (offset, memory) = memory?;
            let limit = self
                .limits
                .memory_initial_pages
                .min(self.limits.memory_maximum_pages);
            within(
                offset,
                "initial memory in pages",
                memory.initial,
                limit.into(),
            )?;
            self.module.memory = Some(memory);
        }
        Ok(())
    }

    fn globals(&mut self, section: &SectionLimited<'a, Global<'a>>) -> Result<(), PrepareError> {
        for (index, global) in (0..).zip(section.clone().into_iter_with_offsets()) {
            let (offset, global) = global?;
            check::global(offset, index, &global)?;
            check::functions_in(&global.init_expr, &mut |function| {
                self.escaping.insert(function);
            })?;
            self.module.globals.push(global);
        }
        Ok(())
    }

    fn exports(&mut self, section: &SectionLimited<'a, Export<'a>>) -> Result<(), PrepareError> {
        for export in section.clone().into_iter_with_offsets() {
            let (offset, export) = export?;
            let is_wanted = check::export(offset, &export, &self.module, self.abi, self.limits)?;
            if !is_wanted && self.abi.other_exports == OtherExports::Dropped {
                continue;
            }
            if export.kind == ExternalKind::Func {
                self.exported.insert(export.index);
                self.escaping.insert(export.index);
            }
            self.module.exports.push(export);
        }
        Ok(())
    }

    fn elements(&mut self, section: &SectionLimited<'a, Element<'a>>) -> Result<(), PrepareError> {
        for element in section.clone().into_iter_with_offsets() {
            let (offset, element) = element?;
            self.module.element_items +=
                check::element(offset, &element, self.module.table.as_ref())?;
            let limit = self.limits.element_items;
            within(
                offset,
                "number of table entries in segments",
                self.module.element_items,
                limit,
            )?;
            check::functions_of(&element, |function| {
                self.escaping.insert(function);
            })?;
            self.module.elements.push(element);
        }
        Ok(())
    }

    fn data(&mut self, section: &SectionLimited<'a, Data<'a>>) -> Result<(), PrepareError> {
        for data in section.clone().into_iter_with_offsets() {
            let (offset, data) = data?;
            let address = check::data(offset, &data, self.module.memory.as_ref())?;
            self.data_bytes += data.data.len() as u64;
            within(
                offset,
                "size of data in bytes",
                self.data_bytes,
                self.limits.data_bytes,
            )?;
            self.module.segments.push((address, data.data));
        }
        Ok(())
    }

    fn body(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'a>,
    ) -> Result<(), PrepareError> {
        let (start, size) = (body.range().start, body.as_bytes().len() as u64);
        within(
            start,
            "size of a function in bytes",
            size,
            self.limits.function_bytes,
        )?;
        let is_exported = self.exported.contains(&function.index);
        let type_index = self.module.functions[function.index as usize];
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let plan = analyse(&mut validator, body, self.limits)?;
        self.allocations = validator.into_allocations();
        let layout = self.layout(type_index, is_exported);
        let body = body::emit(&plan, &layout)?.into_raw_body();
        within(
            start,
            "size of an instrumented function in bytes",
            body.len() as u64,
            self.limits.prepared_function_bytes,
        )?;
        let source = Source {
            locals: plan.local_count.into(),
            operand_height: plan.operand_height.into(),
        };
        self.count_work(start, &body, type_index, source)?;
        self.module.bodies.raw(&body);
        let size = self.module.bodies.byte_len() as u64;
        within(
            start,
            "size of instrumented code in bytes",
            size,
            self.limits.prepared_bytes,
        )
    }

    /// Adds what a compiler has to do for an instrumented function.
    fn count_work(
        &mut self,
        start: u64,
        body: &[u8],
        type_index: u32,
        source: Source,
    ) -> Result<(), PrepareError> {
        let types = BodyTypes {
            types: &self.module.types,
            functions: &self.module.functions,
            result_types: &self.module.result_types,
        };
        let shape = shape_of(body, type_index, source, types)?;
        self.add_work(start, shape.work())
    }

    fn add_work(&mut self, offset: u64, work: u64) -> Result<(), PrepareError> {
        self.module.work = self.module.work.saturating_add(work);
        let what = "work of compiling the code";
        within(offset, what, self.module.work, self.limits.compile_work)
    }

    /// Adds what a compiler does for types, imports, and functions that can be called from outside.
    fn count_bridges(&mut self, offset: u64) -> Result<(), PrepareError> {
        let module = &self.module;
        let ty = |function: &u32| &module.types[module.functions[*function as usize] as usize];
        let imports = 0..u32::try_from(module.imports.len()).expect("limits bound the imports");
        let types = module.types.iter();
        let crossing = types
            .chain(self.escaping.iter().map(ty))
            .chain(imports.clone().map(|import| ty(&import)));
        let (mut count, mut values) = (0, 0);
        for ty in crossing {
            count += 1;
            values += (ty.params().len() + ty.results().len()) as u64;
        }
        self.add_work(offset, work::of_bridges(count, values))
    }

    fn layout(&mut self, type_index: u32, is_exported: bool) -> Layout {
        let globals = u32::try_from(self.module.globals.len()).expect("limits bound the globals");
        Layout {
            fuel_global: globals,
            stack_global: globals + 1,
            result_type: self.result_type(type_index),
            memory_maximum_pages: check::memory_maximum(self.module.memory.as_ref(), self.limits),
            is_exported,
        }
    }

    fn result_type(&mut self, type_index: u32) -> wasm_encoder::BlockType {
        let results = self.module.types[type_index as usize].results();
        match results {
            [] => wasm_encoder::BlockType::Empty,
            [ty] => wasm_encoder::BlockType::Result(body::value_type(*ty)),
            _ => wasm_encoder::BlockType::FunctionType(self.result_list_type(type_index)),
        }
    }

    fn result_list_type(&mut self, type_index: u32) -> u32 {
        let next = self.module.types.len() + self.module.result_types.len();
        let next = u32::try_from(next).expect("limits bound the types");
        *self.block_types.entry(type_index).or_insert_with(|| {
            self.module.result_types.push(type_index);
            next
        })
    }

    /// Keeps function names. Errors end the reading quietly: names have no effect.
    fn custom(&mut self, section: &CustomSectionReader<'a>) {
        let KnownCustom::Name(names) = section.as_known() else {
            return;
        };
        for subsection in names {
            match subsection {
                Ok(Name::Function(map)) => self.names(map),
                Ok(_) => (),
                Err(_) => return,
            }
        }
    }

    fn names(&mut self, map: wasmparser::NameMap<'a>) {
        let room = usize::try_from(self.limits.names).unwrap_or(usize::MAX);
        let width = usize::try_from(self.limits.name_bytes).unwrap_or(usize::MAX);
        for naming in map.take(room.saturating_sub(self.module.names.len())) {
            let Ok(naming) = naming else { return };
            let end = naming.name.floor_char_boundary(width);
            self.module
                .names
                .insert(naming.index, naming.name[..end].to_owned());
        }
    }
}
