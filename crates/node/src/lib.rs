//! Keep chains, deliver between them, serve clients, validate; the `resident` command.
//!
//! So far there is the [`LocalNode`]: many chains in one store, in one process. It builds and
//! commits the blocks that owners propose, and carries messages from the outboxes of its chains to
//! their inboxes. The only sockets are those of the requests that contracts make; validators come later.
//!
//! | file | what |
//! |---|---|
//! | `config` | [`NodeConfig`]: everything a node is told when it starts |
//! | `local` | [`LocalNode`]: opening, chains, queries |
//! | `clock` | [`Clock`]: the time of new blocks |
//! | `turns`, `waiting` | whose bundles are tried next, which back off, which are given up |
//! | `propose` | building, signing, verifying and committing one block |
//! | `streams` | telling applications of new events on the streams that they follow |
//! | `query` | asking services |
//! | `deliver` | from outboxes to inboxes |
//! | `http` | [`HttpOracle`]: the world outside that contracts may ask |
//! | `slow` | telling the operator who keeps the node busy |
//! | `registry` | which chains this node keeps |
//! | `locks` | one block at a time per chain, any number of chains at once |
//!
//! Everything asynchronous here runs on any executor; blocks run on the node's own threads.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod deliver;
mod error;
mod http;
mod local;
mod locks;
mod propose;
mod query;
mod registry;
mod slow;
mod streams;
mod turns;
mod waiting;

pub use clock::{Clock, ClockJump};
pub use config::NodeConfig;
pub use deliver::Delivery;
pub use error::NodeError;
pub use http::HttpOracle;
pub use local::LocalNode;
pub use propose::CommittedBlock;
pub use query::QueryConfig;
pub use waiting::WaitingBundle;
