//! Sessions: what runs the actions of a block and keeps its instances.
//!
//! [`Session`] is the same for both kinds. What differs, namely how long instances live and what a
//! checkpoint of them is, stands in [`Persistent`] and [`PerTransaction`], and the choice between
//! the two is made here and nowhere else.

mod finalization;
mod per_transaction;
mod persistent;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use resident_base::{
    AccountOwner, Amount, ApplicationDescription, ApplicationId, Blob, BlobId, BlobType,
    BlockHeight, ChainDescription, ChainId, CryptoHash, Resources, Timestamp,
};
use resident_storage::{Batch, Journal, Mark, Namespace, Statistics};

use self::{finalization::Finalization, per_transaction::PerTransaction, persistent::Persistent};
use crate::{
    Action, Executor, Fault, Mode, OracleResponse, ResourcePolicy, SessionKind, Stop, Trace,
    TransactionEffects, TransactionReport, chain_partition,
    contract::ContractInstance,
    executor::decode_description,
    modules::Module,
    policy::host_cost,
    runtime::{
        Authority, Counters, Entry, Runtime, RuntimeHandle, Usage,
        balances::{self, ChainConfig},
    },
};

/// What all transactions of a block have in common.
#[derive(Clone, Debug)]
pub struct BlockContext {
    /// The chain.
    pub chain_id: ChainId,
    /// The height of the block.
    pub height: BlockHeight,
    /// The block's time.
    pub timestamp: Timestamp,
    /// Who signed the block.
    pub authenticated_owner: Option<AccountOwner>,
    /// Prices and limits.
    pub policy: Arc<ResourcePolicy>,
}

/// Runs one block, on the thread that calls it.
///
/// The order of calls: for every transaction [`begin_transaction`](Self::begin_transaction),
/// [`run`](Self::run) for each of its actions, and [`end_transaction`](Self::end_transaction). Between
/// transactions a [`checkpoint`](Self::checkpoint) can be taken, and at any moment after it
/// [`roll_back`](Self::roll_back) undoes all that happened since, be it a part of a transaction or
/// several of them. At the end [`finalize`](Self::finalize) and [`finish`](Self::finish).
pub struct Session {
    runtime: RuntimeHandle,
    mode: Mode,
    mark: Option<Mark>,
}

/// A point between two transactions that a [`Session`] can return to.
pub struct SessionCheckpoint {
    mark: Mark,
    usage: Usage,
    counters: Counters,
    config: Arc<ChainConfig>,
    blobs: usize,
    events: usize,
    loads: u64,
    fuel: u64,
}

/// What a finished block leaves behind.
pub struct SessionOutcome {
    /// The hash of the chain's whole state.
    pub state_hash: CryptoHash,
    /// The changes of the state.
    pub batch: Batch,
    /// Blobs that came into being. They are not in the batch.
    pub blobs: Vec<Blob>,
    /// What the block used.
    pub resources: Resources,
    /// What was paid for it.
    pub fees: Amount,
    /// What it took.
    pub trace: Trace,
    /// How often the store was asked.
    pub statistics: Statistics,
}

/// An application, or the system on its behalf, refused the block at its end.
#[derive(Debug)]
pub struct Refusal {
    /// The application that was being finalized.
    pub application_id: ApplicationId,
    /// Why it refused, or why its finalization could not be run.
    pub stop: Stop,
    /// Whether the application has nothing against the block, and nobody can pay for its finalization.
    pub is_unpaid: bool,
    /// If the block had no room left for something: how much of it each application's finalization used so
    /// far, this one's included.
    pub shares: BTreeMap<ApplicationId, u64>,
}

/// How large the effects of a finalization may be, encoded, in bytes. What one block sends at its end may all be
/// for one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalizationRoom {
    /// What the block's transactions have left.
    pub bytes: usize,
    /// What a block without transactions would have.
    pub most_bytes: usize,
    /// The most that the messages may have.
    pub message_bytes: usize,
}

impl FinalizationRoom {
    /// For whoever does not store what comes of it.
    pub const UNLIMITED: Self = Self {
        bytes: usize::MAX,
        most_bytes: usize::MAX,
        message_bytes: usize::MAX,
    };
}

