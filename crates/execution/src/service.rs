//! Queries of applications' services on a chain's stored state.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use resident_base::{ApplicationId, BlockHeight, ChainId, CryptoHash, Timestamp};
use resident_storage::{Journal, JournalError};
use resident_wasm::GuestFailure;
use thiserror::Error;

use crate::{
    BlockContext, Executor, Failure, FailureReason, Fault, MissingData, Operation, ResourcePolicy,
    Stop, chain_partition,
    executor::description_blob_id,
    runtime::{QueryState, Runtime, RuntimeHandle, Service},
};

/// What a query is asked with.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext {
    /// The chain.
    pub chain_id: ChainId,
    /// The height of the chain's next block.
    pub next_height: BlockHeight,
    /// The time that the service sees.
    pub timestamp: Timestamp,
    /// The fuel that the query may spend.
    pub fuel: u64,
    /// When the query ends, whatever it does; none lets it run until the fuel is spent.
    pub deadline: Option<Instant>,
}

/// What a query came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOutcome {
    /// The service's answer, in the application's own encoding.
    pub response: Vec<u8>,
    /// Operations that the services want to be proposed, in order. Nobody has executed them.
    pub operations: Vec<Operation>,
}

/// Why a query has no answer. No query changes anything, so it can always be asked again.
#[derive(Debug, Error)]
pub enum QueryError {
    /// Nobody created the application, as far as the store knows.
    #[error("application {0} is not known: its description is not in the store")]
    UnknownApplication(ApplicationId),
    /// The application was published without a service.
    #[error("application {0} has no service: publish a module with one")]
    NoService(ApplicationId),
    /// The query was given this much fuel, and spent it.
    #[error("the query spent its {fuel} units of fuel: ask for less at once")]
    OutOfFuel {
        /// What it was given.
        fuel: u64,
    },
    /// The query took too long.
    #[error("the query took too long: ask for less at once")]
    Deadline,
    /// The service failed.
    #[error(transparent)]
    Failed(Failure),
    /// A block changed the chain while the query ran.
    #[error("a block changed the chain while the query ran: ask again")]
    StateChanged,
    /// Something that exists elsewhere is not here yet.
    #[error(transparent)]
    Missing(MissingData),
    /// This node cannot go on.
    #[error(transparent)]
    Fault(Fault),
}

impl From<Fault> for QueryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Storage(JournalError::Changed) => QueryError::StateChanged,
            fault => QueryError::Fault(fault),
        }
    }
}

impl QueryContext {
    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// What [`ServiceInstances`] did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Queries that were run.
    pub queries: u64,
    /// Instances that were made for them.
    pub instantiations: u64,
}

/// Answers queries, and keeps the instances of services for the next ones.
///
/// An instance is used again as long as the chain's state and height are the same, since it keeps what it
/// has read; one that failed is dropped. Those that were not used for longest make room for others. All of
/// them belong to one thread, which needs a stack as large as that of a [`BlockPool`](crate::BlockPool)'s
/// thread.
pub struct ServiceInstances {
    executor: Executor,
    limit: usize,
    chains: BTreeMap<ChainId, ChainServices>,
    /// Counts queries, and tells which instance was used last.
    counts: ServiceCounts,
}

/// The instances that have seen one state of a chain.
struct ChainServices {
    state: (CryptoHash, BlockHeight),
    services: BTreeMap<ApplicationId, Service>,
    last_used: BTreeMap<ApplicationId, u64>,
}

