//! Run random contracts on every engine and session, and find where they disagree.
//!
//! A *case* is a number, its seed; everything else follows from it. A random module (`generate`) is
//! made a contract that does what scripts tell it to (`wrap`, `script`), and then run
//!
//! * on level *instances* (`instances`): by itself on both engines, with snapshots, rollbacks and moves
//!   between instances and engines at random;
//! * on level *sessions* (`sessions`): as applications on a chain, in blocks whose bundles fail, on both
//!   engines and both sessions;
//! * on level *towns* (`towns`) it is not the contract that is random, but what honest and hostile owners of many
//!   chains do with two contracts that are written by hand.
//!
//! All that can be seen has to be equal, fuel and snapshots' hashes included, and what was rolled back
//! must not have been. `tests/bounded.rs` runs some cases; the command `resident-fuzz` as many as wanted.
#![forbid(unsafe_code)]

mod case;
mod compare;
mod generate;
mod host;
mod instance;
mod instances;
mod random;
mod script;
mod sessions;
mod tally;
mod towns;
mod wrap;

pub use case::{Finding, Fuzzer, Level, with_stack};
pub use tally::Tally;
pub use towns::figures;