impl Session {
    /// Starts a block on the chain's committed state. A chain that has no state yet begins with what
    /// its description says.
    ///
    /// # Errors
    /// If the store fails, or does not know the chain.
    pub fn new(
        executor: &Executor,
        kind: SessionKind,
        mode: Mode,
        context: BlockContext,
    ) -> Result<Self, Fault> {
        let partition = chain_partition(context.chain_id);
        let mut journal = Journal::open(executor.store().clone(), partition)?;
        let config = match balances::read_config(&mut journal)? {
            Some(config) => config,
            None => {
                let description = describe_chain(executor, context.chain_id)?;
                balances::initialize(&mut journal, &description)?
            }
        };
        let instances = InstanceTable::new(kind);
        // A large configuration takes a while to read, in every block.
        let opening_bytes = config
            .size_bytes
            .saturating_sub(host_cost::FREE_CONFIGURATION_BYTES);
        let mut runtime = Runtime::new(executor.clone(), context, config, journal, instances);
        runtime.usage.opening_fuel = opening_bytes * host_cost::CONFIGURATION_BYTE;
        Ok(Session {
            runtime: RuntimeHandle::new(runtime),
            mode,
            mark: None,
        })
    }

    /// Starts a transaction: what has happened since the last one's end is forgotten.
    ///
    /// If it has been run before, `recorded` are the answers that it got from outside then, and nobody
    /// is asked again.
    pub fn begin_transaction(&mut self, recorded: Option<Vec<OracleResponse>>) {
        self.runtime.begin_transaction(recorded);
    }

    /// Runs one action of the transaction, and gives its response, which only operations have.
    ///
    /// # Errors
    /// If it fails. The transaction must be rolled back, or the block given up.
    pub fn run(&mut self, action: Action) -> Result<Vec<u8>, Stop> {
        self.runtime.run(action)
    }

    /// Ends a transaction: takes the fee, and gives what it leaves.
    ///
    /// # Errors
    /// If the fee cannot be paid; the transaction must be rolled back then.
    pub fn end_transaction(&mut self) -> Result<TransactionEffects, Stop> {
        self.runtime.check_idle()?;
        self.runtime.charge_fee()?;
        let runtime = &mut *self.runtime;
        runtime.instances.end_transaction(&mut runtime.trace)?;
        Ok(std::mem::take(&mut runtime.transaction.effects))
    }

    /// Remembers this point between two transactions. A checkpoint from before is no longer valid.
    ///
    /// # Errors
    /// In [`Mode::Committed`], which takes no checkpoints.
    pub fn checkpoint(&mut self) -> Result<SessionCheckpoint, Fault> {
        if self.mode == Mode::Committed {
            return Err(Fault::Misuse("committed execution takes no checkpoints"));
        }
        let runtime = &mut *self.runtime;
        if let Some(mark) = self.mark.take() {
            runtime.journal.release(mark)?;
        }
        let mark = runtime.journal.mark();
        self.mark = Some(mark);
        runtime.instances.checkpoint();
        Ok(SessionCheckpoint {
            mark,
            usage: runtime.usage.clone(),
            counters: runtime.counters,
            config: runtime.config.clone(),
            blobs: runtime.blobs.len(),
            events: runtime.events.len(),
            loads: runtime.trace.loads,
            fuel: runtime.trace.fuel,
        })
    }

    /// Returns to the latest checkpoint, also from the middle of a transaction that failed.
    ///
    /// # Errors
    /// If the checkpoint is not the latest, or an instance cannot be restored.
    pub fn roll_back(&mut self, to: &SessionCheckpoint) -> Result<(), Fault> {
        let runtime = &mut *self.runtime;
        runtime.journal.roll_back(to.mark)?;
        let undone_fuel = runtime.usage.spent_fuel() - to.usage.spent_fuel();
        runtime.undone_fuel += undone_fuel;
        runtime.usage = to.usage.clone();
        runtime.counters = to.counters;
        runtime.truncate_blobs(to.blobs);
        runtime.events.truncate(to.events);
        runtime.config = to.config.clone();
        runtime.blobs.truncate(to.blobs);
        runtime.trace.loads = to.loads;
        runtime.trace.fuel = to.fuel;
        runtime.instances.roll_back(&mut runtime.trace)?;
        runtime.begin_transaction(None);
        Ok(())
    }

    /// What the last transaction used, or the finalization, after its end.
    pub fn take_report(&mut self) -> TransactionReport {
        self.runtime.take_report()
    }

