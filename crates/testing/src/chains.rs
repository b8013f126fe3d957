//! Chains, and running their blocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::executor::block_on;
use resident_base::{
    AccountOwner, AccountSecretKey, Amount, ApplicationPermissions, Blob, BlobContent,
    ChainDescription, ChainId, ChainOrigin, ChainOwnership, InitialChainConfig, Timestamp,
};
use resident_chain::{
    BlockDraft, BlockError, BlockExecution, ChainReader, ChainTip, ExecutedBlock, StagedBlock,
    StagingPolicy, Transaction, execute_block, stage_block,
};
use resident_execution::{
    BlockPool, EngineKind, Executor, NoOracle, Operation, Oracle, ResourcePolicy, SessionKind,
    SystemOperation, Trace, put_blob,
};
use resident_storage::{Batch, KeyValueStore, MemoryStore};

use crate::PAIRS;

/// The time of the first block, in microseconds since 1970.
const FIRST_BLOCK: u64 = 1_000_000;

/// A chain with one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestChain {
    /// The chain.
    pub id: ChainId,
    /// Its owner, who signs all its blocks.
    pub owner: AccountOwner,
}

/// Chains in one store, whose blocks run with one engine and session. Share it between threads to
/// build blocks of several chains at once.
pub struct TestChains {
    engine: EngineKind,
    session: SessionKind,
    store: Arc<dyn KeyValueStore>,
    /// Made when an engine is first asked for, since compiling contracts takes a while.
    executors: Mutex<BTreeMap<EngineKind, Executor>>,
    oracle: Arc<dyn Oracle>,
    pool: BlockPool,
    policy: Arc<ResourcePolicy>,
    now: AtomicU64,
}

impl TestChains {
    /// No chains yet, in a store in memory.
    pub fn new(pair: (EngineKind, SessionKind)) -> Self {
        Self::with_store(pair, Arc::new(MemoryStore::new()))
    }

    /// The chains of a store, which may have been left there by another `TestChains`.
    pub fn with_store(pair: (EngineKind, SessionKind), store: Arc<dyn KeyValueStore>) -> Self {
        let (engine, session) = pair;
        Self {
            engine,
            session,
            store,
            executors: Mutex::default(),
            oracle: Arc::new(NoOracle),
            pool: BlockPool::new(BlockPool::default_size()),
            policy: Arc::new(ResourcePolicy::default()),
            now: AtomicU64::new(FIRST_BLOCK),
        }
    }