impl ServiceInstances {
    /// Keeps at most `limit` instances between queries.
    pub fn new(executor: Executor, limit: usize) -> Self {
        ServiceInstances {
            executor,
            limit,
            chains: BTreeMap::new(),
            counts: ServiceCounts::default(),
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> ServiceCounts {
        self.counts
    }

    /// How many instances are kept.
    pub fn len(&self) -> usize {
        self.chains.values().map(|chain| chain.services.len()).sum()
    }

    /// Whether no instance is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all instances.
    pub fn clear(&mut self) {
        self.chains.clear();
    }

    /// Asks the service of an application.
    ///
    /// # Errors
    /// If there is no answer. [`QueryError::StateChanged`] leaves it to the caller to read the chain's
    /// height again and to repeat the query. One whose deadline has passed is not run.
    pub fn query(
        &mut self,
        context: &QueryContext,
        id: ApplicationId,
        query: Vec<u8>,
    ) -> Result<QueryOutcome, QueryError> {
        if context.is_late() {
            return Err(QueryError::Deadline);
        }
        self.counts.queries += 1;
        let mut journal = self.open(context.chain_id)?;
        let hash = journal.state_hash().map_err(Fault::from)?;
        let state = (hash, context.next_height);
        let mut kept = self.take(context.chain_id, state);
        let query_state = QueryState::new(std::mem::take(&mut kept.services), context.deadline);
        let executor = self.executor.clone();
        let runtime = Runtime::for_query(executor, block_context(context), journal, query_state)?;

        let mut handle = RuntimeHandle::new(runtime);
        let result = handle.enter_service(id, query);
        let mut runtime = handle.into_inner();
        let done = runtime.query.take().expect("a query keeps its own state");
        let is_out_of_time = done.is_out_of_time();
        self.counts.instantiations += runtime.trace.instantiations;
        if self
            .open(context.chain_id)?
            .state_hash()
            .map_err(Fault::from)?
            != hash
        {
            return Err(QueryError::StateChanged);
        }
        let used = done.entered.iter();
        kept.last_used
            .extend(used.map(|id| (*id, self.counts.queries)));
        kept.services = done.services;
        kept.last_used
            .retain(|id, _| kept.services.contains_key(id));
        self.keep(context.chain_id, kept);
        match result {
            Ok(response) => Ok(QueryOutcome {
                response,
                operations: done.operations,
            }),
            Err(stop) if is_out_of_time && is_out_of_fuel(&stop) => Err(QueryError::Deadline),
            Err(stop) => Err(explain(stop, id, context.fuel)),
        }
    }

    fn open(&self, chain_id: ChainId) -> Result<Journal, Fault> {
        let partition = chain_partition(chain_id);
        Ok(Journal::open(self.executor.store().clone(), partition)?)
    }

    /// The instances that have seen this state, taken out.
    fn take(&mut self, chain_id: ChainId, state: (CryptoHash, BlockHeight)) -> ChainServices {
        let kept = self.chains.remove(&chain_id);
        kept.filter(|kept| kept.state == state)
            .unwrap_or_else(|| ChainServices {
                state,
                services: BTreeMap::new(),
                last_used: BTreeMap::new(),
            })
    }

    fn keep(&mut self, chain_id: ChainId, services: ChainServices) {
        self.chains.insert(chain_id, services);
        while self.len() > self.limit {
            self.drop_oldest();
        }
        self.chains.retain(|_, chain| !chain.services.is_empty());
    }

    fn drop_oldest(&mut self) {
        let all = self.chains.iter().flat_map(|(chain_id, chain)| {
            let used = chain.last_used.iter();
            used.map(|(id, last_used)| (*last_used, *chain_id, *id))
        });
        let Some((_, chain_id, id)) = all.min() else {
            return self.chains.clear();
        };
        let chain = self.chains.get_mut(&chain_id).expect("it was just found");
        chain.services.remove(&id);
        chain.last_used.remove(&id);
    }
}

/// A query is like a transaction that nobody signed.
fn block_context(context: &QueryContext) -> BlockContext {
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = context.fuel;
    policy.limits.block_fuel = context.fuel;
    BlockContext {
        chain_id: context.chain_id,
        height: context.next_height,
        timestamp: context.timestamp,
        authenticated_owner: None,
        policy: Arc::new(policy),
    }
}

fn is_out_of_fuel(stop: &Stop) -> bool {
    let Stop::Failure(failure) = stop else {
        return false;
    };
    failure.reason == FailureReason::Guest(GuestFailure::OutOfFuel)
}

fn explain(stop: Stop, asked: ApplicationId, fuel: u64) -> QueryError {
    match stop {
        Stop::Failure(failure) => match failure.reason {
            FailureReason::NoService(id) => QueryError::NoService(id),
            FailureReason::Guest(GuestFailure::OutOfFuel) => QueryError::OutOfFuel { fuel },
            FailureReason::Deadline => QueryError::Deadline,
            _ => QueryError::Failed(failure),
        },
        Stop::Missing(MissingData::Blob(id)) if id == description_blob_id(asked) => {
            QueryError::UnknownApplication(asked)
        }
        Stop::Missing(missing) => QueryError::Missing(missing),
        Stop::Fault(fault) => fault.into(),
    }
}
