//! The local node, with operations of the system only, and its connections: scenarios with contracts are in the
//! testing crate.

mod chains;
mod clocks;
mod common;
mod delivery;
mod http;
mod parked;
mod turns;
