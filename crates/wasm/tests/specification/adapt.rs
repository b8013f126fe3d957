//! Gives a module of the suite the one thing that preparation asks every module for: a memory that
//! is exported as `memory`. Nothing that the module does can tell the difference.

use std::ops::Range;

use resident_wasm::prepare::MEMORY_EXPORT;
use wasm_encoder::{
    ExportKind, ExportSection, MemorySection, MemoryType, Module, RawSection, Section,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{Export, ExternalKind, Parser, Payload, TypeRef};

/// Section codes in the order in which a module has them.
const ORDER: [u8; 13] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const MEMORY_SECTION: u8 = 5;
const EXPORT_SECTION: u8 = 7;

/// The module with an exported memory; `None` if it exports something else under that name. What
/// cannot be read is given back as it is, for preparation to judge.
pub(crate) fn adapt(code: &[u8]) -> Option<Vec<u8>> {
    let Ok(outline) = Outline::read(code) else {
        return Some(code.to_vec());
    };
    let named = outline
        .exports
        .iter()
        .find(|export| export.name == MEMORY_EXPORT);
    match named.map(|export| export.kind) {
        None => Some(outline.write(code)),
        Some(ExternalKind::Memory) => Some(code.to_vec()),
        Some(_) => None,
    }
}

/// The names of the modules that a module imports from.
pub(crate) fn imported_modules(code: &[u8]) -> wasmparser::Result<Vec<String>> {
    let mut modules = Vec::new();
    for payload in Parser::new(0).parse_all(code) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                modules.push(import?.module.to_owned());
            }
        }
    }
    Ok(modules)
}

#[derive(Default)]
struct Outline<'a> {
    sections: Vec<(u8, Range<usize>)>,
    exports: Vec<Export<'a>>,
    has_memory: bool,
}

impl<'a> Outline<'a> {
    fn read(code: &'a [u8]) -> wasmparser::Result<Self> {
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(code) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                outline
                    .sections
                    .push((id, range.start as usize..range.end as usize));
            }
            outline.look(payload)?;
        }
        Ok(outline)
    }

    fn look(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.has_memory |= matches!(import?.ty, TypeRef::Memory(_));
                }
            }
            Payload::MemorySection(section) => self.has_memory |= section.count() > 0,
            Payload::ExportSection(section) => {
                self.exports = section.into_iter().collect::<Result<_, _>>()?;
            }
            _ => (),
        }
        Ok(())
    }

    /// The module again, with what is missing.
    fn write(&self, code: &[u8]) -> Vec<u8> {
        let mut missing = vec![Missing::exports(&self.exports)];
        if !self.has_memory {
            missing.insert(0, Missing::memory());
        }
        let mut missing = missing.into_iter().peekable();
        let mut module = Module::new();
        for (id, range) in &self.sections {
            while let Some(section) = missing.next_if(|section| section.stands_before(*id)) {
                module.section(&section);
            }
            // The missing section may stand in for one that is there.
            let is_replaced = *id == EXPORT_SECTION || (*id == MEMORY_SECTION && !self.has_memory);
            if !is_replaced {
                let data = &code[range.clone()];
                module.section(&RawSection { id: *id, data });
            }
        }
        for section in missing {
            module.section(&section);
        }
        module.finish()
    }
}

/// A section to write where its code belongs.
enum Missing {
    Memory(MemorySection),
    Exports(ExportSection),
}

impl Missing {
    fn memory() -> Self {
        let mut section = MemorySection::new();
        section.memory(MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        Self::Memory(section)
    }

    fn exports(exports: &[Export<'_>]) -> Self {
        let mut section = ExportSection::new();
        for export in exports {
            RoundtripReencoder
                .parse_export(&mut section, *export)
                .expect("a kind and an index are taken over as they are");
        }
        section.export(MEMORY_EXPORT, ExportKind::Memory, 0);
        Self::Exports(section)
    }

    fn stands_before(&self, id: u8) -> bool {
        let place = |id| ORDER.iter().position(|other| *other == id);
        // Custom sections have no place: they stay where they are.
        place(id).is_some_and(|next| place(self.id()) <= Some(next))
    }
}

impl Section for Missing {
    fn id(&self) -> u8 {
        match self {
            Self::Memory(section) => section.id(),
            Self::Exports(section) => section.id(),
        }
    }
}

impl wasm_encoder::Encode for Missing {
    fn encode(&self, sink: &mut Vec<u8>) {
        match self {
            Self::Memory(section) => section.encode(sink),
            Self::Exports(section) => section.encode(sink),
        }
    }
}
