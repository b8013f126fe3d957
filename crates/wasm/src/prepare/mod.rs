//! Turning published Wasm into the module that every engine runs.
//!
//! [`prepare`] is a pure function of the published bytes: it names no engine, reads no clock and
//! gives the same bytes everywhere, so a module is prepared once, when it is published, and the
//! result can be stored under its hash.
//!
//! It first *refuses* whatever would let two engines disagree or could not be captured in a
//! snapshot (see [`RefusalReason`]), and then *instruments* what is left:
//!
//! * **Fuel** lives in the exported global [`FUEL_EXPORT`]. The host writes it before an entry and
//!   reads it afterwards. Every straight run of instructions is paid for before it starts, by the
//!   table in [`Costs`]. A function keeps the counter in a local between calls, so that a hot loop
//!   costs a subtraction and a comparison. A counter that is negative at an entry, at the head of a
//!   loop, behind a call, at a bulk operation or on the way back to the host ends the call with a trap.
//!   In between, code that only goes forward can take it below zero, but none that was not paid for runs for more than about
//!   a thousand units before the next check. **The host refuses what is asked of it with a negative counter.**
//! * **Call depth** is counted in [`STACK_EXPORT`], in units of one operand, so that recursion ends
//!   at the same call on every engine. See [`STACK_UNITS`].
//! * **Memory** grows up to its maximum. Where the system has none, the guest does not learn it; see
//!   [`OUT_OF_SYSTEM_MEMORY`].
//! * **NaN** results of arithmetic are replaced by the canonical NaN before anything can see them.
//! * **Mutable globals** are exported as [`GLOBAL_EXPORT_PREFIX`]`<index>`, because a snapshot must
//!   hold the hidden stack pointer too.
//! * **Start** becomes the export [`START_EXPORT`], so that the host decides when it runs and pays.
//! * The declared **memory maximum** is lowered to the protocol's; custom sections and exports that
//!   nobody asks for are dropped, and data that lies close together becomes one segment.
//!
//! Segments are checked against the initial memory and table, so instantiating a prepared module
//! runs no guest code and cannot trap.
//!
//! After a trap that is neither of the two exhaustions the fuel global holds the value it had at
//! the function's entry, latest call, or `unreachable`, whichever came last: never less than the
//! true rest, and the same on every engine. A host that wants to charge failed calls in full
//! charges all they were given.

mod analyse;
mod assemble;
mod body;
mod check;
mod costs;
mod error;
mod frame;
mod image;
mod limits;
mod nan;
mod parse;
mod shape;
mod stack;
mod surface;
mod unpaid;
mod weights;
mod work;

use std::collections::BTreeMap;

pub use costs::Costs;
pub use error::{PrepareError, RefusalReason};
pub use image::StartingImage;
pub(crate) use image::WORD_BYTES;
pub use limits::Limits;
pub use stack::{STACK_UNIT_BYTES, STACK_UNITS};
pub use surface::{AbiExport, AbiImport, AbiSurface, OtherExports, ValueType};

/// Version of the preparation; part of [`PreparedModule::hash`]. Any change of the prepared bytes,
/// of the costs or of the limits comes with a new number.
pub const PREPARE_VERSION: u32 = 3;

/// Prefix of every name that preparation adds. A published module may export such a name only if
/// the ABI asks for exactly that export.
pub const RESERVED_PREFIX: &str = "resident:";
/// Name of the exported mutable `i64` global with the remaining fuel; negative when exhausted.
pub const FUEL_EXPORT: &str = "resident:fuel";
/// Name of the exported mutable `i32` global with the remaining call-stack units; negative when
/// exhausted.
pub const STACK_EXPORT: &str = "resident:stack";
/// Name of the exported start function, present if [`PreparedModule::has_start`].
pub const START_EXPORT: &str = "resident:start";
/// Prefix of the exported mutable globals; the global's index follows in decimal.
pub const GLOBAL_EXPORT_PREFIX: &str = "resident:global:";
/// What [`FUEL_EXPORT`] holds after a trap if the system had no memory for `memory.grow` within the maximum: a fault of
/// the node, which says nothing about the guest. No account of fuel ever comes near it.
pub const OUT_OF_SYSTEM_MEMORY: i64 = i64::MIN;
/// Name under which every module must export its one memory.
pub const MEMORY_EXPORT: &str = "memory";

/// A validated and instrumented module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedModule {
    /// The instrumented Wasm.
    pub bytes: Vec<u8>,
    /// BLAKE3 of [`PREPARE_VERSION`] (four bytes, little-endian) followed by `bytes`.
    pub hash: [u8; 32],
    /// The mutable globals that belong to a snapshot, in index order. Fuel and stack units are
    /// not among them: the host owns those.
    pub captured_globals: Vec<CapturedGlobal>,
    /// Whether [`START_EXPORT`] must be called once after instantiation.
    pub has_start: bool,
    /// Size of the memory at instantiation, in pages of 64 KiB.
    pub memory_initial_pages: u32,
    /// Size up to which the memory may grow, in pages of 64 KiB.
    pub memory_maximum_pages: u32,
    /// What the memory holds at instantiation.
    pub starting_image: StartingImage,
    /// What it makes a compiler do, in nanoseconds. The limit [`Limits::compile_work`] bounds it.
    pub compile_work: u64,
    /// What it takes to make an instance of it, in nanoseconds.
    pub instance_work: u64,
    /// Names of functions by index, as far as the module carries them. For traces only: neither
    /// `bytes` nor `hash` depend on them.
    pub function_names: BTreeMap<u32, String>,
}

/// A mutable global of the published module, reachable through an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedGlobal {
    /// Name of the export.
    pub export_name: String,
    /// Type of the value.
    pub ty: ValueType,
}

/// What ran out when a prepared module trapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// The fuel given to the call was spent.
    Fuel,
    /// The calls were nested too deeply.
    Stack,
}

impl Exhaustion {
    /// Recognises an exhaustion from the two counters after a trap; `None` is an ordinary trap.
    pub fn from_counters(fuel: i64, stack: i32) -> Option<Self> {
        match (fuel < 0, stack < 0) {
            (true, _) => Some(Self::Fuel),
            (false, true) => Some(Self::Stack),
            (false, false) => None,
        }
    }
}

/// Validates and instruments published Wasm under the protocol's limits.
///
/// # Errors
///
/// A [`PrepareError`] says at which byte what was found, and what the author can do about it.
pub fn prepare(code: &[u8], abi: &AbiSurface<'_>) -> Result<PreparedModule, PrepareError> {
    prepare_with_limits(code, abi, &Limits::PROTOCOL)
}

/// As [`prepare`], under other limits; meant for tests and tools.
///
/// # Errors
///
/// As [`prepare`].
pub fn prepare_with_limits(
    code: &[u8],
    abi: &AbiSurface<'_>,
    limits: &Limits,
) -> Result<PreparedModule, PrepareError> {
    let parsed = parse::parse(code, abi, limits)?;
    assemble::assemble(parsed, limits)
}

fn hash_prepared(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&PREPARE_VERSION.to_le_bytes());
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}
