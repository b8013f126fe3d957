//! Blocks, bundles, inbox and outboxes, staging policy, BlockExecutionTracker: turn transactions into an outcome.
//!
//! Two ways through a block, both driving a [`BlockExecutionTracker`] over one session:
//!
//! - [`stage_block`] builds a block from a [`BlockDraft`]. A [`StagingPolicy`] says what becomes of an
//!   incoming bundle that fails: [`decide`] is that policy as a pure function.
//! - [`execute_block`] runs a fixed [`Block`]. Any failure refuses it, and so does an outcome other than
//!   the expected one, whose first difference is named.
//!
//! Either ends in a [`BlockExecution`]: the block with its [`BlockOutcome`], and one batch with everything
//! to be stored. Nothing is stored before somebody writes that batch, so a block that is given up has left
//! no trace.
//!
//! What a chain keeps besides its state is read through [`ChainReader`]; messages arrive with
//! [`receive_bundles`] and leave the sender's outbox with [`confirm_delivery`].
//!
//! | file | subject |
//! |---|---|
//! | `block`, `outcome` | what is proposed, and what comes of it |
//! | `policy`, `staging` | building a block |
//! | `report` | who used what |
//! | `committed`, `difference` | running a fixed block and comparing outcomes |
//! | `tracker`, `rejection` | the one loop body that both share; what comes of a rejected bundle |
//! | `assembly` | from a finished tracker to a batch |
//! | `chain`, `inbox`, `outbox`, `records` | the chain's records beside its state |
//! | `turns`, `waiting` | whose bundles are proposed next, and what was tried in vain |
//! | `parked` | bundles for chains that the node does not keep |

#![forbid(unsafe_code)]

mod assembly;
mod block;
mod chain;
mod committed;
mod difference;
mod error;
mod inbox;
mod mandatory;
mod outbox;
mod outcome;
mod parked;
mod policy;
mod records;
mod rejection;
mod report;
mod staging;
mod tracker;
mod turns;
mod waiting;

pub use crate::{
    assembly::{BlockExecution, MAX_BLOCK_BYTES, MAX_SENT_BYTES},
    block::{
        Block, BlockDraft, Cursor, IncomingBundle, MessageAction, MessageBundle, PostedMessage,
        Transaction,
    },
    chain::{ChainReader, ChainTip},
    committed::execute_block,
    difference::first_difference,
    error::BlockError,
    inbox::{MAX_INBOX_PAGE, ReceiveError, receive_bundles},
    outbox::confirm_delivery,
    outcome::{BlockOutcome, ExecutedBlock, TransactionOutcome},
    parked::{MAX_PARKED_PAGE, park_bundles, unpark_bundles},
    policy::{
        DropReason, FailureCause, FailureSummary, Progress, StagingPolicy, Verdict, decide,
        may_be_rejected,
    },
    report::ExecutionReport,
    staging::{StagedBlock, stage_block, stage_block_with_clock},
    tracker::{BlockCheckpoint, BlockExecutionTracker, Halt, TrackedExecution, TransactionRunner},
    turns::{Choice, Chooser, TakenTurns, TurnRequest},
    waiting::{
        MAX_PASSED_OVER, Turns, WaitReason, Waiting, forget_waiting, put_turns, put_waiting,
    },
};
