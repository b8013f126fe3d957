//! Preparing a contract or a service: what `prepare` has to be told about the boundary comes from `abi`.

use resident_abi::{ContractHost, ContractSurface, REALLOC_EXPORT, surface::REALLOC_PARAMETERS};
use resident_base::CryptoHash;
use resident_witty::{CoreType, Signature};

use crate::prepare::{
    AbiExport, AbiImport, AbiSurface, Limits, OtherExports, PrepareError, PreparedModule,
    ValueType, prepare_with_limits,
};

/// Prepares a contract's module against the boundary that `resident-abi` lists.
///
/// `H` only names a host's type; nothing is called.
///
/// # Errors
/// If the module is refused; the error says where and why.
pub fn prepare_contract<H: ContractHost>(code: &[u8]) -> Result<PreparedModule, PrepareError> {
    prepare_contract_with_limits::<H>(code, &Limits::PROTOCOL)
}

/// As [`prepare_contract`], under other limits; meant for tests and tools.
///
/// # Errors
/// As [`prepare_contract`].
pub fn prepare_contract_with_limits<H: ContractHost>(
    code: &[u8],
    limits: &Limits,
) -> Result<PreparedModule, PrepareError> {
    prepare_for(code, &ContractSurface::collect::<H>(), limits)
}

/// Prepares a service's module against the boundary that `resident-abi` lists.
///
/// `H` only names a host's type; nothing is called.
///
/// # Errors
/// If the module is refused; the error says where and why.
pub fn prepare_service<H: ContractHost>(code: &[u8]) -> Result<PreparedModule, PrepareError> {
    prepare_for(
        code,
        &ContractSurface::collect_service::<H>(),
        &Limits::SERVICE,
    )
}

fn prepare_for(
    code: &[u8],
    surface: &ContractSurface,
    limits: &Limits,
) -> Result<PreparedModule, PrepareError> {
    let functions = surface
        .imports
        .iter()
        .map(|function| types(&function.signature));
    let import_types: Vec<_> = functions.collect();
    let imports: Vec<_> = surface
        .imports
        .iter()
        .zip(&import_types)
        .map(|(function, (params, results))| AbiImport {
            module: &function.interface,
            name: &function.name,
            params,
            results,
        })
        .collect();
    let named: Vec<_> = surface
        .exports
        .iter()
        .map(|function| {
            (
                format!("{}#{}", function.interface, function.name),
                types(&function.signature),
            )
        })
        .chain([(REALLOC_EXPORT.to_owned(), types(&realloc_signature()))])
        .collect();
    let exports: Vec<_> = named
        .iter()
        .map(|(name, (params, results))| AbiExport {
            name,
            params,
            results,
        })
        .collect();
    prepare_with_limits(
        code,
        &AbiSurface {
            imports: &imports,
            exports: &exports,
            other_exports: OtherExports::Dropped,
        },
        limits,
    )
}

impl PreparedModule {
    /// The hash that names this prepared module.
    pub fn hash(&self) -> CryptoHash {
        self.hash.into()
    }

    /// About what it takes of memory, in bytes.
    pub fn size_bytes(&self) -> usize {
        /// An entry of a map or a list, and the allocation of its text.
        const ENTRY_BYTES: usize = 64;
        let names = self.function_names.values();
        let exports = self
            .captured_globals
            .iter()
            .map(|global| &global.export_name);
        let text: usize = names
            .chain(exports)
            .map(|name| name.len() + ENTRY_BYTES)
            .sum();
        self.bytes.len() + self.starting_image.size_bytes() + text
    }
}

impl From<CoreType> for ValueType {
    fn from(ty: CoreType) -> Self {
        match ty {
            CoreType::I32 => ValueType::I32,
            CoreType::I64 => ValueType::I64,
            CoreType::F32 => ValueType::F32,
            CoreType::F64 => ValueType::F64,
        }
    }
}

impl From<ValueType> for CoreType {
    fn from(ty: ValueType) -> Self {
        match ty {
            ValueType::I32 => CoreType::I32,
            ValueType::I64 => CoreType::I64,
            ValueType::F32 => CoreType::F32,
            ValueType::F64 => CoreType::F64,
        }
    }
}

fn types(signature: &Signature) -> (Vec<ValueType>, Vec<ValueType>) {
    let convert = |types: &[CoreType]| types.iter().map(|ty| ValueType::from(*ty)).collect();
    (convert(&signature.params), convert(&signature.results))
}

fn realloc_signature() -> Signature {
    Signature {
        params: REALLOC_PARAMETERS.to_vec(),
        results: vec![CoreType::I32],
        indirect_params: false,
        indirect_results: false,
    }
}
