//! What all blocks of a node share: the engine, the compiled modules, the store.

use std::sync::Arc;

use resident_base::{
    AccountOwner, Amount, ApplicationDescription, ApplicationId, ApplicationPermissions, Blob,
    BlobContent, BlobId, BlobType, ChainId, ChainOwnership, EventId,
};
use resident_storage::{Batch, Journal, KeyValueStore, wait};
use serde::de::DeserializeOwned;

use crate::{
    EngineKind, Fault, MissingData, NoOracle, Oracle, Stop,
    modules::{ModuleCacheConfig, ModuleCounts, Modules},
    runtime::balances,
    session::describe_chain,
};

/// Runs blocks. Shared by all blocks of a node; cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
    oracle: Arc<dyn Oracle>,
}

struct Shared {
    kind: EngineKind,
    store: Arc<dyn KeyValueStore>,
    modules: Modules,
}

impl Executor {
    /// Sets the engine up. Compiled contracts are remembered in memory.
    ///
    /// # Errors
    /// If the engine cannot run on this machine.
    pub fn new(engine: EngineKind, store: Arc<dyn KeyValueStore>) -> Result<Self, Fault> {
        Self::with_module_cache(engine, store, ModuleCacheConfig::default())
    }

    /// Sets the engine up, and says where compiled contracts are kept.
    ///
    /// # Errors
    /// If the engine cannot run on this machine.
    pub fn with_module_cache(
        engine: EngineKind,
        store: Arc<dyn KeyValueStore>,
        config: ModuleCacheConfig,
    ) -> Result<Self, Fault> {
        let shared = Shared {
            kind: engine,
            store,
            modules: Modules::new(engine, config)?,
        };
        Ok(Executor {
            shared: Arc::new(shared),
            oracle: Arc::new(NoOracle),
        })
    }

    /// The same executor, with its compiled contracts, and somebody who answers for the world outside.
    /// Without, every question is refused.
    #[must_use]
    pub fn with_oracle(mut self, oracle: Arc<dyn Oracle>) -> Self {
        self.oracle = oracle;
        self
    }

    /// Which engine runs contracts.
    pub fn engine(&self) -> EngineKind {
        self.shared.kind
    }

    /// The store of all chains.
    pub fn store(&self) -> &Arc<dyn KeyValueStore> {
        &self.shared.store
    }

    /// How contracts were made ready so far.
    pub fn module_counts(&self) -> ModuleCounts {
        self.shared.modules.counts()
    }

    /// A blob, if it is in the store. Waits for the store on the calling thread.
    ///
    /// # Errors
    /// If the store fails, or what it holds is not that blob.
    pub fn read_blob(&self, id: BlobId) -> Result<Option<Blob>, Fault> {
        let bytes = wait(self.shared.store.read(&blob_key(id)))?;
        bytes.map(|bytes| check_content(id, bytes)).transpose()
    }

    /// A blob, if it is in the store. Needs no thread to wait on, and neither do the others that tell what is
    /// stored.
    ///
    /// # Errors
    /// If the store fails, or what it holds is not that blob.
    pub async fn stored_blob(&self, id: BlobId) -> Result<Option<Blob>, Fault> {
        let bytes = self.shared.store.read(&blob_key(id)).await?;
        bytes.map(|bytes| check_content(id, bytes)).transpose()
    }

