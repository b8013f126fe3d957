//! Lay out typed values in guest memory by the WIT canonical ABI, and say what an instance, its
//! memory and its snapshot are, without naming an engine.
//!
//! The crate is the host's side of the boundary, for core modules with 32-bit memories and UTF-8
//! strings. Values travel in two forms: *stored* in guest memory, and *flat*, as the core
//! parameters and results of a function. A flat slot is a raw `u64`: an `i32` in its low half
//! (the upper half is written as zero and ignored when read), floats as their bits.
//!
//! - [`WitType`] says how a type is laid out, [`WitLift`] reads it from a guest, [`WitLower`]
//!   gives it to one. All three can be derived; `#[witty(name = "...")]` renames a field or case.
//! - [`Signature`] is the core signature of a whole function; [`lift_params`], [`lower_results`]
//!   (host functions) and [`lower_params`], [`lift_results`] (guest exports) pass its values.
//! - [`GuestMemory`] and [`GuestAllocator`] are all that this crate knows of an engine.
//!
//! Everything a guest supplies is checked: lifting ends in a [`LiftError`], never in a panic, and
//! allocates no more than a stated number of bytes per call ([`LIFT_LIMIT_BYTES`]).
//!
//! ```
//! use resident_witty::{Signature, WitLift, WitLower, WitType, CoreType};
//!
//! #[derive(Debug, PartialEq, WitType, WitLift, WitLower)]
//! struct Transfer {
//!     amount: u64,
//!     memo: Option<String>,
//! }
//!
//! assert_eq!(Transfer::shape(), "record{amount: u64, memo: option<string>}");
//! assert_eq!((Transfer::SIZE, Transfer::ALIGN), (24, 8));
//! let signature = Signature::import::<(Transfer,), bool>();
//! assert_eq!(signature.params, [CoreType::I64, CoreType::I32, CoreType::I32, CoreType::I32]);
//! ```

#![forbid(unsafe_code)]

mod call;
mod instance;
mod layout;
mod lift;
mod lists;
mod lower;
mod memory;
mod scalars;
mod signature;
mod tuples;
mod types;
mod variants;

pub use call::{
    lift_params, lift_params_within, lift_results, lift_results_within, lower_params,
    lower_results, return_pointer,
};
pub use instance::{PAGE_BYTES, SnapshotSize};
pub use layout::{CoreType, Layout};
pub use lift::{Flats, LIFT_LIMIT_BYTES, Lift, LiftError};
pub use lower::FlatBuffer;
pub use memory::{GuestAllocator, GuestMemory, MemoryError};
pub use resident_witty_derive::{WitLift, WitLower, WitType};
pub use signature::{MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, Signature};
pub use types::{WitLift, WitLower, WitType};

/// What the derived implementations call. Not for use by hand: it may change with the derives.
#[doc(hidden)]
pub mod derived {
    pub use crate::layout::{
        field_offset, join_case, payload_offset, record_align, record_flat_count, record_size,
        variant_align, variant_flat_count, variant_size,
    };
    pub use crate::lower::store_discriminant;
    pub use crate::memory::offset;
}
