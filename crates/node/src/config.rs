//! What a node is told when it starts.

use std::{collections::BTreeSet, sync::Arc};

use resident_base::{ApplicationId, TimeDelta};
use resident_chain::StagingPolicy;
use resident_execution::{
    BlockPool, EngineKind, ModuleCacheConfig, Oracle, ResourcePolicy, SessionKind,
};

use crate::{Clock, HttpOracle, query::QueryConfig};

/// The failing bundles that the default staging policy tolerates in one block.
const DEFAULT_MAX_FAILURES: u32 = 16;

/// The bundles that [`LocalNode::process_inbox`](crate::LocalNode::process_inbox) puts into one
/// block by default.
const DEFAULT_MAX_BUNDLES: usize = 10_000;

/// The events that an application is told of in one block by default.
const DEFAULT_MAX_NEW_EVENTS: u32 = 1_000;

/// How far ahead of this node's clock a message may have been sent, by default.
const DEFAULT_MAX_CLOCK_SKEW: TimeDelta = TimeDelta::from_secs(60);

/// How often a bundle is tried that needs something that is not here, by default.
const DEFAULT_MISSING_DATA_TRIES: u32 = 3;

/// How long such a bundle waits by default.
const DEFAULT_MISSING_DATA_DEADLINE: TimeDelta = TimeDelta::from_secs(600);

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
    /// A bundle that was sent later than this after the node's clock is not accepted: no block's time is moved
    /// further ahead by a message.
    pub max_clock_skew: TimeDelta,
    /// How many calls of [`LocalNode::process_inbox`](crate::LocalNode::process_inbox) try a bundle that needs a blob
    /// or an event which is not here, or that was sent too far in the future. Then it is rejected, if it may be. At
    /// least one.
    pub missing_data_tries: u32,
    /// How long such a bundle waits at least, however fast the calls follow one another: it is tried in ever fewer of them
    /// until then. By default not at all; a node that calls without a pause should set it.
    pub missing_data_patience: TimeDelta,
    /// How long after the first try such a bundle is rejected, even if it was not tried that often.
    pub missing_data_deadline: TimeDelta,
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
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            missing_data_tries: DEFAULT_MISSING_DATA_TRIES,
            missing_data_patience: TimeDelta::ZERO,
            missing_data_deadline: DEFAULT_MISSING_DATA_DEADLINE,
        }
    }
}

impl NodeConfig {
    /// Applications whose bundles are not rejected.
    pub(crate) fn never_reject(&self) -> &BTreeSet<ApplicationId> {
        const NONE: &BTreeSet<ApplicationId> = &BTreeSet::new();
        match &self.staging {
            StagingPolicy::AutoRetry {
                never_reject_application_ids,
                ..
            } => never_reject_application_ids,
            StagingPolicy::Abort => NONE,
        }
    }
}
