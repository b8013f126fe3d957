//! Prepare modules; run and snapshot them on Wasmtime, on Wasmer and on a browser's own engine.
//!
//! * [`prepare`] turns published bytes into a prepared module: validated, metered, with every piece
//!   of mutable state reachable. It knows no engine.
//! * [`wasmtime`] and [`wasmer`] compile prepared modules and run instances of them against a
//!   [`Host`]. Both have the same files, types and methods.
//! * A browser's engine is not here yet; it will be a third module of the same shape.

mod boundary;
mod contract;
mod failure;
mod host;
pub mod prepare;
mod sealed;
mod snapshot;
pub mod wasmer;
pub mod wasmtime;

pub use contract::{prepare_contract, prepare_contract_with_limits, prepare_service};
pub use failure::{CallError, EngineError, GuestFailure, TrapKind};
pub use host::{Entered, Host, MAX_TRACED_FRAMES, Meters};
pub use sealed::{EngineIdentity, KeyError, SEAL_FORMAT, SealError, SealKey};
pub use snapshot::{
    InstanceSnapshot, PortableSnapshot, RestoreError, SNAPSHOT_FORMAT_VERSION, SnapshotError,
};

/// The native stack that the code of guests runs on, in bytes. Only what is used of it takes memory.
///
/// The limit on call-stack height that preparation builds into modules ends a recursion long before: queries have twice
/// the [`STACK_UNITS`](prepare::STACK_UNITS), and this is twice as much again as their frames could take if each unit became
/// [`STACK_UNIT_BYTES`](prepare::STACK_UNIT_BYTES), and four mebibytes for what runs on the guest's stack without being
/// the guest: functions that take no units, the engine's own, and its look at the stack after a trap. If it ends all the
/// same, that is [`EngineError::NativeStack`].
pub const NATIVE_STACK_BYTES: usize =
    4 * prepare::STACK_UNIT_BYTES * prepare::STACK_UNITS as usize + (4 << 20);
