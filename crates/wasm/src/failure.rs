//! Why a guest stopped: its own failure is data, told the same way whichever engine ran it.

use resident_witty::{LiftError, MemoryError};
use thiserror::Error;

/// A failure of the guest's own making.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GuestFailure {
    /// The fuel that the guest was given is spent.
    #[error("out of fuel")]
    OutOfFuel,
    /// Calls are nested too deep.
    #[error("call stack exhausted")]
    StackExhausted,
    /// An instruction trapped.
    #[error("trap: {0}")]
    Trap(TrapKind),
    /// The guest passed a value that cannot be read.
    #[error("the contract passed a malformed value: {0}")]
    Malformed(#[from] LiftError),
    /// The guest's allocator returned memory that it does not have.
    #[error("the contract's allocator is broken: {0}")]
    Allocator(#[from] MemoryError),
}

/// What an instruction can trap on, by the WebAssembly specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TrapKind {
    /// `unreachable` was reached: usually a panic.
    #[error("unreachable code was reached")]
    Unreachable,
    /// A load, store, copy or fill outside of memory.
    #[error("memory access out of bounds")]
    MemoryOutOfBounds,
    /// A table was accessed outside of its bounds.
    #[error("table access out of bounds")]
    TableOutOfBounds,
    /// An indirect call of an empty table entry.
    #[error("indirect call to an empty table entry")]
    IndirectCallToNull,
    /// An indirect call of a function with another type.
    #[error("indirect call with a mismatched signature")]
    BadSignature,
    /// A signed division overflowed.
    #[error("integer overflow")]
    IntegerOverflow,
    /// A division by zero.
    #[error("integer division by zero")]
    IntegerDivisionByZero,
    /// A float that has no integer value was converted to an integer.
    #[error("invalid conversion to integer")]
    BadConversionToInteger,
    /// The guest was entered where it has no entry point, which is a mistake of whoever entered it.
    #[error("another trap")]
    Other,
}

/// How an entry into a guest failed: by what the host answered, by what the guest did, or because this node could not
/// go on.
///
/// `E` is the host's own error, given back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// A host function ended the execution with this error.
    Host(E),
    /// The guest failed by itself.
    Guest(GuestFailure),
    /// This node's engine failed: it says nothing about the guest, and other nodes would have gone on. What the
    /// instance holds is worth nothing any more.
    Engine(EngineError),
}

impl<E> From<MemoryError> for CallError<E> {
    fn from(error: MemoryError) -> Self {
        CallError::Guest(error.into())
    }
}

impl<E> From<LiftError> for CallError<E> {
    fn from(error: LiftError) -> Self {
        CallError::Guest(error.into())
    }
}

/// A fault of the node while it prepares to run a module that was accepted before, or runs it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The engine could not compile a prepared module.
    #[error("{engine} cannot compile a prepared module: {reason}")]
    Compile {
        /// The engine's name.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// The engine could not give its compiled code out.
    #[error("{engine} cannot serialize a compiled module: {reason}")]
    Serialize {
        /// The engine's name.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// What should be sealed code of a module is not, or not for this engine.
    #[error("{engine} does not load the compiled module: {reason}")]
    Deserialize {
        /// The engine's name.
        engine: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine could not make an instance of a compiled module.
    #[error("{engine} cannot instantiate a prepared module: {reason}")]
    Instantiate {
        /// The engine's name.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// The engine itself could not be set up.
    #[error("{engine} cannot be set up: {reason}")]
    Setup {
        /// The engine's name.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// The native stack ended, though the call stack of the guest had room. Preparation bounds frames from
    /// above, with a margin; a compiler whose frames are larger is not one that this node may run guests with.
    #[error("{engine}: the native stack ended before the guest's call stack did")]
    NativeStack {
        /// The engine's name.
        engine: &'static str,
    },
    /// The system had no memory for a guest that grew within its maximum.
    #[error("{engine}: the system has no memory for a guest that may have it")]
    SystemMemory {
        /// The engine's name.
        engine: &'static str,
    },
    /// The engine stopped a guest for a reason that no prepared module can give.
    #[error("{engine} stopped a guest: {reason}")]
    Stopped {
        /// The engine's name.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
}