    /// The applications entered since the transaction began, also by calls.
    pub fn touched_applications(&self) -> &BTreeSet<ApplicationId> {
        &self.runtime.transaction.touched
    }

    /// Whether the chain is closed, be it since this block.
    pub fn is_closed(&self) -> bool {
        self.runtime.config.is_closed
    }

    /// Returns tokens to the account that they came from. They are lost only if it has more than any
    /// account can.
    ///
    /// # Errors
    /// If the store fails.
    pub fn return_tokens(&mut self, owner: AccountOwner, amount: Amount) -> Result<(), Fault> {
        balances::credit_or_lose(&mut self.runtime.journal, owner, amount)
    }

    /// Finalizes every loaded application, in reverse order of loading. `recorded` is as for
    /// [`begin_transaction`](Self::begin_transaction).
    ///
    /// # Errors
    /// If an application refuses the block.
    pub fn finalize(
        &mut self,
        recorded: Option<Vec<OracleResponse>>,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        self.finalize_within(recorded, FinalizationRoom::UNLIMITED)
    }

    /// As [`finalize`](Self::finalize), and makes sure after each application that there is room for its
    /// effects.
    ///
    /// # Errors
    /// If an application refuses the block, or what it leaves does not fit.
    pub fn finalize_within(
        &mut self,
        recorded: Option<Vec<OracleResponse>>,
        room: FinalizationRoom,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        self.runtime.begin_transaction(recorded);
        let runtime = &mut *self.runtime;
        runtime.instances.note_sizes(&mut runtime.trace);
        let loaded: Vec<ApplicationId> = self.runtime.instances.loaded().to_vec();
        let mut finalization = Finalization::new(room);
        for application_id in loaded.into_iter().rev() {
            let mut is_unpaid = false;
            self.finalize_application(application_id, &mut finalization, &mut is_unpaid)
                .map_err(|stop| {
                    Box::new(Refusal {
                        application_id,
                        shares: finalization.shares(&stop),
                        stop,
                        is_unpaid,
                    })
                })?;
        }
        Ok(std::mem::take(&mut self.runtime.transaction.effects))
    }

    fn finalize_application(
        &mut self,
        id: ApplicationId,
        finalization: &mut Finalization,
        is_unpaid: &mut bool,
    ) -> Result<(), Stop> {
        self.runtime.begin_finalization();
        self.runtime.begin_charging(Some(id));
        let entered = self
            .runtime
            .enter(id, Authority::default(), Entry::Finalize);
        let share = self.runtime.usage.share();
        let effects = &self.runtime.transaction.effects;
        let has_room = finalization.add(id, share, effects);
        entered?;
        has_room.map_err(|stop| stop.within(id))?;
        let paid = self.runtime.charge_fee();
        *is_unpaid = matches!(paid, Err(Stop::Failure(_)));
        paid?;
        self.runtime.trace.stores += 1;
        let runtime = &mut *self.runtime;
        runtime.instances.drop_finalized(id);
        Ok(())
    }

    /// All fuel that was spent so far, by what was rolled back too.
    pub fn spent_fuel(&self) -> u64 {
        self.runtime.undone_fuel + self.runtime.usage.spent_fuel()
    }

    /// Lets the next transactions spend no more fuel than this, if it is less than they may anyway. One that would spend
    /// more fails for want of room in the block; any other is what it is without. Staging tries with it
    /// what it has not much left for.
    pub fn limit_fuel(&mut self, fuel: Option<u64>) {
        self.runtime.usage.fuel_limit = fuel;
    }

    /// A record of the layer above in the chain's hashed state.
    ///
    /// # Errors
    /// If the store fails, or the key does not begin with a byte of at least `0x80`.
    pub fn read_system(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        check_upper_key(key)?;
        let value = self.runtime.journal.read(Namespace::System, key)?;
        Ok(value.as_deref().map(<[u8]>::to_vec))
    }

    /// Sets a record of the layer above in the chain's hashed state. Rolled back like all else.
    ///
    /// # Errors
    /// If the key does not begin with a byte of at least `0x80`, or a limit is exceeded.
    pub fn write_system(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), Fault> {
        check_upper_key(key)?;
        Ok(self.runtime.journal.put(Namespace::System, key, value)?)
    }

