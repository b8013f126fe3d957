//! One block in the making: what staging and re-execution share.

use std::{collections::BTreeSet, fmt::Debug};

use resident_base::{
    AccountOwner, Amount, ApplicationId, Blob, ChainId, GenericApplicationId, StreamId,
};
use resident_execution::{
    Action, Failure, FailureReason, Fault, LimitKind, Message, Operation, OracleResponse,
    OutgoingMessage, Refusal, Session, SessionCheckpoint, SessionOutcome, Stop, SubscriberUpdate,
    Trace, TransactionEffects, TransactionReport,
};
use resident_storage::Batch;

use crate::{
    BlockOutcome, Cursor, ExecutionReport, IncomingBundle, MessageAction, Transaction,
    TransactionOutcome,
    assembly::{FINALIZATION_BYTES, MAX_SENT_BYTES},
    records, rejection,
};

/// Runs the actions of one block. A [`Session`] does; tests put a script in its place.
pub trait TransactionRunner {
    /// A point between transactions that can be returned to.
    type Checkpoint;

    /// See [`Session::begin_transaction`].
    fn begin_transaction(&mut self, recorded: Option<Vec<OracleResponse>>);
    /// See [`Session::run`].
    fn run(&mut self, action: Action) -> Result<Vec<u8>, Stop>;
    /// See [`Session::end_transaction`].
    fn end_transaction(&mut self) -> Result<TransactionEffects, Stop>;
    /// See [`Session::checkpoint`].
    fn checkpoint(&mut self) -> Result<Self::Checkpoint, Fault>;
    /// See [`Session::roll_back`].
    fn roll_back(&mut self, to: &Self::Checkpoint) -> Result<(), Fault>;
    /// See [`Session::touched_applications`].
    fn touched_applications(&self) -> &BTreeSet<ApplicationId>;
    /// See [`Session::finalize`].
    fn finalize(
        &mut self,
        recorded: Option<Vec<OracleResponse>>,
    ) -> Result<TransactionEffects, Box<Refusal>>;
    /// See [`Session::take_report`].
    fn take_report(&mut self) -> TransactionReport;
    /// See [`Session::is_closed`].
    fn is_closed(&self) -> bool;
    /// See [`Session::return_tokens`].
    fn return_tokens(&mut self, owner: AccountOwner, amount: Amount) -> Result<(), Fault>;
    /// See [`Session::read_system`].
    fn read_system(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// See [`Session::write_system`].
    fn write_system(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), Fault>;
    /// See [`Session::finish`].
    fn finish(self) -> Result<SessionOutcome, Fault>;
}

/// Turns transactions into outcomes, one after the other, and remembers enough to take some back.
///
/// There is one outcome per transaction, so rolling back means truncating a list. What the chain's state,
/// the instances and the resources need for it is the session's own affair.
pub struct BlockExecutionTracker<R: TransactionRunner = Session> {
    runner: R,
    outcomes: Vec<TransactionOutcome>,
    /// The applications that each transaction entered, in step with `outcomes`.
    touched: Vec<BTreeSet<ApplicationId>>,
    /// In step with `outcomes`, too.
    report: ExecutionReport,
    finalization: TransactionOutcome,
    /// Encoded bytes of the transactions and their outcomes.
    size_bytes: usize,
    max_size_bytes: usize,
    executions: u64,
}

/// A point between two transactions.
pub struct BlockCheckpoint<C = SessionCheckpoint> {
    outcomes: usize,
    size_bytes: usize,
    session: C,
}

/// Why a transaction did not enter the block.
#[derive(Debug)]
pub enum Halt {
    /// Running it stopped before its end.
    Stop(Stop),
    /// It is a bundle that comes after a later one of its sender.
    OutOfOrder {
        /// The sender.
        origin: ChainId,
        /// The last bundle taken from it.
        last: Cursor,
        /// The bundle given.
        found: Cursor,
    },
}

/// What a finished block leaves.
pub struct TrackedExecution {
    /// What the block produced.
    pub outcome: BlockOutcome,
    /// The changes of the chain's state.
    pub batch: Batch,
    /// Blobs that came into being; not in the batch yet.
    pub blobs: Vec<Blob>,
    /// What it took.
    pub trace: Trace,
    /// Who used what.
    pub report: ExecutionReport,
}

impl<R: TransactionRunner> BlockExecutionTracker<R> {
    /// Starts a block. Its transactions and their outcomes may have so many encoded bytes together.
    pub fn new(runner: R, max_size_bytes: usize) -> Self {
        Self {
            runner,
            outcomes: Vec::new(),
            touched: Vec::new(),
            report: ExecutionReport::default(),
            finalization: TransactionOutcome::default(),
            size_bytes: 0,
            max_size_bytes,
            executions: 0,
        }
    }

