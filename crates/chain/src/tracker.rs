//! One block in the making: what staging and re-execution share.

use std::{collections::BTreeSet, fmt::Debug};

use resident_base::{AccountOwner, Amount, ApplicationId, Blob, BlobId, BlobType, ChainId};
use resident_execution::{
    Action, Failure, FailureReason, Fault, FinalizationRoom, LimitKind, Operation, OracleResponse,
    Refusal, Session, SessionCheckpoint, SessionOutcome, Stop, SubscriberUpdate, Trace,
    TransactionEffects, TransactionReport,
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
    /// See [`Session::finalize_within`].
    fn finalize(
        &mut self,
        recorded: Option<Vec<OracleResponse>>,
        room: FinalizationRoom,
    ) -> Result<TransactionEffects, Box<Refusal>>;
    /// See [`Session::spent_fuel`].
    fn spent_fuel(&self) -> u64;
    /// See [`Session::limit_fuel`].
    fn limit_fuel(&mut self, fuel: Option<u64>);
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
        let proposed_bytes = encoded_size(transaction);
        self.add_size(proposed_bytes, proposed_bytes)?;
        let outcome = match transaction {
            Transaction::ExecuteOperation(operation) => self.run_operation(operation)?,
            Transaction::ReceiveMessages(incoming) => self.run_bundle(incoming)?,
            Transaction::UpdateStreams(update) => self.run_update(update)?,
        };
        if encoded_size(&outcome.effects.messages) > MAX_SENT_BYTES {
            return Err(failure(FailureReason::Limit(LimitKind::MessageBytes)).into());
        }
        let outcome_bytes = encoded_size(&outcome);
        self.add_size(outcome_bytes, proposed_bytes + outcome_bytes)?;
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
        let most_bytes = self.max_size_bytes + FINALIZATION_BYTES;
        let room = FinalizationRoom {
            bytes: most_bytes.saturating_sub(self.size_bytes),
            most_bytes,
            message_bytes: MAX_SENT_BYTES,
        };
        let recorded = recorded.map(<[_]>::to_vec);
        let effects = self.runner.finalize(recorded, room)?;
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

    /// How much of what a limit is for a transaction of the block used.
    pub(crate) fn used(&self, transaction: usize, kind: LimitKind) -> u64 {
        let Some(outcome) = self.outcomes.get(transaction) else {
            return 0;
        };
        let effects = &outcome.effects;
        match kind {
            LimitKind::Applications => self.touched[transaction].len() as u64,
            LimitKind::Events => effects.events.len() as u64,
            LimitKind::Modules => {
                let is_module = |id: &&BlobId| id.blob_type == BlobType::ContractBytecode;
                effects.blobs.iter().filter(is_module).count() as u64
            }
            LimitKind::BlockBytes => {
                (encoded_size(&effects.events) + encoded_size(&effects.oracle_responses)) as u64
            }
            LimitKind::OutcomeBytes => encoded_size(outcome) as u64,
            kind => kind.used(&self.report.transactions[transaction].resources),
        }
    }

    /// All fuel that was spent so far, by what was rolled back too.
    pub(crate) fn spent_fuel(&self) -> u64 {
        self.runner.spent_fuel()
    }

    /// See [`Session::limit_fuel`].
    pub(crate) fn limit_fuel(&mut self, fuel: Option<u64>) {
        self.runner.limit_fuel(fuel);
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
            self.add_size(size_bytes, size_bytes)?;
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

    /// Counts encoded bytes, unless there is no room for them. `own_bytes` are all that the transaction has.
    fn add_size(&mut self, bytes: usize, own_bytes: usize) -> Result<(), Halt> {
        let size_bytes = self.size_bytes + bytes;
        if size_bytes <= self.max_size_bytes {
            self.size_bytes = size_bytes;
            return Ok(());
        }
        let kind = LimitKind::OutcomeBytes;
        let reason = match own_bytes > self.max_size_bytes {
            true => FailureReason::Limit(kind),
            false => FailureReason::Crowded(kind),
        };
        Err(failure(reason).into())
    }
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
        room: FinalizationRoom,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        self.finalize_within(recorded, room)
    }

    fn spent_fuel(&self) -> u64 {
        self.spent_fuel()
    }

    fn limit_fuel(&mut self, fuel: Option<u64>) {
        self.limit_fuel(fuel);
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
