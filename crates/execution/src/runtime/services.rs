//! Services: queries that change nothing, of clients and of contracts.
//!
//! A query has a [`Runtime`] of its own, on the chain's stored state, with nothing in it that could be
//! written back. Services are entered like contracts are, by handing the runtime on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use resident_abi::wire;
use resident_base::{ApplicationDescription, ApplicationId, BlobId, CryptoHash, VmRuntime};
use resident_storage::Journal;
use resident_wasm::prepare::STACK_UNITS;

use super::{Authority, Runtime, RuntimeHandle, balances};
use crate::{
    BlockContext, Executor, Failure, FailureReason, Fault, LimitKind, Operation, OracleResponse,
    ServiceQuestion, SessionKind, Stop, chain_partition,
    contract::ContractInstance,
    executor::{decode_application, description_blob_id},
    policy::host_cost,
    session::{InstanceTable, describe_chain},
};

/// The height of the call stack that a query has. Services have larger frames than contracts have, since
/// GraphQL does; and no two nodes have to agree on where a query ends. The native stack has room for it:
/// see [`STACK_UNITS`].
const QUERY_STACK_UNITS: i32 = 2 * STACK_UNITS;

/// A live instance of an application's service.
pub(crate) struct Service {
    instance: ContractInstance<RuntimeHandle>,
    description: Arc<ApplicationDescription>,
}

/// What a query has besides what a block has.
#[derive(Default)]
pub(crate) struct QueryState {
    /// The live services, except those that are running.
    pub(crate) services: BTreeMap<ApplicationId, Service>,
    /// The applications whose services were entered.
    pub(crate) entered: BTreeSet<ApplicationId>,
    /// The operations that were scheduled, in order.
    pub(crate) operations: Vec<Operation>,
    /// When the query ends.
    pub(crate) deadline: Option<Instant>,
    /// What is left of the query's fuel beyond what its services have been given.
    withheld: i64,
    /// How many applications are on the call stack of the contract that asks.
    depth: usize,
}

/// The fuel that a query is sure to spend in a microsecond, if it spends any: a hundred nanoseconds for a unit.
///
/// Plain instructions take about one nanosecond each. By far the slowest are loads, of two units, that miss every
/// cache: chasing pointers through 32 MiB took 130 to 170 nanoseconds for a unit on a busy virtual machine, which so
/// may exceed its deadline by as much. No two nodes have to agree on it.
const FUEL_PER_MICROSECOND: i64 = 10;

impl QueryState {
    /// A query of a client, with what earlier queries of the same state left.
    pub(crate) fn new(
        services: BTreeMap<ApplicationId, Service>,
        deadline: Option<Instant>,
    ) -> Self {
        QueryState {
            services,
            deadline,
            ..QueryState::default()
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether fuel was left that the deadline did not leave the time to spend.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.withheld > 0
    }

    /// Gives the services as much of the query's fuel as can be spent before the deadline, however slowly,
    /// and withholds the rest. `fuel` is what they had.
    ///
    /// A service that only computes cannot be interrupted on every engine, but it ends when its fuel does.
    /// Whenever it calls the host it is given another slice, so that what it may spend altogether is still
    /// all of its fuel, or all of its time.
    pub(super) fn hand_out(&mut self, fuel: i64) -> Result<i64, Stop> {
        let Some(deadline) = self.deadline else {
            return Ok(fuel);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(FailureReason::Deadline.into());
        }
        let microseconds = i64::try_from(left.as_micros()).unwrap_or(i64::MAX);
        let whole = fuel.saturating_add(self.withheld);
        let slice = whole.min(microseconds.saturating_mul(FUEL_PER_MICROSECOND));
        self.withheld = whole - slice;
        Ok(slice)
    }
}

impl Runtime {
    /// The runtime of a query on what is stored of the chain. `context` is as for a block at this point.
    pub(crate) fn for_query(
        executor: Executor,
        context: BlockContext,
        mut journal: Journal,
        query: QueryState,
    ) -> Result<Self, Fault> {
        let config = match balances::read_config(&mut journal)? {
            Some(config) => config,
            None => {
                let description = describe_chain(&executor, context.chain_id)?;
                balances::initialize(&mut journal, &description)?
            }
        };
        let instances = InstanceTable::new(SessionKind::Persistent);
        let mut runtime = Runtime::new(executor, context, config, journal, instances);
        runtime.query = Some(query);
        runtime.begin_transaction(None);
        runtime.usage.meters.stack = QUERY_STACK_UNITS;
        Ok(runtime)
    }

