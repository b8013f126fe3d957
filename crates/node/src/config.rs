//! What a node is told when it starts.

use std::{
    collections::BTreeSet,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use resident_base::Timestamp;
use resident_chain::StagingPolicy;
use resident_execution::{
    BlockPool, EngineKind, ModuleCacheConfig, Oracle, ResourcePolicy, SessionKind,
};

use crate::HttpOracle;

use crate::query::QueryConfig;

/// The failing bundles that the default staging policy tolerates in one block.
const DEFAULT_MAX_FAILURES: u32 = 16;

/// The bundles that [`LocalNode::process_inbox`](crate::LocalNode::process_inbox) puts into one
/// block by default.
const DEFAULT_MAX_BUNDLES: usize = 10_000;

/// The events that an application is told of in one block by default.
const DEFAULT_MAX_NEW_EVENTS: u32 = 1_000;

/// How a node runs blocks. The engine and the session change how fast that is, never the outcome.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The engine that runs contracts.
    pub engine: EngineKind,
    /// How contract instances are kept within a block.
    pub session: SessionKind,
    /// Prices and limits. All nodes of one network must agree on them.
    pub policy: Arc<ResourcePolicy>,
    /// What happens to bundles that fail while a block is built.
    pub staging: StagingPolicy,
    /// If set, every staged block is executed again as committed, in this session, and refused if
    /// its outcome differs. Costs as much as building the block.
    pub verify: Option<SessionKind>,
    /// How many blocks run at the same time, each on its own thread. At least one.
    pub threads: usize,
    /// The most bundles that one block takes out of the inbox. At least one.
    pub max_bundles: usize,
    /// The most events of followed streams that one application is told of in one block. At least one.
    pub max_new_events: u32,
    /// Where compiled contracts are kept. If no folder is named,
    /// [`LocalNode::open`](crate::LocalNode::open) takes one inside the store's.
    pub modules: ModuleCacheConfig,
    /// Who answers what contracts ask of the world outside. Which servers they may ask stands in the policy:
    /// by default none.
    pub oracle: Arc<dyn Oracle>,
    /// What queries of services may take.
    pub queries: QueryConfig,
    /// Where the timestamps of new blocks come from.
    pub clock: Clock,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            engine: EngineKind::Wasmtime,
            session: SessionKind::Persistent,
            policy: Arc::new(ResourcePolicy::default()),
            staging: StagingPolicy::AutoRetry {
                max_failures: DEFAULT_MAX_FAILURES,
                never_reject_application_ids: BTreeSet::new(),
                time_budget: None,
            },
            verify: None,
            threads: BlockPool::default_size(),
            max_bundles: DEFAULT_MAX_BUNDLES,
            max_new_events: DEFAULT_MAX_NEW_EVENTS,
            modules: ModuleCacheConfig::default(),
            oracle: Arc::new(HttpOracle),
            queries: QueryConfig::default(),
            clock: Clock::system(),
        }
    }
}

/// Tells the time. Passed in, so that a test or a replay can choose it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks this function each time.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The system's clock; a time before 1970 counts as 1970.
    pub fn system() -> Self {
        Self::new(|| {
            let since_epoch = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            Timestamp::from(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
        })
    }

    /// A clock that stands still.
    pub fn fixed(at: Timestamp) -> Self {
        Self::new(move || at)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
