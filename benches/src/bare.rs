//! A published module as instances need it, but without instrumentation: the other side of what metering costs.

use std::convert::Infallible;

use resident_wasm::prepare::{
    FUEL_EXPORT, GLOBAL_EXPORT_PREFIX, PreparedModule, STACK_EXPORT, STACK_UNITS,
};
use wasm_encoder::{
    ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Module, ValType,
    reencode::{self, Reencode},
};

/// The published module with the exports that `prepared`, made from it, has; its functions are as published. The
/// meters are there, and nothing ever changes them.
///
/// # Panics
/// If `prepared` was not made from `code`.
pub fn bare(code: &[u8], prepared: &PreparedModule) -> PreparedModule {
    let mut module = Module::new();
    let mut encoder = Bare {
        captured: captured(prepared),
        meters: 0,
    };
    encoder
        .parse_core_module(&mut module, wasmparser::Parser::new(0), code)
        .expect("it was prepared, so it is valid");
    PreparedModule {
        bytes: module.finish(),
        ..prepared.clone()
    }
}

/// The indices of the captured globals, which are the ends of their names.
fn captured(prepared: &PreparedModule) -> Vec<u32> {
    let names = prepared.captured_globals.iter();
    let indices = names.map(|global| {
        let index = global.export_name.strip_prefix(GLOBAL_EXPORT_PREFIX);
        index.and_then(|index| index.parse().ok())
    });
    indices
        .collect::<Option<_>>()
        .expect("the names have indices")
}

struct Bare {
    captured: Vec<u32>,
    /// The index of the first meter, known behind the globals.
    meters: u32,
}

impl Reencode for Bare {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_global_section(self, globals, section)?;
        self.meters = globals.len();
        let counter = |val_type| GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        globals.global(counter(ValType::I64), &ConstExpr::i64_const(0));
        globals.global(counter(ValType::I32), &ConstExpr::i32_const(STACK_UNITS));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_export_section(self, exports, section)?;
        exports.export(FUEL_EXPORT, ExportKind::Global, self.meters);
        exports.export(STACK_EXPORT, ExportKind::Global, self.meters + 1);
        for index in &self.captured {
            let name = format!("{GLOBAL_EXPORT_PREFIX}{index}");
            exports.export(&name, ExportKind::Global, *index);
        }
        Ok(())
    }
}
