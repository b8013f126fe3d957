//! In-process chains for applications' tests and for the workspace's own suite.
//!
//! [`TestChains`] keeps chains in one store, runs their blocks with one engine and session, and runs any
//! block again on all the others. Keys and times are fixed, so the same test always makes the same
//! chains. Contracts are the Wasm files that `scripts/build-contracts.sh` makes.
//!
//! Everything that cannot go wrong in a right test panics, with what to do; the methods named `try_…`
//! and [`TestChains::stage`] answer with errors instead.
//!
//! ```no_run
//! use resident_testing::{PAIRS, TestChains};
//!
//! for pair in PAIRS {
//!     let chains = TestChains::new(pair);
//!     let alice = chains.open_root(1);
//!     let counter = chains.create_counter(&alice, 40);
//!     let increment = TestChains::raw_operation(counter, vec![0, 2, 0, 0, 0, 0, 0, 0, 0]);
//!     let block = chains.run(&alice, vec![increment]);
//!     assert_eq!(block.outcome.transactions[0].response, 42u64.to_le_bytes());
//! }
//! ```
#![forbid(unsafe_code)]

mod applications;
mod chains;
mod contracts;
mod delivery;
mod everywhere;
mod oracle;
mod queries;

pub use chains::{TestChain, TestChains};
pub use contracts::{CONTRACTS_VARIABLE, contract};
pub use everywhere::StagedEverywhere;
pub use oracle::{FakeOracle, PanickingOracle};
pub use queries::TestServices;

use resident_execution::{EngineKind, SessionKind};

/// Every engine with every session. Scenarios run on all of these; a new engine is one more line.
pub const PAIRS: [(EngineKind, SessionKind); 4] = [
    (EngineKind::Wasmtime, SessionKind::Persistent),
    (EngineKind::Wasmtime, SessionKind::PerTransaction),
    (EngineKind::Wasmer, SessionKind::Persistent),
    (EngineKind::Wasmer, SessionKind::PerTransaction),
];
