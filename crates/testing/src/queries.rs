//! Asking services.

use futures::executor::block_on;
use resident_base::{ApplicationId, Timestamp};
use resident_execution::{
    EngineKind, QueryContext, QueryError, QueryOutcome, ServiceCounts, ServiceInstances,
    ServiceThreads,
};
use resident_sdk::ServiceAbi;

use crate::{TestChain, TestChains};

/// Instances of services that are kept between queries.
const INSTANCES: usize = 8;

/// The fuel of a query.
const FUEL: u64 = 1_000_000_000;

/// The services of one engine, which keep their instances between queries. All chains share a thread.
pub struct TestServices<'a> {
    chains: &'a TestChains,
    threads: ServiceThreads,
}

impl TestChains {
    /// The services of these chains on an engine.
    pub fn services(&self, engine: EngineKind) -> TestServices<'_> {
        TestServices {
            chains: self,
            threads: ServiceThreads::new(&self.executor(engine), 1, INSTANCES),
        }
    }
}

impl TestServices<'_> {
    /// A query of bytes, which may be wrong.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn try_query(
        &self,
        chain: &TestChain,
        id: ApplicationId,
        query: Vec<u8>,
    ) -> Result<QueryOutcome, QueryError> {
        self.query_with(chain, id, query, |_| {})
    }

    /// As [`try_query`](Self::try_query), under other circumstances.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn query_with(
        &self,
        chain: &TestChain,
        id: ApplicationId,
        query: Vec<u8>,
        change: impl FnOnce(&mut QueryContext),
    ) -> Result<QueryOutcome, QueryError> {
        let tip = self.chains.tip(chain.id);
        let mut context = QueryContext {
            chain_id: chain.id,
            next_height: tip.next_height,
            timestamp: tip.timestamp.max(Timestamp::from(1_000_000)),
            fuel: FUEL,
            deadline: None,
        };
        change(&mut context);
        self.run(chain, move |instances| instances.query(&context, id, query))
    }

    /// Asks, and decodes the response. The operations that the service scheduled are forgotten.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn query<A: ServiceAbi>(
        &self,
        chain: &TestChain,
        id: ApplicationId<A>,
        query: &A::Query,
    ) -> A::QueryResponse {
        let query = serde_json::to_vec(query).expect("the query can be encoded");
        let outcome = self.try_query(chain, id.forget_abi(), query);
        let response = outcome
            .unwrap_or_else(|error| panic!("the query failed: {error}"))
            .response;
        serde_json::from_slice(&response).expect("the response can be decoded")
    }

    /// What was done so far, and how many instances are kept.
    pub fn counts(&self, chain: &TestChain) -> (ServiceCounts, usize) {
        self.run(chain, |instances| (instances.counts(), instances.len()))
    }

    fn run<T: Send + 'static>(
        &self,
        chain: &TestChain,
        job: impl FnOnce(&mut ServiceInstances) -> T + Send + 'static,
    ) -> T {
        block_on(self.threads.run(chain.id, job)).unwrap_or_else(|fault| panic!("{fault}"))
    }
}