    /// Runs a transaction and adds its outcome. After an error the block can only be rolled back to a
    /// checkpoint or given up.
    ///
    /// If the transaction has been run before, `recorded` are the answers that it got from outside.
    pub fn execute(
        &mut self,
        transaction: &Transaction,
        recorded: Option<&[OracleResponse]>,
    ) -> Result<(), Halt> {
        self.executions += 1;
        self.runner.begin_transaction(recorded.map(<[_]>::to_vec));
        let outcome = match transaction {
            Transaction::ReceiveMessages(incoming) if incoming.action == MessageAction::Reject => {
                self.reject_bundle(transaction, incoming)?
            }
            _ => self.run_within_limits(transaction)?,
        };
        self.outcomes.push(outcome);
        Ok(())
    }

    fn run_within_limits(&mut self, transaction: &Transaction) -> Result<TransactionOutcome, Halt> {
        self.add_size(encoded_size(transaction))?;
        let outcome = match transaction {
            Transaction::ExecuteOperation(operation) => self.run_operation(operation)?,
            Transaction::ReceiveMessages(incoming) => self.run_bundle(incoming)?,
            Transaction::UpdateStreams(update) => self.run_update(update)?,
        };
        if encoded_size(&outcome.effects.messages) > MAX_SENT_BYTES {
            return Err(block_is_full().into());
        }
        self.add_size(encoded_size(&outcome))?;
        Ok(outcome)
    }

    /// Remembers this point, in place of the one remembered before.
    pub fn checkpoint(&mut self) -> Result<BlockCheckpoint<R::Checkpoint>, Fault> {
        let session = self.runner.checkpoint()?;
        Ok(BlockCheckpoint {
            outcomes: self.outcomes.len(),
            size_bytes: self.size_bytes,
            session,
        })
    }

    /// Returns to a checkpoint, from between transactions or from a failed one. Gives the outcomes of
    /// the transactions that are undone.
    pub fn roll_back(
        &mut self,
        to: &BlockCheckpoint<R::Checkpoint>,
    ) -> Result<Vec<TransactionOutcome>, Fault> {
        self.runner.roll_back(&to.session)?;
        self.touched.truncate(to.outcomes);
        self.report.transactions.truncate(to.outcomes);
        self.size_bytes = to.size_bytes;
        Ok(self.outcomes.split_off(to.outcomes))
    }

    /// Lets every application settle, or refuse the block. `recorded` is as for
    /// [`execute`](Self::execute).
    pub fn finalize(&mut self, recorded: Option<&[OracleResponse]>) -> Result<(), Box<Refusal>> {
        let effects = self.runner.finalize(recorded.map(<[_]>::to_vec))?;
        let size_bytes = self.size_bytes + encoded_size(&effects);
        let is_too_large = size_bytes > self.max_size_bytes + FINALIZATION_BYTES
            || encoded_size(&effects.messages) > MAX_SENT_BYTES;
        if let Some(application_id) = last_writer(&effects).filter(|_| is_too_large) {
            let stop = block_is_full();
            return Err(Box::new(Refusal {
                application_id,
                stop,
            }));
        }
        self.finalization.effects = effects;
        self.report.finalization = self.runner.take_report();
        Ok(())
    }

