//! The local node, with operations of the system only, and its connections: scenarios with contracts are in the
//! testing crate.

mod chains;
mod common;
mod delivery;
mod http;
