//! Wasmtime behind the crate's engine-free boundary.
//!
//! The files have the same names as those of the other engine, so that a diff shows what differs.

mod code;
mod engine;
mod guest;
mod instance;
mod link;
mod overflow;

pub use engine::{WasmtimeEngine, WasmtimeModule};
pub use instance::WasmtimeInstance;
