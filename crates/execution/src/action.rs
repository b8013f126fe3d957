//! What a block asks for, and what comes of it.

use std::fmt;

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, BcsHashable, BlobId,
    Bytecode, ChainId, ChainOwnership, CryptoHash, Event, EventId, ModuleId, StreamId, Timestamp,
    VmRuntime, http,
};
use serde::{Deserialize, Serialize};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// An operation signed by the block's owner.
    Operation(Operation),
    /// News of streams for an application that follows them.
    ProcessStreams(SubscriberUpdate),
    /// A message from another chain.
    Message {
        /// Where it comes from.
        context: MessageContext,
        /// What it says.
        message: Message,
    },
}

impl Action {
    /// The application that it is for; none if it is for the chain itself.
    pub(crate) fn application_id(&self) -> Option<ApplicationId> {
        match self {
            Self::Operation(Operation::User { application_id, .. }) => Some(*application_id),
            Self::Operation(Operation::System(_)) => None,
            Self::ProcessStreams(update) => Some(update.subscriber),
            Self::Message { message, .. } => message.application_id(),
        }
    }

    /// The size of what it says, in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Operation(Operation::User { bytes, .. }) => bytes.len() as u64,
            Self::Operation(Operation::System(operation)) => encoded_bytes(operation),
            Self::ProcessStreams(update) => encoded_bytes(update),
            Self::Message { message, .. } => message.size_bytes(),
        }
    }
}

fn encoded_bytes(value: &impl Serialize) -> u64 {
    bcs::serialized_size(value).unwrap_or(usize::MAX) as u64
}

/// New events on streams that one application of the chain follows.
///
/// Each application has an update of its own, so that one that fails keeps nothing from the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberUpdate {
    /// The application that follows the streams.
    pub subscriber: ApplicationId,
    /// How far each stream has come. Which events the application has not seen is known to the chain.
    pub streams: Vec<StreamHead>,
}

/// How far a stream has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The chain that the stream is on.
    pub chain_id: ChainId,
    /// The stream.
    pub stream_id: StreamId,
    /// The index after its last event.
    pub next_index: u32,
}

impl fmt::Display for StreamHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chain_id,
            stream_id,
            next_index,
        } = self;
        write!(formatter, "{chain_id}:{stream_id} up to {next_index}")
    }
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
    /// Publishes bytes. Responds with their [`DataBlobHash`](resident_base::DataBlobHash).
    PublishDataBlob {
        /// The bytes.
        #[serde(with = "resident_base::bytes")]
        bytes: Vec<u8>,
    },
    /// Closes the chain for good: it executes nothing any more, and rejects whatever arrives.
    CloseChain,
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
    /// The application that it is for; none if it is the system's.
    pub fn application_id(&self) -> Option<ApplicationId> {
        match self {
            Message::System(_) => None,
            Message::User { application_id, .. } => Some(*application_id),
        }
    }

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

/// What may happen to a message that is not accepted. Whatever is left of its grant is never lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    /// It is forgotten.
    Simple,
    /// It goes back to its sender.
    Tracked,
    /// It is on its way back: after a rejection, or with what is left of a grant. If it is rejected too, it is
    /// forgotten; tokens return to their source even then.
    Bouncing,
    /// It may not be rejected, except by a chain that is closed, which forgets it.
    ///
    /// Applications cannot send these, and the system does not send any so far: a message shares its
    /// bundle with all that the same transaction sends to the same chain, so whoever can add a protected one
    /// to a bundle that fails holds up everything that comes behind it.
    Protected,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// The receiving chain.
    pub destination: ChainId,
    /// In whose name the receiver may act.
    pub authenticated_owner: Option<AccountOwner>,
    /// What the sender has paid for the message's execution.
    pub grant: Amount,
    /// Who gets what is left of the grant: whoever paid it. Without this, the chain that sent the message.
    pub refund_grant_to: Option<Account>,
    /// What happens if it is not accepted.
    pub kind: MessageKind,
    /// What it says.
    pub message: Message,
}

impl OutgoingMessage {
    /// A message in nobody's name and without a grant.
    pub fn new(destination: ChainId, kind: MessageKind, message: Message) -> Self {
        Self {
            destination,
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            kind,
            message,
        }
    }

    /// The message that brings what is left of a grant to an account.
    ///
    /// It is on its way back, as tokens that bounce are: whatever else is in its bundle and fails, the account has
    /// the tokens. So no failure gives them to another chain, least of all to the one that refunds them.
    pub fn refund(account: Account, amount: Amount) -> Self {
        let credit = SystemMessage::Credit {
            target: account.owner,
            amount,
            source: account.owner,
        };
        Self::new(
            account.chain_id,
            MessageKind::Bouncing,
            Message::System(credit),
        )
    }
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
    /// What there is to pay for its execution.
    pub grant: Amount,
    /// Who gets what is left of that.
    pub refund_grant_to: Option<Account>,
}

impl MessageContext {
    /// The account that what is left of the grant goes to.
    pub fn refund_account(&self) -> Account {
        self.refund_grant_to
            .unwrap_or_else(|| Account::chain(self.origin))
    }
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
    /// What a server outside answered.
    Http {
        /// The hash of the [`Request`](http::Request).
        request: CryptoHash,
        /// The answer, in canonical form.
        response: http::Response,
    },
    /// The event exists, and with it all before it in its stream.
    EventExists(EventId),
    /// What a service answered to a query.
    Service {
        /// The hash of the [`ServiceQuestion`].
        question: CryptoHash,
        /// The answer, in the application's own encoding.
        #[serde(with = "resident_base::bytes")]
        response: Vec<u8>,
    },
}

/// What a contract asks of a service. Its hash ties the answer in a block's record to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceQuestion {
    /// The application whose service is asked.
    pub application_id: ApplicationId,
    /// The query, in the application's own encoding.
    #[serde(with = "resident_base::bytes")]
    pub query: Vec<u8>,
}

impl BcsHashable for ServiceQuestion {
    const NAME: &'static str = "ServiceQuestion";
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