    /// Whether a blob is in the store. Does not read it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn has_blob(&self, id: BlobId) -> Result<bool, Fault> {
        self.has_record(&blob_key(id)).await
    }

    /// Whether there is a record, however large.
    pub(crate) async fn has_record(&self, key: &[u8]) -> Result<bool, Fault> {
        // The first of those that begin with it.
        let page = self.store().scan_keys(key, None, 1).await?;
        Ok(page.entries.first().is_some_and(|found| found == key))
    }

    /// Who may propose blocks on a chain; none if the chain has no state yet.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn stored_ownership(
        &self,
        chain_id: ChainId,
    ) -> Result<Option<ChainOwnership>, Fault> {
        let partition = chain_partition(chain_id);
        let config = balances::stored_config(&**self.store(), &partition).await?;
        Ok(config.map(|config| config.ownership))
    }

    /// The native balance of an owner on a chain; [`AccountOwner::CHAIN`] asks for the chain's own.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn stored_balance(
        &self,
        chain_id: ChainId,
        owner: AccountOwner,
    ) -> Result<Amount, Fault> {
        let partition = chain_partition(chain_id);
        balances::stored_balance(&**self.store(), &partition, owner).await
    }

    /// Who may propose blocks on a chain; none if the chain has no state yet.
    ///
    /// # Errors
    /// If the store fails.
    pub fn read_ownership(&self, chain_id: ChainId) -> Result<Option<ChainOwnership>, Fault> {
        let mut journal = Journal::open(self.store().clone(), chain_partition(chain_id))?;
        Ok(balances::read_config(&mut journal)?.map(|config| config.ownership))
    }

    /// What a chain permits to applications.
    ///
    /// # Errors
    /// If the store fails, or does not know the chain.
    pub fn read_permissions(&self, chain_id: ChainId) -> Result<ApplicationPermissions, Fault> {
        let mut journal = Journal::open(self.store().clone(), chain_partition(chain_id))?;
        match balances::read_config(&mut journal)? {
            Some(config) => Ok(config.application_permissions),
            // Before its first block a chain has no state, only its description.
            None => Ok(describe_chain(self, chain_id)?
                .config
                .application_permissions),
        }
    }

    /// Whether a chain is closed.
    ///
    /// # Errors
    /// If the store fails.
    pub fn is_closed(&self, chain_id: ChainId) -> Result<bool, Fault> {
        let mut journal = Journal::open(self.store().clone(), chain_partition(chain_id))?;
        Ok(balances::read_config(&mut journal)?.is_some_and(|config| config.is_closed))
    }

    /// The native balance of an owner on a chain; [`AccountOwner::CHAIN`] asks for the chain's own.
    ///
    /// # Errors
    /// If the store fails.
    pub fn read_balance(&self, chain_id: ChainId, owner: AccountOwner) -> Result<Amount, Fault> {
        let mut journal = Journal::open(self.store().clone(), chain_partition(chain_id))?;
        balances::read_balance(&mut journal, owner)
    }

    pub(crate) fn required_blob(&self, id: BlobId) -> Result<Blob, Stop> {
        self.read_blob(id)?
            .ok_or_else(|| MissingData::Blob(id).into())
    }

    /// Passes if a blob is in the store. Does not read it.
    pub(crate) fn check_blob(&self, id: BlobId) -> Result<(), Stop> {
        let key = blob_key(id);
        let page = wait(self.shared.store.scan_keys(&key, None, 1)).map_err(Fault::from)?;
        // All keys of blobs have the same length.
        match page.entries.is_empty() {
            true => Err(MissingData::Blob(id).into()),
            false => Ok(()),
        }
    }

    /// Who answers for the world outside.
    pub fn oracle(&self) -> Arc<dyn Oracle> {
        self.oracle.clone()
    }

    pub(crate) fn required_event(&self, id: &EventId) -> Result<Vec<u8>, Stop> {
        self.read_event(id)?
            .ok_or_else(|| MissingData::Event(id.clone()).into())
    }

    /// The compiled contracts.
    pub(crate) fn modules(&self) -> &Modules {
        &self.shared.modules
    }
}

/// Adds a blob to a batch, under the key by which every chain of the store finds it.
pub fn put_blob(batch: &mut Batch, blob: &Blob) {
    batch.put(blob_key(blob.id()), blob.bytes().to_vec());
}

/// The part of the store that belongs to a chain.
pub fn chain_partition(chain_id: ChainId) -> Vec<u8> {
    [&[CHAIN_TAG], chain_id.0.as_bytes().as_slice()].concat()
}

fn check_content(id: BlobId, bytes: Vec<u8>) -> Result<Blob, Fault> {
    let blob = Blob::new(BlobContent::new(id.blob_type, bytes));
    if blob.id() != id {
        let reason = format!("its content has the id {}, not {id}", blob.id());
        return Err(Fault::Damaged {
            what: "a blob",
            reason,
        });
    }
    Ok(blob)
}

const BLOB_TAG: u8 = 0x01;
const CHAIN_TAG: u8 = 0x02;

fn blob_key(id: BlobId) -> Vec<u8> {
    [
        &[BLOB_TAG, id.blob_type as u8],
        id.hash.as_bytes().as_slice(),
    ]
    .concat()
}

/// The blob that describes an application.
pub(crate) fn description_blob_id(application_id: ApplicationId) -> BlobId {
    BlobId::new(
        BlobType::ApplicationDescription,
        application_id.application_description_hash,
    )
}

/// The description that a blob holds.
pub(crate) fn decode_description<T: DeserializeOwned>(
    blob: &Blob,
    what: &'static str,
) -> Result<T, Fault> {
    bcs::from_bytes(blob.bytes()).map_err(|error| Fault::Damaged {
        what,
        reason: error.to_string(),
    })
}

pub(crate) fn decode_application(blob: &Blob) -> Option<Arc<ApplicationDescription>> {
    bcs::from_bytes(blob.bytes()).ok().map(Arc::new)
}