    /// Ends a finalized block.
    pub fn finish(self) -> Result<TrackedExecution, Fault> {
        let SessionOutcome {
            state_hash,
            batch,
            blobs,
            resources,
            fees,
            trace,
            ..
        } = self.runner.finish()?;
        let (transactions, finalization) = (self.outcomes, self.finalization);
        let report = self.report;
        let outcome = BlockOutcome {
            state_hash,
            transactions,
            finalization,
            resources,
            fees,
        };
        Ok(TrackedExecution {
            outcome,
            batch,
            blobs,
            trace,
            report,
        })
    }

    /// Number of transactions in the block so far.
    pub fn transactions(&self) -> usize {
        self.outcomes.len()
    }

    /// Number of transactions run so far, those that were rolled back included.
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Whether the chain is closed, so that bundles can only be rejected.
    pub fn is_closed(&self) -> bool {
        self.runner.is_closed()
    }

    /// Whether a transaction of the block entered an application.
    pub fn has_touched(&self, transaction: usize, application_id: &ApplicationId) -> bool {
        self.touched
            .get(transaction)
            .is_some_and(|touched| touched.contains(application_id))
    }

    fn run_operation(&mut self, operation: &Operation) -> Result<TransactionOutcome, Halt> {
        let response = self.runner.run(Action::Operation(operation.clone()))?;
        let effects = self.end_transaction()?;
        Ok(TransactionOutcome { response, effects })
    }

    fn run_update(&mut self, update: &SubscriberUpdate) -> Result<TransactionOutcome, Halt> {
        let response = self.runner.run(Action::ProcessStreams(update.clone()))?;
        let effects = self.end_transaction()?;
        Ok(TransactionOutcome { response, effects })
    }

    fn run_bundle(&mut self, incoming: &IncomingBundle) -> Result<TransactionOutcome, Halt> {
        if self.runner.is_closed() {
            return Err(failure(FailureReason::ChainClosed).into());
        }
        self.consume(incoming)?;
        for posted in &incoming.bundle.messages {
            self.runner.run(Action::Message {
                context: rejection::context(incoming, posted),
                message: posted.message.clone(),
            })?;
        }
        let effects = self.end_transaction()?;
        Ok(TransactionOutcome {
            response: Vec::new(),
            effects,
        })
    }

    fn end_transaction(&mut self) -> Result<TransactionEffects, Halt> {
        let effects = self.runner.end_transaction()?;
        self.touched
            .push(self.runner.touched_applications().clone());
        self.report.transactions.push(self.runner.take_report());
        Ok(effects)
    }

    /// Takes a bundle out of the inbox without executing it. Tracked messages bounce to their sender, and
    /// grants are refunded. This enters no application and is free, so it can always be done, if only as
    /// the first of a block.
    ///
    /// After a failure nothing has happened.
    fn reject_bundle(
        &mut self,
        transaction: &Transaction,
        incoming: &IncomingBundle,
    ) -> Result<TransactionOutcome, Halt> {
        if rejection::is_protected(incoming) && !self.runner.is_closed() {
            return Err(failure(FailureReason::ProtectedMessage).into());
        }
        let outcome = rejection::outcome(incoming);
        let size_bytes = encoded_size(transaction) + encoded_size(&outcome);
        if self.outcomes.is_empty() {
            // Whatever comes first and is rejected enters in any case, or it would wait for ever.
            self.size_bytes += size_bytes;
        } else {
            self.add_size(size_bytes)?;
        }
        self.consume(incoming)?;
        for (owner, amount) in rejection::returned_tokens(incoming) {
            self.runner.return_tokens(owner, amount)?;
        }
        self.touched.push(BTreeSet::new());
        self.report.transactions.push(TransactionReport::default());
        Ok(outcome)
    }

