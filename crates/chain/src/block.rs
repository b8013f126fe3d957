//! What is proposed: blocks, their transactions, and the bundles that arrive from other chains.

use std::fmt;

use resident_base::{
    Account, AccountOwner, Amount, BcsHashable, BlockHeight, ChainId, CryptoHash, Timestamp,
};
use resident_execution::{Message, MessageKind, Operation, SubscriberUpdate};
use serde::{Deserialize, Serialize};

/// A block as its owner proposes and signs it, without what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The chain that it continues.
    pub chain_id: ChainId,
    /// Its position in the chain.
    pub height: BlockHeight,
    /// The hash of the [`ExecutedBlock`](crate::ExecutedBlock) before; none for the first block.
    pub previous_block_hash: Option<CryptoHash>,
    /// When it was proposed: not before the previous block, nor before any message in it was sent.
    pub timestamp: Timestamp,
    /// On whose authority the operations run.
    pub authenticated_owner: Option<AccountOwner>,
    /// What to do, in this order.
    pub transactions: Vec<Transaction>,
}

impl BcsHashable for Block {
    const NAME: &'static str = "Block";
}

/// A block before staging. Height and previous hash come from the chain's tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDraft {
    /// The chain to continue.
    pub chain_id: ChainId,
    /// When it is proposed.
    pub timestamp: Timestamp,
    /// On whose authority the operations run.
    pub authenticated_owner: Option<AccountOwner>,
    /// What to try, in this order. Bundles of one sender are in the order of their cursors.
    pub transactions: Vec<Transaction>,
}

/// One step of a block. It happens as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transaction {
    /// Does what the block's owner asks for.
    ExecuteOperation(Operation),
    /// Takes a bundle from the inbox.
    ReceiveMessages(IncomingBundle),
    /// Tells an application of new events on the streams that it follows.
    UpdateStreams(SubscriberUpdate),
}

impl Transaction {
    /// The bundle, if this receives one.
    pub fn bundle(&self) -> Option<&IncomingBundle> {
        match self {
            Self::ReceiveMessages(bundle) => Some(bundle),
            Self::ExecuteOperation(_) | Self::UpdateStreams(_) => None,
        }
    }

    /// Whether a block may do without it: an operation was signed by the owner, everything else waits.
    pub(crate) fn may_wait(&self) -> bool {
        !matches!(self, Self::ExecuteOperation(_))
    }
}

/// A bundle, and what the block does with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingBundle {
    /// The chain that sent it.
    pub origin: ChainId,
    /// The messages.
    pub bundle: MessageBundle,
    /// Whether they are executed.
    pub action: MessageAction,
}

/// What a block does with a bundle. Either way it leaves the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageAction {
    /// Execute all of its messages.
    Accept,
    /// Execute none of them. Tracked messages bounce, and grants are refunded. A bundle with a protected
    /// message may not be rejected unless the chain is closed, and then every bundle must be.
    Reject,
}

/// All messages of one sending transaction to one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBundle {
    /// The height of the sending block.
    pub height: BlockHeight,
    /// The time of the sending block.
    pub timestamp: Timestamp,
    /// The hash of the sending [`ExecutedBlock`](crate::ExecutedBlock).
    pub block_hash: CryptoHash,
    /// Which of its transactions sent the messages; one past the last stands for the finalization.
    pub transaction_index: u32,
    /// The messages, in the order in which they were sent.
    pub messages: Vec<PostedMessage>,
}

impl MessageBundle {
    /// Where the bundle stands among those of its sender.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            height: self.height,
            index: self.transaction_index,
        }
    }
}

/// A message in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedMessage {
    /// On whose authority it runs.
    pub authenticated_owner: Option<AccountOwner>,
    /// What there is to pay for its execution.
    pub grant: Amount,
    /// Who gets what is left of that; without this, the sending chain.
    pub refund_grant_to: Option<Account>,
    /// Its position among all messages of the sending transaction.
    pub index: u32,
    /// What happens if it is rejected.
    pub kind: MessageKind,
    /// The message.
    pub message: Message,
}

/// The position of a bundle among all that one chain sends. A receiver takes the bundles of each sender
/// in strictly increasing order; gaps are bundles for other receivers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Cursor {
    /// The height of the sending block.
    pub height: BlockHeight,
    /// The index of the sending transaction.
    pub index: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "block {} transaction {}",
            self.height, self.index
        )
    }
}
