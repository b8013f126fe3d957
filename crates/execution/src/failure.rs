//! Why something did not happen: a failure is data, a fault is the node's, missing data is neither.

use resident_base::{
    AccountOwner, Amount, ApplicationId, ArithmeticError, BlobId, ChainId, EventId,
    GenericApplicationId, Resources, Timestamp, http,
};
use resident_storage::{JournalError, LimitExceeded, StoreError};
use resident_wasm::{CallError, EngineError, GuestFailure, RestoreError, prepare::PrepareError};
use thiserror::Error;

use crate::OracleError;
use crate::StreamHead;
use crate::printable::{Printable, printable};

/// Why an action or a transaction stopped before its end.
#[derive(Debug, Error)]
pub enum Stop {
    /// The transaction fails; every node that runs it sees the same.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Something that exists elsewhere is not here yet: fetch it and try again.
    #[error(transparent)]
    Missing(#[from] MissingData),
    /// This node cannot go on. Says nothing about the transaction.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The failure of a transaction: whose, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The application that was running, the innermost; none if it was the system.
    pub application_id: Option<ApplicationId>,
    /// What happened.
    pub reason: FailureReason,
}

impl std::error::Error for Failure {}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.application_id {
            Some(id) => write!(formatter, "application {id}: {}", self.reason),
            None => self.reason.fmt(formatter),
        }
    }
}

impl Failure {
    /// Whether a limit was exceeded, the transaction's own or one that it shares with the rest of the block.
    pub fn is_limit(&self) -> bool {
        matches!(
            self.reason,
            FailureReason::Limit(_)
                | FailureReason::Crowded(_)
                | FailureReason::Guest(GuestFailure::OutOfFuel)
        )
    }

    /// Whether the same transaction may pass in another block, on the same state. Others used up what it
    /// would have needed, or the world outside did not answer. Everything else would repeat itself.
    pub fn may_pass_later(&self) -> bool {
        match &self.reason {
            FailureReason::Crowded(_) => true,
            FailureReason::Oracle(error) => error.may_pass_later(),
            _ => false,
        }
    }
}