    /// Moves the sender's cursor forward, which is part of the hashed state.
    fn consume(&mut self, incoming: &IncomingBundle) -> Result<(), Halt> {
        let (origin, found) = (incoming.origin, incoming.bundle.cursor());
        let key = records::consumed_key(origin);
        if let Some(record) = self.runner.read_system(&key)? {
            let last = records::decode("a sender's cursor", &record)?;
            if found <= last {
                return Err(Halt::OutOfOrder {
                    origin,
                    last,
                    found,
                });
            }
        }
        Ok(self.runner.write_system(&key, records::encode(&found))?)
    }

    /// Counts encoded bytes, unless there is no room for them.
    fn add_size(&mut self, bytes: usize) -> Result<(), Halt> {
        let size_bytes = self.size_bytes + bytes;
        if size_bytes > self.max_size_bytes {
            return Err(block_is_full().into());
        }
        self.size_bytes = size_bytes;
        Ok(())
    }
}

/// An application that made a finalization as large as it is: the last one that sent a message, or else
/// emitted or read an event.
fn last_writer(effects: &TransactionEffects) -> Option<ApplicationId> {
    let sender = |sent: &OutgoingMessage| match sent.message {
        Message::User { application_id, .. } => Some(application_id),
        Message::System(_) => None,
    };
    let emitter = |stream_id: &StreamId| match stream_id.application_id {
        GenericApplicationId::User(application_id) => Some(application_id),
        GenericApplicationId::System => None,
    };
    // Applications read none but their own events.
    let reader = |response: &OracleResponse| match response {
        OracleResponse::Event { id, .. } => emitter(&id.stream_id),
        _ => None,
    };
    let mut events = effects.events.iter().rev();
    let mut sent = effects.messages.iter().rev();
    sent.find_map(sender)
        .or_else(|| events.find_map(|event| emitter(&event.stream_id)))
        .or_else(|| effects.oracle_responses.iter().rev().find_map(reader))
}

/// Most of what an outcome consists of are messages.
fn block_is_full() -> Stop {
    failure(FailureReason::Limit(LimitKind::MessageBytes))
}

/// A failure that is no application's.
fn failure(reason: FailureReason) -> Stop {
    Stop::Failure(Failure {
        application_id: None,
        reason,
    })
}

fn encoded_size(value: &impl serde::Serialize) -> usize {
    bcs::serialized_size(value).expect("transactions and outcomes have a BCS encoding")
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Stop(Stop::Fault(fault))
    }
}

impl TransactionRunner for Session {
    type Checkpoint = SessionCheckpoint;

    fn begin_transaction(&mut self, recorded: Option<Vec<OracleResponse>>) {
        self.begin_transaction(recorded);
    }

    fn run(&mut self, action: Action) -> Result<Vec<u8>, Stop> {
        self.run(action)
    }

    fn end_transaction(&mut self) -> Result<TransactionEffects, Stop> {
        self.end_transaction()
    }

    fn checkpoint(&mut self) -> Result<SessionCheckpoint, Fault> {
        self.checkpoint()
    }

    fn roll_back(&mut self, to: &SessionCheckpoint) -> Result<(), Fault> {
        self.roll_back(to)
    }

    fn touched_applications(&self) -> &BTreeSet<ApplicationId> {
        self.touched_applications()
    }

    fn finalize(
        &mut self,
        recorded: Option<Vec<OracleResponse>>,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        self.finalize(recorded)
    }

    fn take_report(&mut self) -> TransactionReport {
        self.take_report()
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn return_tokens(&mut self, owner: AccountOwner, amount: Amount) -> Result<(), Fault> {
        self.return_tokens(owner, amount)
    }

    fn read_system(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.read_system(key)
    }

    fn write_system(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), Fault> {
        self.write_system(key, value)
    }

    fn finish(self) -> Result<SessionOutcome, Fault> {
        self.finish()
    }
}
