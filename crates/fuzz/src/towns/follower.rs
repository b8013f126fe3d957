//! Whoever follows a node and trusts none of its blocks.

use std::sync::Arc;

use futures::executor::block_on;
use resident_chain::{ExecutedBlock, ExecutionReport, execute_block};
use resident_execution::{EngineKind, Executor, ModuleCacheConfig, ResourcePolicy};
use resident_storage::{Batch, KeyValueStore, MemoryStore};
use resident_testing::PAIRS;

use crate::compare::{Difference, ensure, same};

/// Runs every block again on every engine and session, over a store of its own.
pub(super) struct Follower {
    store: Arc<MemoryStore>,
    executors: [Executor; 2],
    policy: Arc<ResourcePolicy>,
}

impl Follower {
    /// Begins where a node stands.
    pub(super) fn new(
        node: &MemoryStore,
        policy: Arc<ResourcePolicy>,
        modules: &ModuleCacheConfig,
    ) -> Result<Self, Difference> {
        let store = Arc::new(MemoryStore::new());
        let mut batch = Batch::new();
        for (key, value) in node.contents() {
            batch.put(key, value);
        }
        block_on(store.write(batch)).map_err(|error| error.to_string())?;
        let executor = |engine| {
            Executor::with_module_cache(engine, store.clone(), modules.clone())
                .map_err(|error| error.to_string())
        };
        Ok(Self {
            executors: [
                executor(EngineKind::Wasmtime)?,
                executor(EngineKind::Wasmer)?,
            ],
            store,
            policy,
        })
    }

    /// Runs a block on all of them, compares, and stores it.
    pub(super) fn follow(
        &self,
        staged: &ExecutedBlock,
        report: &ExecutionReport,
    ) -> Result<(), Difference> {
        let mut first = None;
        for (engine, session) in PAIRS {
            let executor = self.executors.iter().find(|it| it.engine() == engine);
            let executor = executor.expect("there is one of each");
            let (block, expected) = (&staged.block, Some(&staged.outcome));
            let policy = self.policy.clone();
            let committed = execute_block(executor, session, policy, block, expected)
                .map_err(|error| format!("committed on {engine}, {session}: {error}"))?;
            let what = format!("the block built and committed on {engine}, {session}");
            same(&what, staged, &committed.executed)?;
            same(&format!("the report of {what}"), report, &committed.report)?;
            let batch = first.get_or_insert_with(|| committed.batch.clone());
            ensure(*batch == committed.batch, || {
                format!("{engine}, {session} would store something else")
            })?;
        }
        let batch = first.unwrap_or_default();
        block_on(self.store.write(batch)).map_err(|error| error.to_string())
    }
}