/// What made a transaction fail.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FailureReason {
    /// The contract panicked.
    #[error("panicked: {}", Printable(message))]
    Panic {
        /// What it said, at most [`crate::MAX_MESSAGE_BYTES`] of it.
        message: String,
    },
    /// The contract failed without a word.
    #[error(transparent)]
    Guest(GuestFailure),
    /// The transaction alone exceeds a limit. No block has room for it.
    #[error("limit exceeded: {0}")]
    Limit(LimitKind),
    /// The transaction keeps to the limit, and together with the rest of the block it exceeds it. A block in
    /// which it comes first has room for it.
    #[error("no room left in the block: {0}")]
    Crowded(LimitKind),
    /// The contract asked the storage for more than it gives.
    #[error(transparent)]
    Storage(#[from] LimitExceeded),
    /// More was asked for at once than a contract's memory can hold.
    #[error("an answer of {bytes} bytes does not fit a contract's memory; ask for less at once")]
    AnswerTooLarge {
        /// What the values asked for have together, as far as they were read.
        bytes: usize,
    },
    /// An application may not be entered while it is already running.
    #[error("call refused: application {callee} is already on the call stack")]
    Reentrance {
        /// The application that was called.
        callee: ApplicationId,
    },
    /// Applications may not call each other while the block is finalized.
    #[error("call refused: application {callee} was called during finalization")]
    CallInFinalization {
        /// The application that was called.
        callee: ApplicationId,
    },
    /// Money cannot be moved by whoever asked for it.
    #[error("not authorised to take tokens from {source_owner}")]
    NotAuthorized {
        /// The account that was to pay.
        source_owner: AccountOwner,
    },
    /// There is not enough money.
    #[error("{owner} has {balance} and would have to pay {amount}")]
    InsufficientBalance {
        /// The account that was to pay.
        owner: AccountOwner,
        /// What it has.
        balance: Amount,
        /// What it would have to pay.
        amount: Amount,
    },
    /// An amount left its range.
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    /// The block is later than the contract allows.
    #[error("the block's time {block} is not before {limit}")]
    TooLate {
        /// The block's timestamp.
        block: Timestamp,
        /// What it had to be before.
        limit: Timestamp,
    },
    /// The chain is closed, and only rejects.
    #[error("the chain is closed: it executes nothing any more")]
    ChainClosed,
    /// A bundle was to be rejected that may not be.
    #[error(
        "the bundle has a protected message and may not be rejected; accept it, or leave it for later"
    )]
    ProtectedMessage,
    /// The chain would have nobody who can propose a block.
    #[error("the new ownership of the chain is malformed, or has no owner")]
    BadOwnership,
    /// The chain does not let this application execute operations.
    #[error("the chain does not permit operations of {0}")]
    NotPermitted(GenericApplicationId),
    /// A published module was refused.
    #[error("module refused: {}", printable(.0))]
    Module(#[from] PrepareError),
    /// An operation of the system came without the signature that it needs.
    #[error("the operation must be signed by an owner of the chain")]
    NotSigned,
    /// An application was asked for that nobody created.
    #[error("application {0} cannot be run: its description is malformed")]
    BadApplication(ApplicationId),
    /// The block's record of what the outside answered is not about what was asked now.
    #[error(
        "the block's record has no answer at this place to the question for {}",
        Printable(asked)
    )]
    OracleMismatch {
        /// What was asked.
        asked: String,
    },
    /// What a contract passed to a host function cannot be decoded.
    #[error("the bytes of {what} cannot be decoded")]
    Malformed {
        /// What it should have been.
        what: &'static str,
    },
    /// The chain does not let this application make HTTP requests.
    #[error("the chain does not permit HTTP requests of application {0}")]
    HttpNotPermitted(ApplicationId),
    /// The chain does not let this application query services.
    #[error("the chain does not permit application {0} to query services")]
    ServicesNotPermitted(ApplicationId),
    /// The policy does not let anybody ask this server.
    #[error(
        "HTTP requests to {} are not allowed: it is not on the policy's list",
        Printable(server)
    )]
    HttpServerNotAllowed {
        /// The host, and its port if that is unusual.
        server: String,
    },
    /// An HTTP request is malformed.
    #[error("HTTP request refused: {0}")]
    BadHttpRequest(#[from] http::BadRequest),
    /// The world outside did not answer when the block was built. Never happens when a block is run again.
    #[error(transparent)]
    Oracle(OracleError),
    /// An event of this chain was asked for that it has not emitted.
    #[error("this chain has not emitted event {0}")]
    NoSuchEvent(Box<EventId>),
    /// The block's record of an event is not what was emitted.
    #[error("the block's record of event {0} is not what was emitted")]
    EventDiffers(Box<EventId>),
    /// An update is for an application that does not follow the stream.
    #[error("the application does not follow the stream {0}")]
    NotSubscribed(Box<StreamHead>),
    /// An update tells of events that the application was told of before.
    #[error("the application was told of the stream {0} before; leave the update out")]
    NoNewEvents(Box<StreamHead>),
    /// An update tells of no stream.
    #[error("the update for application {subscriber} names no streams; leave it out")]
    EmptyUpdate {
        /// Whom the update is for.
        subscriber: ApplicationId,
    },
    /// A published module's service was refused.
    #[error("service refused: {}", printable(.0))]
    Service(PrepareError),
    /// A query was sent to an application whose module has no service.
    #[error("application {0} has no service")]
    NoService(ApplicationId),
    /// A query of a contract to a service failed.
    #[error("the query of application {application_id} failed: {reason}")]
    Query {
        /// The application that was asked.
        application_id: ApplicationId,
        /// Why there is no answer.
        reason: Box<FailureReason>,
    },
    /// A service tried to change the state.
    #[error("a service cannot write: schedule an operation instead")]
    ReadOnly,
    /// A client's query took longer than it may.
    #[error("the query took too long")]
    Deadline,
    /// EVM contracts cannot be run yet.
    #[error("EVM modules are not supported")]
    EvmUnsupported,
}

/// A limit of [`crate::ResourcePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitKind {
    /// Fuel of the block. A transaction that spends all of its own runs out of fuel.
    #[error("fuel of the block")]
    Fuel,
    /// Messages sent in the block.
    #[error("messages of the block")]
    Messages,
    /// Bytes of messages sent in the block.
    #[error("bytes of messages")]
    MessageBytes,
    /// Bytes read from the state.
    #[error("bytes read from the state")]
    BytesRead,
    /// Bytes written to the state.
    #[error("bytes written to the state")]
    BytesWritten,
    /// Reads of the state in the block.
    #[error("reads of the state")]
    ReadOperations,
    /// Writes to the state in the block.
    #[error("writes to the state")]
    WriteOperations,
    /// Bytes that the runtime answered with in the block.
    #[error("bytes from the runtime")]
    BytesRuntime,
    /// Size of one operation.
    #[error("size of an operation")]
    OperationBytes,
    /// Size of one blob.
    #[error("size of a blob")]
    BlobBytes,
    /// Blobs published in the block.
    #[error("blobs published in the block")]
    BlobsPublished,
    /// Bytes of blobs published in the block.
    #[error("bytes of blobs published in the block")]
    BlobBytesPublished,
    /// Data blobs read in the block.
    #[error("data blobs read in the block")]
    BlobsRead,
    /// Bytes of data blobs read in the block.
    #[error("bytes of data blobs read in the block")]
    BlobBytesRead,
    /// Modules published in the block.
    #[error("modules published in the block")]
    Modules,
    /// HTTP requests of the block, or while it was built.
    #[error("HTTP requests of the block")]
    HttpRequests,
    /// Size of one HTTP request.
    #[error("size of an HTTP request")]
    HttpRequestBytes,
    /// Size of the answer to one HTTP request.
    #[error("size of the answer to an HTTP request")]
    HttpResponseBytes,
    /// Applications that call each other.
    #[error("depth of calls between applications")]
    CallDepth,
    /// Events emitted in the block.
    #[error("events of the block")]
    Events,
    /// Size of one event.
    #[error("size of an event")]
    EventBytes,
    /// Bytes of the block's outcome: of events that it emits, and of answers from outside that it records.
    #[error("bytes of the block's outcome")]
    BlockBytes,
    /// Length of a stream's name.
    #[error("length of a stream's name")]
    StreamNameBytes,
    /// Size of the block and its outcome together.
    #[error("size of the block with its outcome")]
    OutcomeBytes,
    /// Streams that an application follows on one chain.
    #[error("streams followed by one application")]
    Subscriptions,
    /// Instances that are alive at the same time.
    #[error("applications in the block")]
    Applications,
    /// What the block keeps in memory: instances, writes, answers and effects.
    #[error("memory of the block")]
    MemoryBytes,
    /// Queries of contracts to services.
    #[error("queries to services in the block")]
    ServiceQueries,
    /// Size of a service's answer to a contract.
    #[error("size of a service's answer")]
    ServiceResponseBytes,
}

