//! Queries of services on a chain's committed state.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use resident_base::{ApplicationId, ChainId};
use resident_chain::ChainReader;
use resident_execution::{
    BlockPool, Fault, QueryContext, QueryError, QueryOutcome, ServiceInstances,
};

use crate::{error::NodeError, local::LocalNode, registry};

/// How often a query is run again because a block changed the chain meanwhile.
const MAX_ATTEMPTS: u32 = 4;

/// What queries may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// How many queries run at the same time. At most half of them, rounded up, are of one chain or of one
    /// application, and those of one application on one chain run one after the other. With a single thread,
    /// a query that takes long holds up all others until its time is over.
    pub threads: usize,
    /// The most instances of services that each thread keeps between queries.
    pub instances: usize,
    /// The fuel of one query. A query that only computes can spend ten million of it in each second of
    /// its time, so that it ends in time however slow its instructions are; what calls the host can spend all.
    pub fuel: u64,
    /// The time of one query, waiting included.
    pub time: Duration,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            threads: BlockPool::default_size().div_ceil(2).max(2),
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
        let begun = Instant::now();
        let ask = move |services: &mut ServiceInstances| question.ask(services);
        let answer = self.services.ask(chain, application, ask).await;
        let answer = answer.map_err(NodeError::from);
        let answer = answer.and_then(|answer| Ok(answer?));
        if let Err(error) = &answer {
            note(chain, application, begun.elapsed(), error);
        }
        answer
    }
}

/// Tells the operator whose queries take too much.
fn note(chain: ChainId, application: ApplicationId, time: Duration, error: &NodeError) {
    let level = match error {
        // Costs nothing, so there may be many of them.
        NodeError::Fault(Fault::Overloaded(_)) => log::Level::Info,
        NodeError::Fault(_)
        | NodeError::Query(
            QueryError::Deadline | QueryError::OutOfFuel { .. } | QueryError::Fault(_),
        ) => log::Level::Warn,
        _ => log::Level::Debug,
    };
    log::log!(
        target: "query",
        level,
        "chain {chain}: no answer of application {application} after {} ms: {error}",
        time.as_millis()
    );
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
            if self
                .context
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                return Err(QueryError::Deadline);
            }
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