    /// Asks a service about the state from before the block, on behalf of the running contract.
    fn ask_service(&mut self, id: ApplicationId, query: Vec<u8>) -> Result<Vec<u8>, Stop> {
        let mut context = self.context.clone();
        let mut policy = (*context.policy).clone();
        policy.limits.transaction_fuel = policy.limits.service_query_fuel;
        policy.limits.block_fuel = policy.limits.service_query_fuel;
        context.policy = Arc::new(policy);
        let partition = chain_partition(context.chain_id);
        let journal = Journal::open(self.executor.store().clone(), partition)?;
        let state = QueryState {
            depth: self.frames.len(),
            ..QueryState::default()
        };
        let mut runtime = Runtime::for_query(self.executor.clone(), context, journal, state)?;
        // Applications of this block exist, though they have no state yet.
        runtime.blobs = self.blobs.clone();
        // Their services are compiled once, as their contracts are.
        runtime.compiled = std::mem::take(&mut self.compiled);
        // The native stack is the same one.
        runtime.usage.meters.stack -= STACK_UNITS - self.usage.meters.stack;
        let mut asked = RuntimeHandle::new(runtime);
        let result = asked.enter_service(id, query);
        self.compiled = std::mem::take(&mut asked.compiled);
        result.map_err(|stop| of_query(id, stop))
    }

    /// Gives a query its next slice of fuel, or ends it if its time is over. Does nothing in a block.
    pub(super) fn hand_out_fuel(&mut self) -> Result<(), Stop> {
        if let Some(query) = &mut self.query {
            let meters = &mut self.usage.meters;
            meters.fuel = query.hand_out(meters.fuel)?;
        }
        Ok(())
    }

    fn query_state(&mut self) -> Result<&mut QueryState, Stop> {
        let state = self.query.as_mut();
        state.ok_or_else(|| Fault::Misuse("only services can do this").into())
    }

    /// Takes the service of an application out of the table, or makes one.
    fn take_service(&mut self, id: ApplicationId) -> Result<Service, Stop> {
        let limit = self.context.policy.limits.applications;
        let state = self.query_state()?;
        if state.entered.insert(id) && state.entered.len() as u64 > limit {
            return Err(LimitKind::Applications.into());
        }
        match state.services.remove(&id) {
            Some(service) => Ok(service),
            None => self.make_service(id),
        }
    }

    fn make_service(&mut self, id: ApplicationId) -> Result<Service, Stop> {
        let description = decode_application(&self.blob(description_blob_id(id))?)
            .ok_or(FailureReason::BadApplication(id))?;
        if description.module_id.vm_runtime != VmRuntime::Wasm {
            return Err(FailureReason::EvmUnsupported.into());
        }
        let blob_id = description.module_id.service_blob_id();
        if self.is_empty_blob(blob_id)? {
            return Err(FailureReason::NoService(id).into());
        }
        let module = self.module(blob_id)?;
        let instance = module.instance().map_err(Fault::from)?;
        self.trace.instantiations += 1;
        Ok(Service {
            instance,
            description,
        })
    }

