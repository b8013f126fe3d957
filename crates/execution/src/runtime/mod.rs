//! The state of one block while it runs, and how contracts are entered from it.
//!
//! There is one [`Runtime`] per block, and exactly one owner of it at any moment: the session
//! between actions, or the innermost running instance. Entering an instance moves the runtime into
//! it, leaving it moves the runtime out again. So there is no lock, no reference count and no
//! channel on the way of a host call, and the borrow checker sees that nothing else can touch it.

pub(crate) mod balances;
mod blobs;
mod create;
mod fees;
mod host;
mod http;
mod logging;
mod management;
mod memory;
mod oracle;
mod services;
mod streams;
mod system;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
    sync::Arc,
};

use resident_abi::wire::StreamUpdate;
use resident_base::{
    AccountOwner, Amount, ApplicationDescription, ApplicationId, BlobId, Resources, VmRuntime,
};
use resident_storage::{Journal, Namespace};
use resident_wasm::{Entered, Host, Meters};

pub use http::HTTP_REQUESTS_ASKED_PER_RECORDED;
pub(crate) use services::{QueryState, Service};
pub(crate) use streams::BlockEvents;
pub(crate) use usage::{Share, Usage};

use self::{blobs::CreatedBlobs, logging::Logged, oracle::Answers};

use crate::{
    ApplicationReport, BlockContext, Executor, FailureReason, Fault, LimitKind, MessageContext,
    OracleResponse, OutgoingMessage, Stop, Trace, TransactionEffects, TransactionReport,
    contract::{ContractInstance, UserContract},
    executor::{decode_application, description_blob_id},
    modules::Module,
    policy::host_cost,
    session::{Application, InstanceTable},
};
use balances::ChainConfig;

/// Applications that can be on the call stack at the same time.
pub(crate) const MAX_CALL_DEPTH: usize = 64;

/// Everything that a block's execution knows and changes.
pub(crate) struct Runtime {
    pub(crate) executor: Executor,
    pub(crate) context: BlockContext,
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) journal: Journal,
    pub(crate) usage: Usage,
    pub(crate) instances: InstanceTable,
    /// Blobs that came into being in this block.
    pub(crate) blobs: CreatedBlobs,
    /// Compiled contracts of this block's own, as far as they were used.
    compiled: BTreeMap<BlobId, Arc<Module>>,
    /// Events that were emitted in this block.
    pub(crate) events: BlockEvents,
    pub(crate) counters: Counters,
    /// What the block had written before its first transaction.
    opening_bytes: u64,
    pub(crate) transaction: TransactionState,
    pub(crate) trace: Trace,
    /// How often the world outside was asked, also by what was rolled back.
    asked: u64,
    /// What applications have logged, also what was rolled back.
    logged: Logged,
    /// Fuel spent by what was rolled back.
    pub(crate) undone_fuel: u64,
    /// Only in a query, which is no block.
    pub(crate) query: Option<QueryState>,
    frames: Vec<Frame>,
    finalizing: bool,
}

/// Numbers that make identifiers unique within a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    applications: u32,
    chains: u32,
}

/// What belongs to the running transaction only.
#[derive(Default)]
pub(crate) struct TransactionState {
    pub(crate) effects: TransactionEffects,
    /// Applications that were entered.
    pub(crate) touched: BTreeSet<ApplicationId>,
    /// The message that is being executed, if it is one.
    message: Option<MessageContext>,
    /// What applications did, as far as they have been left.
    pub(crate) by_application: BTreeMap<ApplicationId, ApplicationReport>,
    /// What the block had used, and paid, when the transaction began.
    pub(crate) before: (Resources, Amount),
    /// How many applications were loaded then.
    loaded_before: usize,
    /// What the running action costs by itself, until the application that it is for is entered and pays for it.
    entry_fuel: u64,
    /// Where answers from outside come from.
    answers: Answers,
}

/// One application on the call stack.
struct Frame {
    application_id: ApplicationId,
    description: Arc<ApplicationDescription>,
    authenticated_owner: Option<AccountOwner>,
    authenticated_caller: Option<ApplicationId>,
    /// Whether the application may spend what is its caller's.
    spends_for_caller: bool,
    /// The size of the instance's memory as far as it is counted.
    memory_bytes: u64,
    /// What is left of the fuel when the application begins, or goes on after a call.
    resumed_at: i64,
    report: ApplicationReport,
}

