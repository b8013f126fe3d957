//! List every function that crosses the guest boundary, once; the .wit files are checked against it.
//!
//! * [`ContractHost`] is what a contract or a service may ask of the node. The macro that defines the trait also
//!   defines [`visit_contract_host`], so that linking for any engine, the surface that a published
//!   module is checked against and the comparison with `wit/app.wit` all come from one list.
//! * [`entry_points`] is what the node may call in a contract, and in a service.
//! * [`wire`] holds the types of both, and their conversions from and to the base types.

#![forbid(unsafe_code)]

pub mod entry_points;
mod host;
pub mod surface;
pub mod wire;

pub use entry_points::EntryPoint;
pub use host::{ContractHost, HostFunction, HostFunctionVisitor, visit_contract_host};
pub use surface::{BoundaryFunction, ContractSurface, MEMORY_EXPORT, REALLOC_EXPORT};
