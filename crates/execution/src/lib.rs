//! UserContract, sessions, host functions, resources: apply one action to state.
//!
//! An [`Executor`] is what all blocks of a node share: the engine, the compiled modules, the store.
//! A [`Session`] runs one block, synchronously, on the thread that calls it, which on a node is one
//! of a [`BlockPool`]. What a contract can do to the world is an implementation of
//! `resident_abi::ContractHost` in `runtime/host.rs`. [`ServiceInstances`] answer queries on the stored
//! state, outside of any block.
//!
//! Three things can stop an action, and they are three variants of [`Stop`]: a [`Failure`], which is
//! data and the same on every node; [`MissingData`], which the caller can fetch; a [`Fault`] of this
//! node.

#![forbid(unsafe_code)]

mod action;
mod choice;
mod contract;
mod executor;
mod failure;
mod modules;
mod oracle;
mod policy;
mod pool;
mod printable;
mod report;
mod runtime;
mod service;
mod service_queue;
mod service_threads;
mod session;
mod streams;
mod trace;

pub use action::{
    Action, Message, MessageContext, MessageKind, Operation, OracleResponse, OutgoingMessage,
    ServiceQuestion, StreamHead, SubscriberUpdate, SystemMessage, SystemOperation,
    TransactionEffects,
};
pub use choice::{EngineKind, Mode, SessionKind, UnknownChoice};
pub use contract::{ContractSnapshot, UserContract};
pub use executor::{Executor, chain_partition, put_blob};
pub use failure::{Failure, FailureReason, Fault, LimitKind, MissingData, Stop};
pub use modules::{ModuleCacheConfig, ModuleCounts};
pub use oracle::{HttpBounds, NoOracle, Oracle, OracleError};
pub use policy::{Prices, ResourceLimits, ResourcePolicy};
pub use pool::BlockPool;
pub use report::{ApplicationReport, TransactionReport};
pub use runtime::HTTP_REQUESTS_ASKED_PER_RECORDED;
pub use service::{QueryContext, QueryError, QueryOutcome, ServiceCounts, ServiceInstances};
pub use service_threads::ServiceThreads;
pub use session::{
    BlockContext, FinalizationRoom, Refusal, Session, SessionCheckpoint, SessionOutcome,
};
pub use streams::{MAX_STREAM_NAME_BYTES, NewsBounds, NewsFound, put_event};
pub use trace::{PortableSize, Trace};

/// How much of a contract's panic message or log line is kept, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 << 10;