impl Frame {
    /// Notes the fuel that the application has spent, as another one is going to run.
    fn pause(&mut self, fuel: i64) {
        let spent = self.resumed_at.saturating_sub(fuel);
        self.report.fuel += u64::try_from(spent).unwrap_or_default();
    }
}

/// What an application is entered for.
pub(crate) enum Entry {
    Instantiate(Vec<u8>),
    Operation(Vec<u8>),
    Message(Vec<u8>),
    ProcessStreams(Vec<StreamUpdate>),
    Finalize,
}

/// In whose name an application is entered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Authority {
    pub(crate) owner: Option<AccountOwner>,
    pub(crate) caller: Option<ApplicationId>,
    /// Whether what is the caller's may be spent.
    pub(crate) spends_for_caller: bool,
}

impl Authority {
    /// In the name of a signer, by nobody's call.
    pub(crate) fn of_signer(owner: Option<AccountOwner>) -> Self {
        Self {
            owner,
            ..Self::default()
        }
    }
}

/// The place of the runtime: empty while the runtime is further in.
pub(crate) struct RuntimeHandle(Option<Box<Runtime>>);

impl RuntimeHandle {
    pub(crate) fn new(runtime: Runtime) -> Self {
        RuntimeHandle(Some(Box::new(runtime)))
    }

    pub(crate) fn into_inner(self) -> Runtime {
        *self.0.expect(PRESENT)
    }

    /// Enters an application, and gives its response.
    pub(crate) fn enter(
        &mut self,
        id: ApplicationId,
        authority: Authority,
        entry: Entry,
    ) -> Result<Vec<u8>, Stop> {
        self.check_call(id)?;
        self.check_memory()?;
        // Entering and loading are paid for by what is entered, whoever calls it.
        let fuel_before = self.usage.meters.fuel;
        let action_fuel = std::mem::take(&mut self.transaction.entry_fuel);
        self.usage
            .charge_fuel(action_fuel.saturating_add(host_cost::ENTRY))?;
        let is_new = self.load(id)?;
        let runtime = &mut **self;
        let (mut instance, description) = runtime.instances.take(id, &mut runtime.trace)?;
        if let Err(stop) = runtime.pay_for_memory(id, instance.memory_pages()) {
            runtime.instances.put(id, instance);
            return Err(stop);
        }
        runtime.trace.entries += 1;
        runtime.transaction.touched.insert(id);
        let counted_bytes = if is_new { 0 } else { instance.memory_bytes() };
        runtime.push_frame(id, description, authority, fuel_before);
        runtime.count_instance(counted_bytes);
        let lent = RuntimeHandle(self.0.take());
        let entered = dispatch(&mut instance, lent, entry);
        *self = entered.host;
        self.note_instance(instance.memory_bytes());
        // What it answers is copied at its own expense.
        let answered = entered.result.as_ref().map_or(0, Vec::len);
        let paid = self
            .usage
            .charge_fuel(answered as u64 * host_cost::BYTE)
            .map_err(|stop| stop.within(id));
        self.pop_frame();
        self.instances.put(id, instance);
        let response = entered
            .result
            .map_err(|error| self.usage.whose(Stop::of_call(error, id)))?;
        paid?;
        self.check_memory().map_err(|stop| stop.within(id))?;
        Ok(response)
    }

    fn check_call(&self, id: ApplicationId) -> Result<(), Stop> {
        if self.frames.iter().any(|frame| frame.application_id == id) {
            return Err(FailureReason::Reentrance { callee: id }.into());
        }
        if self.finalizing && !self.frames.is_empty() {
            return Err(FailureReason::CallInFinalization { callee: id }.into());
        }
        let depth_before = self.query.as_ref().map_or(0, QueryState::depth);
        if depth_before + self.frames.len() >= MAX_CALL_DEPTH {
            return Err(LimitKind::CallDepth.into());
        }
        Ok(())
    }
}

const PRESENT: &str = "the runtime is here unless an instance further in runs";

impl Deref for RuntimeHandle {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect(PRESENT)
    }
}

impl DerefMut for RuntimeHandle {
    fn deref_mut(&mut self) -> &mut Runtime {
        self.0.as_mut().expect(PRESENT)
    }
}

