//! The boundary as core Wasm sees it: names and flat types, to check a published module against.

use resident_witty::{CoreType, Signature, WitLift, WitLower, WitType};

use crate::{
    ContractHost, EntryPoint, HostFunction, HostFunctionVisitor,
    entry_points::{
        CONTRACT_ENTRY_POINTS, EntryPointVisitor, SERVICE_ENTRY_POINTS, visit_entry_points,
    },
    host::{is_for_contracts, is_for_services},
    visit_contract_host,
};

/// The name by which a contract exports its memory.
pub const MEMORY_EXPORT: &str = "memory";

/// The name by which a contract exports its allocator:
/// `(old address, old size, alignment, new size) -> address`.
pub const REALLOC_EXPORT: &str = "cabi_realloc";

/// One function of the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundaryFunction {
    /// The interface, which for an import is the module's name.
    pub interface: String,
    /// The function's own name.
    pub name: String,
    /// The function's core signature.
    pub signature: Signature,
    /// Its parameters and its result as WIT text.
    pub shape: String,
}

/// Everything that a contract, or a service, may import, and all that it must export.
#[derive(Clone, Debug)]
pub struct ContractSurface {
    /// The host functions. A module may leave out what it does not use.
    pub imports: Vec<BoundaryFunction>,
    /// The entry points. A module must have them all.
    pub exports: Vec<BoundaryFunction>,
}

impl ContractSurface {
    /// Collects the surface of contracts. `H` only names the host's type; it is not called.
    pub fn collect<H: ContractHost>() -> Self {
        let imports = imports::<H>(|function| is_for_contracts(&function.interface));
        let exports = exports(CONTRACT_ENTRY_POINTS);
        ContractSurface { imports, exports }
    }

    /// Collects the surface of services. `H` only names the host's type; it is not called.
    pub fn collect_service<H: ContractHost>() -> Self {
        let imports = imports::<H>(|function| is_for_services(&function.interface, &function.name));
        let exports = exports(SERVICE_ENTRY_POINTS);
        ContractSurface { imports, exports }
    }
}

fn imports<H: ContractHost>(
    is_wanted: impl Fn(&BoundaryFunction) -> bool,
) -> Vec<BoundaryFunction> {
    let mut imports = Imports(Vec::new());
    visit_contract_host::<H>(&mut imports);
    imports.0.retain(is_wanted);
    imports.0
}

fn exports(interface: &str) -> Vec<BoundaryFunction> {
    let mut exports = Exports(Vec::new());
    visit_entry_points(&mut exports);
    exports.0.retain(|function| function.interface == interface);
    exports.0
}

/// The flat types of the allocator's parameters; its result is one more `i32`.
pub const REALLOC_PARAMETERS: [CoreType; 4] = [CoreType::I32; 4];

struct Imports(Vec<BoundaryFunction>);

impl<H: ContractHost> HostFunctionVisitor<H> for Imports {
    fn visit<P, R>(&mut self, interface: &'static str, name: &'static str, _: HostFunction<H, P, R>)
    where
        P: WitLift + 'static,
        R: WitLower + 'static,
    {
        self.0.push(BoundaryFunction {
            interface: interface.to_owned(),
            name: name.to_owned(),
            signature: Signature::import::<P, R>(),
            shape: shape::<P, R>(),
        });
    }
}

struct Exports(Vec<BoundaryFunction>);

impl EntryPointVisitor for Exports {
    fn visit<E: EntryPoint>(&mut self) {
        self.0.push(BoundaryFunction {
            interface: E::INTERFACE.to_owned(),
            name: E::NAME.to_owned(),
            signature: Signature::export::<E::Parameters, E::Results>(),
            shape: shape::<E::Parameters, E::Results>(),
        });
    }
}

fn shape<P: WitType, R: WitType>() -> String {
    format!("{} -> {}", P::shape(), R::shape())
}
