//! Why there is no block.

use std::collections::BTreeSet;

use resident_base::{ApplicationId, BlockHeight, ChainId, CryptoHash, Timestamp};
use resident_execution::{Failure, Fault, MissingData, Stop};

use crate::Cursor;

/// Why a block was not staged or not accepted. Nothing has been stored in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The block does not continue the chain where it ends here.
    #[error("block {found} does not fit: the chain goes on with block {expected}")]
    UnexpectedHeight {
        /// The height of the chain's next block.
        expected: BlockHeight,
        /// The height of the given block.
        found: BlockHeight,
    },
    /// The block continues another block than the chain's last one.
    #[error("the block continues block {found:?}, but the chain ends with {expected:?}")]
    UnexpectedPreviousHash {
        /// The hash of the chain's last block.
        expected: Option<CryptoHash>,
        /// The hash named by the given block.
        found: Option<CryptoHash>,
    },
    /// The block is older than what it builds on.
    #[error("the block's time {timestamp} is before {earliest}; propose it with a later time")]
    TimestampTooEarly {
        /// The block's time.
        timestamp: Timestamp,
        /// The time of the previous block, or of a message in the block.
        earliest: Timestamp,
    },
    /// A bundle comes after a later one of its sender, or for the second time.
    #[error(
        "the bundle of {found} from chain {origin} comes after the one of {last}; leave it out"
    )]
    BundleOutOfOrder {
        /// The sender.
        origin: ChainId,
        /// The last bundle that the chain took from it.
        last: Cursor,
        /// The bundle that cannot be taken any more.
        found: Cursor,
    },
    /// A transaction failed that may not: an operation, or any in a fixed block.
    #[error("transaction {index} failed: {failure}")]
    TransactionFailed {
        /// Its position among the transactions given.
        index: usize,
        /// What happened.
        failure: Failure,
    },
    /// An application refused the block when it was finalized.
    #[error("application {application_id} refused the block: {}", failure.reason)]
    Refused {
        /// The application.
        application_id: ApplicationId,
        /// Its reason.
        failure: Failure,
    },
    /// The block's outcome is not the expected one.
    #[error("the block's outcome is not the expected one: {difference}")]
    OutcomeMismatch {
        /// The first difference.
        difference: String,
    },
    /// The block is larger than a block may be.
    #[error("the block has {found} {what}, {limit} are allowed; propose less")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The block has operations, and lacks applications that the chain demands.
    #[error(
        "the chain demands an operation or a message of {} in a block with operations; add one",
        list(.applications)
    )]
    MissingApplications {
        /// The applications that are not in the block.
        applications: BTreeSet<ApplicationId>,
    },
    /// The chain has as many blocks as heights can count.
    #[error("the chain cannot have any more blocks")]
    LastHeight,
    /// Something that exists elsewhere is not here: fetch it and try again.
    #[error(transparent)]
    MissingData(#[from] MissingData),
    /// This node cannot go on. Says nothing about the block.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn list(applications: &BTreeSet<ApplicationId>) -> String {
    let names: Vec<_> = applications.iter().map(ToString::to_string).collect();
    names.join(" and of ")
}

impl BlockError {
    /// Whether it is the node that failed, not the block.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Fault(_))
    }

    /// Sorts a stop into missing data, faults, and what the caller makes of a failure.
    pub(crate) fn of_stop(stop: Stop, of_failure: impl FnOnce(Failure) -> Self) -> Self {
        match stop {
            Stop::Failure(failure) => of_failure(failure),
            Stop::Missing(missing) => Self::MissingData(missing),
            Stop::Fault(fault) => Self::Fault(fault),
        }
    }
}