impl Host for RuntimeHandle {
    fn meters(&self) -> Meters {
        self.usage.meters
    }

    fn set_meters(&mut self, meters: Meters) {
        self.usage.meters = meters;
    }

    fn note_memory(&mut self, bytes: u64) {
        self.note_instance(bytes);
    }

    fn note_trap(&mut self, functions: &[&str]) {
        self.log_trap(functions);
    }
}

impl Runtime {
    pub(crate) fn new(
        executor: Executor,
        context: BlockContext,
        config: ChainConfig,
        journal: Journal,
        instances: InstanceTable,
    ) -> Self {
        let opening_bytes = journal.written_bytes();
        Runtime {
            executor,
            context,
            config: Arc::new(config),
            journal,
            usage: Usage::default(),
            instances,
            blobs: CreatedBlobs::default(),
            compiled: BTreeMap::new(),
            events: BlockEvents::default(),
            counters: Counters::default(),
            opening_bytes,
            transaction: TransactionState::default(),
            trace: Trace::default(),
            asked: 0,
            logged: Logged::default(),
            undone_fuel: 0,
            query: None,
            frames: Vec::new(),
            finalizing: false,
        }
    }

    /// Starts a transaction with nothing left of another. Answers from outside are replayed if the
    /// transaction has been run before.
    pub(crate) fn begin_transaction(&mut self, recorded: Option<Vec<OracleResponse>>) {
        self.frames.clear();
        self.finalizing = false;
        self.transaction = TransactionState {
            answers: Answers::new(recorded),
            before: (self.usage.used, self.usage.fees),
            loaded_before: self.instances.len(),
            ..TransactionState::default()
        };
        let (policy, memory_bytes) = (self.context.policy.clone(), self.memory_bytes());
        self.usage.note_memory(memory_bytes);
        self.usage.begin(&policy);
    }

    /// Starts the finalization of one application.
    pub(crate) fn begin_finalization(&mut self) {
        self.finalizing = true;
        self.frames.clear();
        self.transaction.message = None;
        let (policy, memory_bytes) = (self.context.policy.clone(), self.memory_bytes());
        self.usage.note_memory(memory_bytes);
        self.usage.begin(&policy);
    }

    /// What the transaction has used since it began, after its fee was charged.
    pub(crate) fn take_report(&mut self) -> TransactionReport {
        let (resources, fees) = self.transaction.before;
        TransactionReport {
            resources: self.usage.used_since(&resources),
            fee: self.usage.fees.saturating_sub(fees),
            by_application: std::mem::take(&mut self.transaction.by_application),
        }
    }

    fn push_frame(
        &mut self,
        application_id: ApplicationId,
        description: Arc<ApplicationDescription>,
        authority: Authority,
        fuel: i64,
    ) {
        if let Some(caller) = self.frames.last_mut() {
            caller.pause(fuel);
        }
        self.frames.push(Frame {
            application_id,
            description,
            authenticated_owner: authority.owner,
            authenticated_caller: authority.caller,
            spends_for_caller: authority.spends_for_caller,
            memory_bytes: 0,
            resumed_at: fuel,
            report: ApplicationReport {
                entries: 1,
                ..ApplicationReport::default()
            },
        });
    }

    fn pop_frame(&mut self) {
        let fuel = self.usage.meters.fuel;
        if let Some(mut frame) = self.frames.pop() {
            frame.pause(fuel);
            let reports = &mut self.transaction.by_application;
            reports
                .entry(frame.application_id)
                .or_default()
                .add(frame.report);
        }
        if let Some(caller) = self.frames.last_mut() {
            caller.resumed_at = fuel;
        }
    }

    fn frame(&self) -> &Frame {
        self.frames
            .last()
            .expect("host functions are called by a running application")
    }

    fn namespace(&self) -> Namespace {
        Namespace::Application(self.frame().application_id.application_description_hash)
    }