impl LimitKind {
    /// How much of this was used; nothing if [`Resources`] do not count it.
    pub const fn used(self, resources: &Resources) -> u64 {
        match self {
            Self::Fuel => resources.wasm_fuel,
            Self::Messages => resources.messages,
            Self::MessageBytes => resources.message_size,
            Self::BytesRead => resources.bytes_to_read,
            Self::BytesWritten => resources.bytes_to_write,
            Self::ReadOperations => resources.read_operations,
            Self::WriteOperations => resources.write_operations,
            Self::BytesRuntime => resources.bytes_runtime,
            Self::BlobsPublished => resources.blobs_to_publish,
            Self::BlobBytesPublished => resources.blob_bytes_to_publish,
            Self::BlobsRead => resources.blobs_to_read,
            Self::BlobBytesRead => resources.blob_bytes_to_read,
            Self::HttpRequests => resources.http_requests,
            Self::ServiceQueries => resources.service_as_oracle_queries,
            _ => 0,
        }
    }
}

/// Something that exists elsewhere and is not here yet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MissingData {
    /// A blob.
    #[error("blob {0} is not in the store: fetch it and try again")]
    Blob(BlobId),
    /// An event of another chain.
    #[error("event {0} is not in the store: fetch it, or wait until it is emitted, and try again")]
    Event(EventId),
    /// Machine code: this node's engine does not compile what was published, or not with what it may use for it.
    #[error(
        "this node cannot compile {code} ({reason}): leave out what needs it, or run it on another node"
    )]
    Compiled {
        /// The contract or service.
        code: BlobId,
        /// What the engine said.
        reason: String,
    },
}

/// A fault of the node.
#[derive(Debug, Error)]
pub enum Fault {
    /// The store or the journal above it failed.
    #[error("storage: {0}")]
    Storage(#[from] JournalError),
    /// An engine failed.
    #[error("engine: {0}")]
    Engine(#[from] EngineError),
    /// An instance cannot go back to its own snapshot, which is a bug.
    #[error("restore: {0}")]
    Restore(RestoreError),
    /// A record that this node wrote cannot be read back.
    #[error("the record of {what} is damaged: {reason}")]
    Damaged {
        /// What the record is of.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The chain is not known here.
    #[error("chain {0} is not known: its description is not in the store")]
    UnknownChain(ChainId),
    /// The thread that ran a block panicked, which is a bug.
    #[error("a block's thread panicked: {0}")]
    Panicked(String),
    /// More queries of the chain wait than this node has room for.
    #[error("too many queries of chain {0} are waiting: ask again later")]
    Overloaded(ChainId),
    /// The calls were made in the wrong order, which is a bug of the caller.
    #[error("the session was used wrongly: {0}")]
    Misuse(&'static str),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Storage(error.into())
    }
}

impl From<FailureReason> for Stop {
    fn from(reason: FailureReason) -> Self {
        Stop::Failure(Failure {
            application_id: None,
            reason,
        })
    }
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Limit(limit) => FailureReason::Storage(limit).into(),
            error => Fault::Storage(error).into(),
        }
    }
}

impl From<ArithmeticError> for Stop {
    fn from(error: ArithmeticError) -> Self {
        FailureReason::Arithmetic(error).into()
    }
}

impl From<LimitKind> for Stop {
    fn from(limit: LimitKind) -> Self {
        FailureReason::Limit(limit).into()
    }
}

impl Stop {
    /// What a guest's end means for the transaction. What a host function answered passes through.
    pub(crate) fn of_call(error: CallError<Stop>, application_id: ApplicationId) -> Self {
        let stop = match error {
            CallError::Host(stop) => stop,
            CallError::Guest(failure) => FailureReason::Guest(failure).into(),
            CallError::Engine(error) => Fault::Engine(error).into(),
        };
        stop.within(application_id)
    }

    /// Names the application, unless an inner one is named already.
    pub(crate) fn within(self, application_id: ApplicationId) -> Self {
        match self {
            Stop::Failure(failure) => Stop::Failure(Failure {
                application_id: failure.application_id.or(Some(application_id)),
                ..failure
            }),
            stop => stop,
        }
    }
}
