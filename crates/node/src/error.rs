//! Why a node did not do what it was asked.

use resident_base::{AccountOwner, ChainId, CryptoError};
use resident_chain::{BlockError, Cursor, ReceiveError};
use resident_execution::{Fault, QueryError};
use resident_storage::{OpenError, StoreError};

use crate::{ClockJump, Delivery};

/// Why a node did not do what it was asked. Nothing was committed, unless the store failed, which
/// leaves that open until it is opened again.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store did not answer, or did not store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine or a thread failed; says nothing about the block.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// This node does not keep the chain.
    #[error(
        "chain {chain} is not known to this node; create it here, or open it from a chain that is"
    )]
    UnknownChain {
        /// The chain that was asked for.
        chain: ChainId,
    },
    /// A query of a service has no answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Only owners propose blocks.
    #[error("{signer} is not an owner of chain {chain}; sign with the key of one of its owners")]
    NotAnOwner {
        /// The chain of the block.
        chain: ChainId,
        /// Who signed.
        signer: AccountOwner,
    },
    /// The signature does not fit the block.
    #[error("the signature of the block is not valid: {0}; sign the block again")]
    Signature(#[from] CryptoError),
    /// The block is not one, or not one that can be executed now.
    #[error("no block on chain {chain}: {source}")]
    Block {
        /// The chain of the block.
        chain: ChainId,
        /// What is wrong with it.
        #[source]
        source: Box<BlockError>,
    },
    /// Bundles could not be put into an inbox. They remain in their outbox.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// Some bundles could not be delivered; all others were.
    #[error(
        "bundles of chain {origin} for chain {destination} were not delivered, nor those of {others} other pairs \
         of chains: {source}"
    )]
    Undelivered {
        /// The sender of the first ones.
        origin: ChainId,
        /// Whom they are for.
        destination: ChainId,
        /// What stopped them.
        #[source]
        source: Box<NodeError>,
        /// For how many other pairs of chains delivery failed.
        others: usize,
        /// What was delivered.
        delivery: Delivery,
    },
    /// The time for a new block is not certain.
    #[error(transparent)]
    Clock(#[from] ClockJump),
    /// There is no such bundle in the inbox.
    #[error("no bundle of chain {origin} waits in the inbox of chain {chain}")]
    NothingWaits {
        /// The chain of the inbox.
        chain: ChainId,
        /// The sender.
        origin: ChainId,
    },
    /// Only a closed chain rejects protected messages.
    #[error(
        "the bundle of {cursor} from chain {origin} has a protected message, which only a closed chain rejects"
    )]
    Protected {
        /// The sender.
        origin: ChainId,
        /// The bundle.
        cursor: Cursor,
    },
    /// A record of the node cannot be read.
    #[error("the node's record of {what} is damaged; restore the store from a backup")]
    DamagedRecord {
        /// What the record is about.
        what: &'static str,
    },
}

impl NodeError {
    /// Says which chain's block was refused.
    pub(crate) fn block(chain: ChainId, source: BlockError) -> Self {
        Self::Block {
            chain,
            source: Box::new(source),
        }
    }
}