    /// Makes sure that the instance table knows an application, and tells whether it did not before.
    fn load(&mut self, id: ApplicationId) -> Result<bool, Stop> {
        if self.instances.knows(id) {
            return Ok(false);
        }
        self.check_applications()?;
        // Whoever published the blob chose its content, and its hash was checked.
        let blob = self.blob(description_blob_id(id))?;
        self.usage
            .charge_fuel(host_cost::LOOKUP + blob.bytes().len() as u64 * host_cost::BLOB_BYTE)?;
        let description = decode_application(&blob).ok_or(FailureReason::BadApplication(id))?;
        if description.module_id.vm_runtime != VmRuntime::Wasm {
            return Err(FailureReason::EvmUnsupported.into());
        }
        let contract = description.module_id.contract_blob_id();
        let module = self.module(contract)?;
        self.usage
            .charge_fuel(host_cost::LOAD + module.prepared().instance_work)?;
        self.instances.add(
            id,
            Application {
                description,
                module,
            },
        );
        Ok(true)
    }

    /// Pays for what checkpoints make of the memory of an application that the transaction has not entered before.
    /// How often this node really copies it is no matter.
    fn pay_for_memory(&mut self, id: ApplicationId, pages: u64) -> Result<(), Stop> {
        if self.transaction.touched.contains(&id) {
            return Ok(());
        }
        self.usage
            .charge_fuel(pages.saturating_mul(host_cost::PAGE))
    }

    /// Whether one more application can be loaded; if not, whether the transaction has loaded them all.
    fn check_applications(&self) -> Result<(), Stop> {
        let (loaded, limit) = (
            self.instances.len(),
            self.context.policy.limits.applications,
        );
        if (loaded as u64) < limit {
            return Ok(());
        }
        let own = loaded.saturating_sub(self.transaction.loaded_before);
        Err(match own as u64 >= limit {
            true => FailureReason::Limit(LimitKind::Applications),
            false => FailureReason::Crowded(LimitKind::Applications),
        }
        .into())
    }

    /// A compiled contract or service. Only what is in the store is remembered beyond this block: whether a module
    /// is there may not depend on what this node has compiled.
    fn module(&mut self, code: BlobId) -> Result<Arc<Module>, Stop> {
        if let Some(blob) = self.blobs.get(code) {
            if let Some(module) = self.compiled.get(&code) {
                return Ok(module.clone());
            }
            let module = self.executor.modules().compile(blob)?;
            self.compiled.insert(code, module.clone());
            return Ok(module);
        }
        match self.executor.modules().get(code.hash) {
            Some(module) => Ok(module),
            None => {
                let blob = self.executor.required_blob(code)?;
                self.executor.modules().get_or_make(&blob)
            }
        }
    }

    /// Forgets all blobs of this block but the first ones, and what was compiled of the others.
    pub(crate) fn truncate_blobs(&mut self, len: usize) {
        self.blobs.truncate(len);
        let blobs = &self.blobs;
        self.compiled.retain(|id, _| blobs.get(*id).is_some());
    }

    fn send(&mut self, message: OutgoingMessage) -> Result<(), Stop> {
        let policy = self.context.policy.clone();
        let bytes = message.message.size_bytes();
        self.usage.message(bytes, &policy)?;
        self.keep(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        self.transaction.effects.messages.push(message);
        Ok(())
    }

    fn charge_call(&mut self, bytes: usize) -> Result<(), Stop> {
        self.trace.host_calls += 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.report.host_calls += 1;
        }
        self.hand_out_fuel()?;
        self.usage
            .charge_fuel(host_cost::CALL + bytes as u64 * host_cost::BYTE)
    }

    /// The runtime's own consistency, checked between transactions.
    pub(crate) fn check_idle(&self) -> Result<(), Fault> {
        if self.frames.is_empty() {
            Ok(())
        } else {
            Err(Fault::Misuse("an action is running"))
        }
    }
}

fn dispatch(
    instance: &mut ContractInstance<RuntimeHandle>,
    host: RuntimeHandle,
    entry: Entry,
) -> Entered<RuntimeHandle, Vec<u8>> {
    match entry {
        Entry::Operation(operation) => instance.execute_operation(host, operation),
        Entry::Instantiate(argument) => without_response(instance.instantiate(host, argument)),
        Entry::Message(message) => without_response(instance.execute_message(host, message)),
        Entry::ProcessStreams(updates) => without_response(instance.process_streams(host, updates)),
        Entry::Finalize => without_response(instance.finalize(host)),
    }
}

fn without_response(entered: Entered<RuntimeHandle, ()>) -> Entered<RuntimeHandle, Vec<u8>> {
    Entered {
        host: entered.host,
        result: entered.result.map(|()| Vec::new()),
    }
}
