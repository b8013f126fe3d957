//! What a block asks for, and what comes of it.

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, BcsHashable, BlobId,
    Bytecode, ChainId, ChainOwnership, Event, EventId, ModuleId, Timestamp, VmRuntime,
};
use serde::{Deserialize, Serialize};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// An operation signed by the block's owner.
    Operation(Operation),
    /// A message from another chain.
    Message {
        /// Where it comes from.
        context: MessageContext,
        /// What it says.
        message: Message,
    },
}

/// What a chain's owner asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Of the chain itself.
    System(SystemOperation),
    /// Of an application, in the application's own encoding.
    User {
        /// The application.
        application_id: ApplicationId,
        /// The operation.
        #[serde(with = "resident_base::bytes")]
        bytes: Vec<u8>,
    },
}

/// What a chain's owner can ask of the chain itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemOperation {
    /// Moves native tokens.
    Transfer {
        /// Who pays: the chain itself, or the signer.
        owner: AccountOwner,
        /// Who receives, here or on another chain.
        recipient: Account,
        /// How much.
        amount: Amount,
    },
    /// Opens a chain with a balance taken from this one. Responds with its [`ChainId`].
    OpenChain {
        /// Who may propose blocks on it.
        ownership: ChainOwnership,
        /// What it starts with.
        balance: Amount,
        /// What applications may do on it.
        application_permissions: ApplicationPermissions,
    },
    /// Publishes code. Responds with its [`ModuleId`].
    PublishModule {
        /// The contract.
        contract: Bytecode,
        /// The service; may be empty.
        service: Bytecode,
        /// What runs it.
        vm_runtime: VmRuntime,
    },
    /// Creates an application. Responds with its [`ApplicationId`].
    CreateApplication {
        /// The code.
        module_id: ModuleId,
        /// What stays the same for all its life and on every chain: JSON.
        #[serde(with = "resident_base::bytes")]
        parameters: Vec<u8>,
        /// What it starts from on this chain: JSON.
        #[serde(with = "resident_base::bytes")]
        instantiation_argument: Vec<u8>,
        /// Applications that it needs.
        required_application_ids: Vec<ApplicationId>,
    },
}

/// What one chain says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// From the chain itself.
    System(SystemMessage),
    /// From an application to itself, in its own encoding.
    User {
        /// The application.
        application_id: ApplicationId,
        /// The message.
        #[serde(with = "resident_base::bytes")]
        bytes: Vec<u8>,
    },
}

impl Message {
    /// The size of the message's own content in bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Message::System(_) => size_of::<SystemMessage>() as u64,
            Message::User { bytes, .. } => bytes.len() as u64,
        }
    }
}

/// What the system of one chain says to that of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemMessage {
    /// Native tokens arrive.
    Credit {
        /// Who receives them.
        target: AccountOwner,
        /// How much.
        amount: Amount,
        /// Who paid.
        source: AccountOwner,
    },
}

/// What may happen to a message that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    /// It is forgotten.
    Simple,
    /// It goes back to its sender.
    Tracked,
    /// It is on its way back.
    Bouncing,
    /// It may not be rejected.
    Protected,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// The receiving chain.
    pub destination: ChainId,
    /// In whose name the receiver may act.
    pub authenticated_owner: Option<AccountOwner>,
    /// What happens if it is not accepted.
    pub kind: MessageKind,
    /// What it says.
    pub message: Message,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageContext {
    /// The sending chain.
    pub origin: ChainId,
    /// The timestamp of the sending block.
    pub timestamp: Timestamp,
    /// In whose name the receiver may act.
    pub authenticated_owner: Option<AccountOwner>,
    /// Whether it came back after a rejection.
    pub is_bouncing: bool,
}

/// An answer from outside the chain that a block recorded. Whoever runs the block again replays it and
/// asks nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OracleResponse {
    /// The blob exists.
    Blob(BlobId),
    /// The content of an event.
    Event {
        /// Which event.
        id: EventId,
        /// What was emitted.
        #[serde(with = "resident_base::bytes")]
        value: Vec<u8>,
    },
    /// What a service answered to a query.
    Service(#[serde(with = "resident_base::bytes")] Vec<u8>),
}

/// What a transaction leaves beside the changed state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionEffects {
    /// Messages in the order in which they were sent.
    pub messages: Vec<OutgoingMessage>,
    /// Events in the order in which they were emitted.
    pub events: Vec<Event>,
    /// Blobs that came into being.
    pub blobs: Vec<BlobId>,
    /// Answers from outside, in the order in which they were asked for.
    pub oracle_responses: Vec<OracleResponse>,
}

impl BcsHashable for TransactionEffects {
    const NAME: &'static str = "TransactionEffects";
}