    /// A module without a service has an empty one, which cannot be compiled.
    fn is_empty_blob(&self, id: BlobId) -> Result<bool, Stop> {
        if self.executor.modules().get(id.hash).is_some() {
            return Ok(false);
        }
        Ok(self.blob(id)?.bytes().is_empty())
    }
}

/// What ends a query of a contract, as the contract's own failure.
fn of_query(application_id: ApplicationId, stop: Stop) -> Stop {
    let Stop::Failure(Failure { reason, .. }) = stop else {
        return stop;
    };
    let reason = Box::new(reason);
    FailureReason::Query {
        application_id,
        reason,
    }
    .into()
}

impl RuntimeHandle {
    /// Enters the service of an application, and gives its response.
    pub(crate) fn enter_service(
        &mut self,
        id: ApplicationId,
        query: Vec<u8>,
    ) -> Result<Vec<u8>, Stop> {
        self.check_call(id)?;
        self.check_memory()?;
        let is_new = !self.query_state()?.entered.contains(&id);
        let mut service = self.take_service(id)?;
        // Compiling may have taken long.
        self.hand_out_fuel()?;
        self.trace.entries += 1;
        let memory_bytes = service.instance.memory_bytes();
        let counted_bytes = if is_new { 0 } else { memory_bytes };
        let fuel = self.usage.meters.fuel;
        self.push_frame(id, service.description.clone(), Authority::default(), fuel);
        self.count_instance(counted_bytes);
        let lent = RuntimeHandle(self.0.take());
        let entered = service.instance.handle_query(lent, query);
        *self = entered.host;
        self.note_instance(service.instance.memory_bytes());
        self.pop_frame();
        // An instance that failed is in an undefined state.
        let response = entered.result.map_err(|error| Stop::of_call(error, id))?;
        self.query_state()?.services.insert(id, service);
        Ok(response)
    }

    pub(super) fn answer_query_service(
        &mut self,
        id: ApplicationId,
        query: Vec<u8>,
    ) -> Result<Vec<u8>, Stop> {
        self.charge_call(query.len())?;
        self.check_may_query()?;
        let policy = self.context.policy.clone();
        // Whoever runs the block again does not run the service and cannot know what it spent, so a query
        // costs all that it may spend. Otherwise much work could be had for little.
        self.usage.charge_fuel(policy.limits.service_query_fuel)?;
        self.usage.service_query(&policy)?;
        let asked = || format!("a query of application {id}");
        let application_id = id;
        let question = ServiceQuestion {
            application_id,
            query,
        };
        let hash = CryptoHash::new(&question);
        let fits = |response: &OracleResponse| matches!(response, OracleResponse::Service { question, .. } if *question == hash);
        let ask = |runtime: &mut Runtime| {
            let response = runtime.ask_service(id, question.query)?;
            let question = hash;
            Ok(OracleResponse::Service { question, response })
        };
        let OracleResponse::Service { response, .. } = self.answer(asked, fits, ask)? else {
            return Err(FailureReason::OracleMismatch { asked: asked() }.into());
        };
        if response.len() as u64 > policy.limits.service_response_bytes {
            return Err(LimitKind::ServiceResponseBytes.into());
        }
        let bytes = response.len() as u64;
        self.usage.charge_fuel(bytes * host_cost::BYTE)?;
        Ok(response)
    }

    /// A chain may let only some applications query services, or none.
    fn check_may_query(&self) -> Result<(), FailureReason> {
        let application_id = self.frame().application_id;
        let permissions = &self.config.application_permissions;
        match permissions.can_call_services(&application_id) {
            true => Ok(()),
            false => Err(FailureReason::ServicesNotPermitted(application_id)),
        }
    }

    pub(super) fn answer_query_application(
        &mut self,
        id: ApplicationId,
        query: Vec<u8>,
    ) -> Result<Vec<u8>, Stop> {
        self.charge_call(query.len())?;
        self.usage.charge_fuel(host_cost::CALL_APPLICATION)?;
        let response = self.enter_service(id, query)?;
        let bytes = response.len() as u64;
        self.usage.charge_fuel(bytes * host_cost::BYTE)?;
        Ok(response)
    }

    pub(super) fn keep_operation(&mut self, bytes: Vec<u8>) -> Result<(), Stop> {
        self.charge_call(bytes.len())?;
        self.usage.charge_fuel(host_cost::MESSAGE)?;
        let application_id = self.frame().application_id;
        let operation = Operation::User {
            application_id,
            bytes,
        };
        self.query_state()?.operations.push(operation);
        Ok(())
    }

    pub(super) fn all_balances(&mut self) -> Result<Vec<wire::OwnerBalance>, Stop> {
        self.charge_call(0)?;
        let rates = self.scan_rates();
        let scan = balances::scan_balances(&mut self.journal, rates);
        let found = self.charge_scan(scan)?;
        self.count_read(found.len() * size_of::<wire::OwnerBalance>())?;
        let balances = balances::decode_balances(found)?.into_iter();
        Ok(balances
            .map(|(owner, balance)| (owner.into(), balance.into()))
            .collect())
    }
}
