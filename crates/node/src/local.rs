//! A node whose chains live in one store.

use std::{path::Path, sync::Arc};

use resident_base::{
    AccountOwner, AccountSignature, Amount, ApplicationPermissions, Blob, BlobContent, BlobId,
    BlobType, BlockHeight, ChainDescription, ChainId, ChainOrigin, ChainOwnership,
    InitialChainConfig, Timestamp,
};
use resident_chain::{ChainReader, ChainTip, ExecutedBlock};
use resident_execution::{BlockPool, Executor, ServiceThreads, put_blob};
use resident_storage::{Batch, DiskStore, KeyValueStore};

use crate::{
    config::NodeConfig, deliver::Parking, error::NodeError, locks::ChainLocks,
    propose::read_signature, query::QueryConfig, registry,
};

/// Where compiled contracts are kept by default, inside the folder of the store.
const MODULES_FOLDER: &str = "modules";

/// Keeps many chains in one store, builds and commits their blocks, and delivers between them.
///
/// All methods take `&self`. Blocks of one chain follow one another; blocks of different chains run
/// at the same time, on the threads of the node, and share durable commits where the store groups
/// them. Futures may be dropped at any point: a block is then committed as a whole or not at all.
pub struct LocalNode {
    pub(crate) executor: Executor,
    pub(crate) pool: BlockPool,
    pub(crate) services: ServiceThreads,
    pub(crate) config: NodeConfig,
    pub(crate) locks: ChainLocks,
    pub(crate) parking: Parking,
}

impl LocalNode {
    /// A node with its store in a folder, which is made if it does not exist. Compiled contracts are kept
    /// in the folder `modules` inside it, unless another one is configured.
    pub fn open(folder: impl AsRef<Path>, mut config: NodeConfig) -> Result<Self, NodeError> {
        let folder = folder.as_ref();
        let modules = &mut config.modules.folder;
        modules.get_or_insert_with(|| folder.join(MODULES_FOLDER));
        Self::new(Arc::new(DiskStore::open(folder)?), config)
    }

    /// A node over any store. Nobody else may write to the store as long as the node lives.
    pub fn new(store: Arc<dyn KeyValueStore>, config: NodeConfig) -> Result<Self, NodeError> {
        let executor = Executor::with_module_cache(config.engine, store, config.modules.clone())?;
        let executor = executor.with_oracle(config.oracle.clone());
        let QueryConfig {
            threads, instances, ..
        } = config.queries;
        Ok(Self {
            services: ServiceThreads::new(&executor, threads, instances),
            executor,
            pool: BlockPool::new(config.threads.max(1)),
            config,
            locks: ChainLocks::default(),
            parking: Parking::default(),
        })
    }

    /// Creates a chain that no other chain opened, with one owner and a balance of its own. Root
    /// chains are told apart by their index. The same arguments give the same chain, and creating
    /// it again changes nothing.
    pub async fn create_root_chain(
        &self,
        index: u32,
        owner: AccountOwner,
        balance: Amount,
    ) -> Result<ChainId, NodeError> {
        let description = ChainDescription {
            origin: ChainOrigin::Root(index),
            config: InitialChainConfig {
                ownership: ChainOwnership::single(owner),
                balance,
                application_permissions: ApplicationPermissions::default(),
            },
            // Not the time of creation: the id would depend on it.
            timestamp: Timestamp::from(0),
        };
        let blob = Blob::new(BlobContent::new_chain_description(&description));
        let mut batch = Batch::new();
        put_blob(&mut batch, &blob);
        registry::register(&mut batch, description.id());
        self.parking.expect([description.id()]);
        self.store().write(batch).await?;
        Ok(description.id())
    }

    /// Chains of this node in the order of their ids: at most `limit`, beginning behind `after`.
    pub async fn chains(
        &self,
        after: Option<ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, NodeError> {
        registry::list(&**self.store(), after, limit).await
    }

    /// Where the chain's next block goes.
    pub async fn tip(&self, chain: ChainId) -> Result<ChainTip, NodeError> {
        Ok(self.reader(chain).tip().await?)
    }

    /// The chain's block at this height, with its outcome, if it was committed here.
    pub async fn executed_block(
        &self,
        chain: ChainId,
        height: BlockHeight,
    ) -> Result<Option<ExecutedBlock>, NodeError> {
        Ok(self.reader(chain).executed_block(height).await?)
    }

    /// The proposer's signature under the block at this height.
    pub async fn signature(
        &self,
        chain: ChainId,
        height: BlockHeight,
    ) -> Result<Option<AccountSignature>, NodeError> {
        read_signature(&**self.store(), chain, height).await
    }

    /// Who may propose blocks on the chain.
    pub async fn ownership(&self, chain: ChainId) -> Result<ChainOwnership, NodeError> {
        match self.executor.stored_ownership(chain).await? {
            Some(ownership) => Ok(ownership),
            // Before its first block a chain has no state, only its description.
            None => Ok(self.description(chain).await?.config.ownership),
        }
    }

    /// How the chain began.
    pub async fn description(&self, chain: ChainId) -> Result<ChainDescription, NodeError> {
        let blob = self.executor.stored_blob(description_id(chain)).await?;
        decode_description(chain, blob)
    }

    /// What an owner has of the native token on this chain; [`AccountOwner::CHAIN`] asks for the
    /// chain's own balance. Zero before the chain's first block.
    ///
    /// Like all that only looks up what is stored, it needs none of the threads that run blocks and
    /// queries, so it is answered whatever those do.
    pub async fn balance(&self, chain: ChainId, owner: AccountOwner) -> Result<Amount, NodeError> {
        Ok(self.executor.stored_balance(chain, owner).await?)
    }

    /// Reads the chain's own records: tip, blocks, inbox and outbox.
    pub fn reader(&self, chain: ChainId) -> ChainReader {
        ChainReader::new(self.store().clone(), chain)
    }

    /// What runs this node's contracts; for measurements and tools.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// The threads that run this node's blocks; for measurements and tools.
    pub fn pool(&self) -> &BlockPool {
        &self.pool
    }

    /// What the node was told when it started.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Arc<dyn KeyValueStore> {
        self.executor.store()
    }
}

/// Waits for the store, so this is for the node's own threads.
pub(crate) fn read_ownership(
    executor: &Executor,
    chain: ChainId,
) -> Result<ChainOwnership, NodeError> {
    match executor.read_ownership(chain)? {
        Some(ownership) => Ok(ownership),
        // Before its first block a chain has no state, only its description.
        None => Ok(read_description(executor, chain)?.config.ownership),
    }
}

fn read_description(executor: &Executor, chain: ChainId) -> Result<ChainDescription, NodeError> {
    decode_description(chain, executor.read_blob(description_id(chain))?)
}

fn description_id(chain: ChainId) -> BlobId {
    BlobId::new(BlobType::ChainDescription, chain.0)
}

fn decode_description(chain: ChainId, blob: Option<Blob>) -> Result<ChainDescription, NodeError> {
    let blob = blob.ok_or(NodeError::UnknownChain { chain })?;
    let what = "a chain's description";
    bcs::from_bytes(blob.bytes()).map_err(|_| NodeError::DamagedRecord { what })
}
