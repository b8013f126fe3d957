//! Puts the contract's own module behind the generated one.

use std::convert::Infallible;

use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, ExportSection, FunctionSection,
    GlobalSection, ImportSection, MemorySection, Module, StartSection, TableSection, TagSection,
    TypeSection,
    reencode::{self, Reencode},
};
use wasmparser::{FunctionBody, Parser, Payload};

use super::Plan;

type Error = reencode::Error<Infallible>;

/// The sections of the merged module.
#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    tags: TagSection,
    globals: GlobalSection,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    data_count: Option<u32>,
    code: CodeSection,
    data: DataSection,
}

/// By how much the indices of a module move.
#[derive(Clone, Copy, Default)]
struct Shift {
    functions: u32,
    types: u32,
    globals: u32,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(index + self.functions)
    }

    fn type_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(index + self.types)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(index + self.globals)
    }

    /// The contract needs a page for itself.
    fn memory_type(
        &mut self,
        mut memory: wasmparser::MemoryType,
    ) -> Result<wasm_encoder::MemoryType, Error> {
        memory.initial = memory.initial.max(1);
        memory.maximum = memory.maximum.map(|pages| pages.max(memory.initial));
        Ok(reencode::utils::memory_type(self, memory))
    }
}

/// What the contract's own module brings.
struct Own<'a> {
    /// Its functions' type indices, and their bodies.
    functions: Vec<(u32, FunctionBody<'a>)>,
}

/// Merges the two modules. The last functions of `own` replace generated ones.
pub(super) fn merge(generated: &[u8], own: &[u8], plan: &Plan) -> Result<Vec<u8>, Error> {
    let mut sections = Sections::default();
    let (types, globals) = count(generated)?;
    let shift = Shift {
        functions: 0,
        types,
        globals,
    };
    // The generated module's sections come first wherever order counts.
    let own = read_own(own)?;
    let imports = host_imports(own.bytes)?;
    let generated_shift = Shift {
        functions: imports,
        ..Shift::default()
    };
    let kept = own.functions.functions.len() - plan.adapters.len();
    let (behind, replacing) = own.functions.functions.split_at(kept);
    let replacement = |function: usize| {
        let place = plan.adapters.iter().position(|it| it.function == function);
        place.map(|place| replacing[place].1.clone())
    };
    sections.add_generated(generated, generated_shift, shift, &replacement)?;
    sections.add_own(own.bytes, shift)?;
    for (ty, body) in behind {
        sections.functions.function(ty + types);
        shift
            .clone()
            .parse_function_body(&mut sections.code, body.clone())?;
    }
    Ok(sections.finish())
}

struct OwnModule<'a> {
    bytes: &'a [u8],
    functions: Own<'a>,
}

fn read_own(bytes: &[u8]) -> Result<OwnModule<'_>, Error> {
    let (mut types, mut bodies) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::FunctionSection(section) => {
                for ty in section {
                    types.push(ty?);
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => (),
        }
    }
    let functions = types.into_iter().zip(bodies).collect();
    let functions = Own { functions };
    Ok(OwnModule { bytes, functions })
}

/// The number of types and of globals.
fn count(bytes: &[u8]) -> Result<(u32, u32), Error> {
    let (mut types, mut globals) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    types += group?.into_types().len() as u32;
                }
            }
            Payload::GlobalSection(section) => globals = section.count(),
            _ => (),
        }
    }
    Ok((types, globals))
}

/// The number of functions that are imported from the host.
fn host_imports(bytes: &[u8]) -> Result<u32, Error> {
    let mut count = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                count += u32::from(import?.module != super::text::GENERATED);
            }
        }
    }
    Ok(count)
}

impl Sections {
    fn add_generated<'a>(
        &mut self,
        bytes: &'a [u8],
        mut shift: Shift,
        mut own: Shift,
        replacement: &dyn Fn(usize) -> Option<FunctionBody<'a>>,
    ) -> Result<(), Error> {
        let mut function = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(it) => shift.parse_type_section(&mut self.types, it)?,
                Payload::FunctionSection(it) => {
                    shift.parse_function_section(&mut self.functions, it)?;
                }
                Payload::TableSection(it) => shift.parse_table_section(&mut self.tables, it)?,
                Payload::MemorySection(it) => shift.parse_memory_section(&mut self.memories, it)?,
                Payload::TagSection(it) => shift.parse_tag_section(&mut self.tags, it)?,
                Payload::GlobalSection(it) => shift.parse_global_section(&mut self.globals, it)?,
                Payload::ExportSection(it) => shift.parse_export_section(&mut self.exports, it)?,
                Payload::StartSection { func, .. } => {
                    self.start = Some(shift.function_index(func)?);
                }
                Payload::ElementSection(it) => {
                    shift.parse_element_section(&mut self.elements, it)?;
                }
                Payload::DataCountSection { count, .. } => self.data_count = Some(count),
                Payload::DataSection(it) => shift.parse_data_section(&mut self.data, it)?,
                Payload::CodeSectionEntry(body) => {
                    match replacement(function) {
                        Some(body) => own.parse_function_body(&mut self.code, body)?,
                        None => shift.parse_function_body(&mut self.code, body)?,
                    }
                    function += 1;
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Everything but the functions.
    fn add_own(&mut self, bytes: &[u8], mut shift: Shift) -> Result<(), Error> {
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(it) => shift.parse_type_section(&mut self.types, it)?,
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        if import.module != super::text::GENERATED {
                            let ty = shift.entity_type(import.ty)?;
                            self.imports.import(import.module, import.name, ty);
                        }
                    }
                }
                Payload::GlobalSection(it) => shift.parse_global_section(&mut self.globals, it)?,
                Payload::ExportSection(it) => shift.parse_export_section(&mut self.exports, it)?,
                _ => (),
            }
        }
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions);
        if !self.tables.is_empty() {
            module.section(&self.tables);
        }
        module.section(&self.memories);
        if !self.tags.is_empty() {
            module.section(&self.tags);
        }
        module.section(&self.globals).section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        if !self.elements.is_empty() {
            module.section(&self.elements);
        }
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&self.code);
        if !self.data.is_empty() {
            module.section(&self.data);
        }
        module.finish()
    }
}
