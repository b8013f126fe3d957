//! What a module may import and must export, described without naming an engine.

use wasmparser::{FuncType, ValType};

/// The boundary between a module and its host.
#[derive(Clone, Copy, Debug)]
pub struct AbiSurface<'a> {
    /// Every function that a module may import.
    pub imports: &'a [AbiImport<'a>],
    /// Every function that a module must export, beside its memory. It may export more.
    pub exports: &'a [AbiExport<'a>],
    /// What becomes of what a module exports besides.
    pub other_exports: OtherExports,
}

/// What becomes of exports that the host does not ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherExports {
    /// The prepared module does not have them: every instance would pay for their names.
    Dropped,
    /// The prepared module has them; for tests of single functions.
    Kept,
}

/// A function offered by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbiImport<'a> {
    /// Module name of the import.
    pub module: &'a str,
    /// Name of the function in that module.
    pub name: &'a str,
    /// Types of the parameters.
    pub params: &'a [ValueType],
    /// Types of the results.
    pub results: &'a [ValueType],
}

/// A function that the host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbiExport<'a> {
    /// Name of the export.
    pub name: &'a str,
    /// Types of the parameters.
    pub params: &'a [ValueType],
    /// Types of the results.
    pub results: &'a [ValueType],
}

/// The types of values that cross the boundary or are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
}

impl ValueType {
    pub(super) fn from_wasm(ty: ValType) -> Option<Self> {
        match ty {
            ValType::I32 => Some(Self::I32),
            ValType::I64 => Some(Self::I64),
            ValType::F32 => Some(Self::F32),
            ValType::F64 => Some(Self::F64),
            ValType::V128 | ValType::Ref(_) => None,
        }
    }

    fn matches(self, ty: ValType) -> bool {
        Self::from_wasm(ty) == Some(self)
    }
}

/// Whether a function type is exactly the one the boundary asks for.
pub(super) fn same_type(ty: &FuncType, params: &[ValueType], results: &[ValueType]) -> bool {
    same_list(ty.params(), params) && same_list(ty.results(), results)
}

/// A signature as it appears in messages.
pub(super) fn describe(params: &[ValueType], results: &[ValueType]) -> String {
    format!("{params:?} -> {results:?}")
}

/// The signature a module gave, as it appears in messages.
pub(super) fn describe_found(ty: &FuncType) -> String {
    format!("{:?} -> {:?}", ty.params(), ty.results())
}

fn same_list(found: &[ValType], wanted: &[ValueType]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(ty, want)| want.matches(*ty))
}
