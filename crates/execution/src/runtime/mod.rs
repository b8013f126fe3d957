//! The state of one block while it runs, and how contracts are entered from it.
//!
//! There is one [`Runtime`] per block, and exactly one owner of it at any moment: the session
//! between actions, or the innermost running instance. Entering an instance moves the runtime into
//! it, leaving it moves the runtime out again. So there is no lock, no reference count and no
//! channel on the way of a host call, and the borrow checker sees that nothing else can touch it.

pub(crate) mod balances;
mod host;
mod oracle;
mod services;
mod system;
mod usage;

use std::{
    collections::BTreeSet,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use resident_base::{
    AccountOwner, Amount, ApplicationDescription, ApplicationId, Blob, BlobId, VmRuntime,
};
use resident_storage::{Journal, Namespace};
use resident_wasm::{Entered, Host, Meters};

pub(crate) use services::{QueryState, Service};
pub(crate) use usage::Usage;

use self::oracle::Answers;

use crate::{
    BlockContext, Executor, FailureReason, Fault, LimitKind, MessageContext, OracleResponse,
    OutgoingMessage, Stop, Trace, TransactionEffects,
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
    pub(crate) config: ChainConfig,
    pub(crate) journal: Journal,
    pub(crate) usage: Usage,
    pub(crate) instances: InstanceTable,
    /// Blobs that came into being in this block, in order.
    pub(crate) blobs: Vec<Blob>,
    pub(crate) counters: Counters,
    pub(crate) transaction: TransactionState,
    pub(crate) trace: Trace,
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
    /// Where answers from outside come from.
    answers: Answers,
}

/// One application on the call stack.
struct Frame {
    application_id: ApplicationId,
    description: Arc<ApplicationDescription>,
    authenticated_owner: Option<AccountOwner>,
    authenticated_caller: Option<ApplicationId>,
}

/// What an application is entered for.
pub(crate) enum Entry {
    Instantiate(Vec<u8>),
    Operation(Vec<u8>),
    Message(Vec<u8>),
    Finalize,
}

/// In whose name an application is entered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Authority {
    pub(crate) owner: Option<AccountOwner>,
    pub(crate) caller: Option<ApplicationId>,
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
        self.load(id)?;
        let runtime = &mut **self;
        let (mut instance, description) = runtime.instances.take(id, &mut runtime.trace)?;
        runtime.trace.entries += 1;
        runtime.transaction.touched.insert(id);
        runtime.frames.push(Frame {
            application_id: id,
            description,
            authenticated_owner: authority.owner,
            authenticated_caller: authority.caller,
        });
        let lent = RuntimeHandle(self.0.take());
        let entered = dispatch(&mut instance, lent, entry);
        *self = entered.host;
        self.frames.pop();
        self.instances.put(id, instance);
        entered.result.map_err(|error| Stop::of_call(error, id))
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
}

impl Runtime {
    pub(crate) fn new(
        executor: Executor,
        context: BlockContext,
        config: ChainConfig,
        journal: Journal,
        instances: InstanceTable,
    ) -> Self {
        Runtime {
            executor,
            context,
            config,
            journal,
            usage: Usage::default(),
            instances,
            blobs: Vec::new(),
            counters: Counters::default(),
            transaction: TransactionState::default(),
            trace: Trace::default(),
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
            ..TransactionState::default()
        };
        let policy = self.context.policy.clone();
        self.usage.begin(&policy);
    }

    /// Starts the finalization of one application.
    pub(crate) fn begin_finalization(&mut self) {
        self.finalizing = true;
        self.frames.clear();
        self.transaction.message = None;
        let policy = self.context.policy.clone();
        self.usage.begin(&policy);
    }

    /// Ends a transaction, or one application's finalization: books the fuel and takes the fee.
    pub(crate) fn charge_fee(&mut self) -> Result<(), Stop> {
        let fuel_before = self.usage.used.wasm_fuel;
        let policy = self.context.policy.clone();
        let fee = self.usage.end(&policy);
        self.trace.fuel += self.usage.used.wasm_fuel - fuel_before;
        if fee == Amount::ZERO {
            return Ok(());
        }
        self.pay(fee)?;
        self.usage.fees = self.usage.fees.saturating_add(fee);
        Ok(())
    }

