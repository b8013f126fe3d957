//! Queries of services on a chain's committed state.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use resident_base::{ApplicationId, ChainId};
use resident_chain::ChainReader;
use resident_execution::{QueryContext, QueryError, QueryOutcome, ServiceInstances};

use crate::{error::NodeError, local::LocalNode, registry};

/// How often a query is run again because a block changed the chain meanwhile.
const MAX_ATTEMPTS: u32 = 4;

/// What queries may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// How many queries run at the same time. Those of one chain run one after the other.
    pub threads: usize,
    /// The most instances of services that each thread keeps between queries.
    pub instances: usize,
    /// The fuel of one query.
    pub fuel: u64,
    /// The time of one query, waiting included.
    pub time: Duration,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            instances: 100,
            fuel: 10_000_000_000,
            time: Duration::from_secs(10),
        }
    }
}

impl LocalNode {
    /// Asks the service of an application about a chain's committed state. The query is in the
    /// application's own encoding, which is JSON for those made with the SDK.
    ///
    /// Nothing is changed. The answer may come with operations that the service suggests to propose.
    pub async fn query(
        &self,
        chain: ChainId,
        application: ApplicationId,
        query: Vec<u8>,
    ) -> Result<QueryOutcome, NodeError> {
        if !registry::is_known(&**self.store(), chain).await? {
            return Err(NodeError::UnknownChain { chain });
        }
        let QueryConfig { fuel, time, .. } = self.config.queries;
        let question = Question {
            reader: self.reader(chain),
            application,
            query,
            context: QueryContext {
                chain_id: chain,
                next_height: Default::default(),
                timestamp: self.config.clock.now(),
                fuel,
                deadline: Some(Instant::now() + time),
            },
        };
        let answer = self
            .services
            .run(chain, move |services| question.ask(services));
        Ok(answer.await??)
    }
}

struct Question {
    reader: ChainReader,
    application: ApplicationId,
    query: Vec<u8>,
    context: QueryContext,
}

impl Question {
    /// Blocks of the chain do not wait for queries, so an answer only counts if none came between.
    fn ask(mut self, services: &mut ServiceInstances) -> Result<QueryOutcome, QueryError> {
        for _ in 0..MAX_ATTEMPTS {
            let tip = block_on(self.reader.tip())?;
            self.context.next_height = tip.next_height;
            let answer = services.query(&self.context, self.application, self.query.clone());
            let is_settled = !matches!(answer, Err(QueryError::StateChanged));
            if is_settled && block_on(self.reader.tip())? == tip {
                return answer;
            }
        }
        Err(QueryError::StateChanged)
    }
}
