//! The local node, with operations of the system only: scenarios with contracts are in the testing crate.

mod chains;
mod common;
mod delivery;