    /// The same chains with other prices and limits, from now on.
    #[must_use]
    pub fn with_policy(mut self, policy: ResourcePolicy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// The same chains with somebody else who answers for the world outside, from now on. At first every
    /// question is refused.
    #[must_use]
    pub fn with_oracle(mut self, oracle: Arc<dyn Oracle>) -> Self {
        self.oracle = oracle;
        self
    }

    /// A staging policy that rejects and drops, with this many tolerated limit failures.
    pub fn auto_retry(max_failures: u32) -> StagingPolicy {
        StagingPolicy::AutoRetry {
            max_failures,
            never_reject_application_ids: BTreeSet::new(),
            time_budget: None,
        }
    }

    /// The owner that a number stands for.
    pub fn owner(seed: u8) -> AccountOwner {
        AccountSecretKey::from_seed([seed; 32]).public().owner()
    }

    /// A chain that no other one opened, owned by [`owner(seed)`](Self::owner), with 1,000 native
    /// tokens. The same seed gives the same chain.
    pub fn open_root(&self, seed: u8) -> TestChain {
        let owner = Self::owner(seed);
        let description = ChainDescription {
            origin: ChainOrigin::Root(seed.into()),
            config: InitialChainConfig {
                ownership: ChainOwnership::single(owner),
                balance: Amount::from_tokens(1_000),
                application_permissions: ApplicationPermissions::default(),
            },
            timestamp: Timestamp::from(0),
        };
        let mut batch = Batch::new();
        put_blob(
            &mut batch,
            &Blob::new(BlobContent::new_chain_description(&description)),
        );
        self.write(batch);
        TestChain {
            id: description.id(),
            owner,
        }
    }

    /// A chain that `parent` opens in a block of its own, owned by [`owner(seed)`](Self::owner).
    pub fn open_child(&self, parent: &TestChain, seed: u8) -> TestChain {
        let owner = Self::owner(seed);
        let operation = SystemOperation::OpenChain {
            ownership: ChainOwnership::single(owner),
            balance: Amount::ZERO,
            application_permissions: ApplicationPermissions::default(),
        };
        let block = self.run(parent, vec![Operation::System(operation)]);
        let id = bcs::from_bytes(&block.outcome.transactions[0].response);
        TestChain {
            id: id.expect("opening a chain answers with its id"),
            owner,
        }
    }

    /// Builds the chain's next block from these transactions, and does not store it.
    pub fn stage(
        &self,
        chain: &TestChain,
        transactions: Vec<Transaction>,
        policy: &StagingPolicy,
    ) -> Result<StagedBlock, BlockError> {
        self.stage_on((self.engine, self.session), chain, transactions, policy)
    }

    /// As [`stage`](Self::stage), on any engine and session.
    pub fn stage_on(
        &self,
        pair: (EngineKind, SessionKind),
        chain: &TestChain,
        transactions: Vec<Transaction>,
        policy: &StagingPolicy,
    ) -> Result<StagedBlock, BlockError> {
        let draft = self.draft(chain, transactions);
        let (executor, session) = (self.executor(pair.0), pair.1);
        let (resources, policy) = (self.policy.clone(), policy.clone());
        self.on_pool(move || stage_block(&executor, session, resources, draft, &policy))
    }

    /// The draft that [`stage`](Self::stage) builds from.
    pub fn draft(&self, chain: &TestChain, transactions: Vec<Transaction>) -> BlockDraft {
        let sent = transactions.iter().filter_map(Transaction::bundle);
        let sent = sent.map(|incoming| incoming.bundle.timestamp).max();
        let now = Timestamp::from(self.now.load(Ordering::Relaxed));
        let earliest = self.tip(chain.id).timestamp.max(sent.unwrap_or_default());
        BlockDraft {
            chain_id: chain.id,
            timestamp: now.max(earliest),
            authenticated_owner: Some(chain.owner),
            transactions,
        }
    }

    /// Lets this many microseconds pass before the next block.
    pub fn advance(&self, microseconds: u64) {
        self.now.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Executes a fixed block as committed, on any engine and session, and does not store it.
    pub fn execute(
        &self,
        pair: (EngineKind, SessionKind),
        executed: &ExecutedBlock,
    ) -> Result<BlockExecution, BlockError> {
        let (executor, session) = (self.executor(pair.0), pair.1);
        let (resources, executed) = (self.policy.clone(), executed.clone());
        self.on_pool(move || {
            let ExecutedBlock { block, outcome } = &executed;
            execute_block(&executor, session, resources, block, Some(outcome))
        })
    }

    /// Executes a block, staged on the current state, on every engine and session, and compares the
    /// whole outcomes and everything that would be stored.
    ///
    /// Answers with what it took, in the order of [`PAIRS`].
    ///
    /// # Panics
    /// If any of them differs.
    pub fn check_everywhere(&self, staged: &BlockExecution) -> Vec<Trace> {
        let check = |pair: (EngineKind, SessionKind)| {
            let (engine, session) = pair;
            let repeated = self
                .execute(pair, &staged.executed)
                .unwrap_or_else(|error| panic!("committed on {engine}, {session}: {error}"));
            assert_eq!(
                repeated.executed, staged.executed,
                "committed on {engine}, {session}"
            );
            assert!(
                repeated.batch == staged.batch,
                "{engine}, {session} would store something else"
            );
            assert_eq!(
                repeated.report, staged.report,
                "reported by {engine}, {session}"
            );
            repeated.trace
        };
        PAIRS.map(check).to_vec()
    }

    /// Stores a block.
    pub fn commit(&self, execution: BlockExecution) -> ExecutedBlock {
        self.write(execution.batch);
        execution.executed
    }

    /// Builds, checks on every engine and session, and stores a block of these operations.
    pub fn run(&self, chain: &TestChain, operations: Vec<Operation>) -> ExecutedBlock {
        self.try_run(chain, operations)
            .unwrap_or_else(|error| panic!("the block failed: {error}"))
    }

    /// As [`run`](Self::run), with an error if the block fails.
    pub fn try_run(
        &self,
        chain: &TestChain,
        operations: Vec<Operation>,
    ) -> Result<ExecutedBlock, BlockError> {
        let transactions = operations
            .into_iter()
            .map(Transaction::ExecuteOperation)
            .collect();
        let staged = self.stage(chain, transactions, &StagingPolicy::Abort)?;
        self.check_everywhere(&staged.execution);
        Ok(self.commit(staged.execution))
    }

    /// Reads the records of a chain.
    pub fn reader(&self, chain: ChainId) -> ChainReader {
        ChainReader::new(self.store.clone(), chain)
    }

    /// Where a chain ends.
    pub fn tip(&self, chain: ChainId) -> ChainTip {
        block_on(self.reader(chain).tip()).expect("the store can be read")
    }

    /// What an owner has of the native token on a chain.
    pub fn balance(&self, chain: ChainId, owner: AccountOwner) -> Amount {
        let balance = self.executor(self.engine).read_balance(chain, owner);
        balance.expect("the store can be read")
    }

    /// The engine that blocks are built with.
    pub(crate) fn engine(&self) -> EngineKind {
        self.engine
    }

    /// Whether a chain is closed.
    pub fn is_closed(&self, chain: ChainId) -> bool {
        let is_closed = self.executor(self.engine).is_closed(chain);
        is_closed.expect("the store can be read")
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn KeyValueStore> {
        &self.store
    }

    /// What runs blocks on an engine.
    pub fn executor(&self, engine: EngineKind) -> Executor {
        let mut executors = self
            .executors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let executor = executors.entry(engine).or_insert_with(|| {
            Executor::new(engine, self.store.clone())
                .unwrap_or_else(|error| panic!("{engine} cannot be used: {error}"))
        });
        executor.clone().with_oracle(self.oracle.clone())
    }

    pub(crate) fn write(&self, batch: Batch) {
        block_on(self.store.write(batch)).expect("the store can be written");
    }

    /// Blocks need more stack than a test's thread has.
    fn on_pool<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        block_on(self.pool.run(job)).unwrap_or_else(|fault| panic!("{fault}"))
    }
}