    /// What it took so far.
    pub fn trace(&self) -> &Trace {
        &self.runtime.trace
    }

    /// What was used so far, as the outcome will tell it.
    pub fn resources(&self) -> Resources {
        self.runtime.usage.used
    }

    /// Ends the block, and gives what has to be written.
    ///
    /// # Errors
    /// If the store fails while the hash of the state is computed.
    pub fn finish(self) -> Result<SessionOutcome, Fault> {
        let runtime = self.runtime.into_inner();
        let statistics = runtime.journal.statistics();
        let finished = runtime.journal.finish()?;
        Ok(SessionOutcome {
            state_hash: finished.state_hash,
            batch: finished.batch,
            blobs: runtime.blobs.into_blobs(),
            resources: runtime.usage.used,
            fees: runtime.usage.fees,
            trace: runtime.trace,
            statistics,
        })
    }
}

/// An application as a session knows it: what it is, and how to make instances of it.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) description: Arc<ApplicationDescription>,
    pub(crate) module: Arc<Module>,
}

type Instance = ContractInstance<RuntimeHandle>;

/// The instances of a block, by kind of session.
pub(crate) enum InstanceTable {
    Persistent(Persistent),
    PerTransaction(PerTransaction),
}

/// Passes a call on to whichever kind of session it is.
macro_rules! each_kind {
    ($self:ident, $table:ident => $call:expr) => {
        match $self {
            InstanceTable::Persistent($table) => $call,
            InstanceTable::PerTransaction($table) => $call,
        }
    };
}

impl InstanceTable {
    pub(crate) fn new(kind: SessionKind) -> Self {
        match kind {
            SessionKind::Persistent => InstanceTable::Persistent(Persistent::default()),
            SessionKind::PerTransaction => InstanceTable::PerTransaction(PerTransaction::default()),
        }
    }

    /// Whether an application is loaded.
    pub(crate) fn knows(&self, id: ApplicationId) -> bool {
        each_kind!(self, table => table.knows(id))
    }

    /// How many applications are loaded.
    pub(crate) fn len(&self) -> usize {
        self.loaded().len()
    }

    /// The loaded applications in the order in which they were loaded.
    fn loaded(&self) -> &[ApplicationId] {
        each_kind!(self, table => table.loaded())
    }

    /// Adds an application that is not loaded.
    pub(crate) fn add(&mut self, id: ApplicationId, application: Application) {
        each_kind!(self, table => table.add(id, application));
    }

    /// Takes the instance of a loaded application, to run it.
    pub(crate) fn take(
        &mut self,
        id: ApplicationId,
        trace: &mut Trace,
    ) -> Result<(Instance, Arc<ApplicationDescription>), Fault> {
        each_kind!(self, table => table.take(id, trace))
    }

    /// Gives an instance back after it ran.
    pub(crate) fn put(&mut self, id: ApplicationId, instance: Instance) {
        each_kind!(self, table => table.put(id, instance));
    }

    fn end_transaction(&mut self, trace: &mut Trace) -> Result<(), Fault> {
        each_kind!(self, table => table.end_transaction(trace))
    }

    fn checkpoint(&mut self) {
        each_kind!(self, table => table.checkpoint());
    }

    fn roll_back(&mut self, trace: &mut Trace) -> Result<(), Fault> {
        each_kind!(self, table => table.roll_back(trace))
    }

    fn note_sizes(&self, trace: &mut Trace) {
        match self {
            InstanceTable::Persistent(_) => {}
            InstanceTable::PerTransaction(table) => table.note_sizes(trace),
        }
    }

    fn drop_finalized(&mut self, id: ApplicationId) {
        each_kind!(self, table => table.drop_finalized(id));
    }
}

pub(crate) fn describe_chain(
    executor: &Executor,
    chain_id: ChainId,
) -> Result<ChainDescription, Fault> {
    let blob = executor
        .read_blob(BlobId::new(BlobType::ChainDescription, chain_id.0))?
        .ok_or(Fault::UnknownChain(chain_id))?;
    decode_description(&blob, "a chain's description")
}

fn check_upper_key(key: &[u8]) -> Result<(), Fault> {
    match key.first() {
        Some(0x80..) => Ok(()),
        _ => Err(Fault::Misuse(
            "records of the layer above have keys from 0x80 on",
        )),
    }
}