    /// The chain pays first, and the block's signer what the chain has not got.
    fn pay(&mut self, fee: Amount) -> Result<(), Stop> {
        let from_chain = balances::read_balance(&mut self.journal, AccountOwner::CHAIN)?.min(fee);
        balances::debit(&mut self.journal, AccountOwner::CHAIN, from_chain)?;
        let rest = fee.saturating_sub(from_chain);
        if rest == Amount::ZERO {
            return Ok(());
        }
        let payer = self
            .context
            .authenticated_owner
            .unwrap_or(AccountOwner::CHAIN);
        balances::debit(&mut self.journal, payer, rest)
    }

    fn frame(&self) -> &Frame {
        self.frames
            .last()
            .expect("host functions are called by a running application")
    }

    fn namespace(&self) -> Namespace {
        Namespace::Application(self.frame().application_id.application_description_hash)
    }

    /// Makes sure that the instance table knows an application.
    fn load(&mut self, id: ApplicationId) -> Result<(), Stop> {
        if self.instances.knows(id) {
            return Ok(());
        }
        if self.instances.len() as u64 >= self.context.policy.limits.applications {
            return Err(LimitKind::Applications.into());
        }
        // Whoever published the blob chose its content, and its hash was checked.
        let description = decode_application(&self.blob(description_blob_id(id))?)
            .ok_or(FailureReason::BadApplication(id))?;
        if description.module_id.vm_runtime != VmRuntime::Wasm {
            return Err(FailureReason::EvmUnsupported.into());
        }
        let contract = description.module_id.contract_blob_id();
        let module = self.module(contract)?;
        self.instances.add(
            id,
            Application {
                description,
                module,
            },
        );
        Ok(())
    }

    /// A compiled contract or service. Only what is in the store is remembered beyond this block: whether a module
    /// is there may not depend on what this node has compiled.
    fn module(&self, code: BlobId) -> Result<Arc<Module>, Stop> {
        if let Some(blob) = self.blobs.iter().find(|blob| blob.id() == code) {
            return self.executor.modules().compile(blob);
        }
        match self.executor.modules().get(code.hash) {
            Some(module) => Ok(module),
            None => {
                let blob = self.executor.required_blob(code)?;
                self.executor.modules().get_or_make(&blob)
            }
        }
    }

    /// A blob of this block, or from the store.
    fn blob(&self, id: BlobId) -> Result<Blob, Stop> {
        match self.blobs.iter().find(|blob| blob.id() == id) {
            Some(blob) => Ok(blob.clone()),
            None => self.executor.required_blob(id),
        }
    }

    fn create_blob(&mut self, blob: Blob) -> Result<BlobId, Stop> {
        let policy = self.context.policy.clone();
        self.usage.blob(blob.bytes().len() as u64, &policy)?;
        let id = blob.id();
        self.transaction.effects.blobs.push(id);
        self.blobs.push(blob);
        Ok(id)
    }

    fn send(&mut self, message: OutgoingMessage) -> Result<(), Stop> {
        let policy = self.context.policy.clone();
        self.usage.message(message.message.size_bytes(), &policy)?;
        self.transaction.effects.messages.push(message);
        Ok(())
    }

    fn charge_call(&mut self, bytes: usize) -> Result<(), Stop> {
        self.trace.host_calls += 1;
        if let Some(query) = &self.query {
            query.check_deadline()?;
        }
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
        Entry::Finalize => without_response(instance.finalize(host)),
    }
}

fn without_response(entered: Entered<RuntimeHandle, ()>) -> Entered<RuntimeHandle, Vec<u8>> {
    Entered {
        host: entered.host,
        result: entered.result.map(|()| Vec::new()),
    }
}
