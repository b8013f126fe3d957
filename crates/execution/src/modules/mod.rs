//! Compiled contracts and services: made once, remembered in memory, and kept on disk beyond the process.
//!
//! A contract is first *prepared*, always from its published bytes, and then *compiled*, unless the disk
//! has the code for the prepared module's hash. Preparing is a small part of compiling, so keeping its
//! result on disk would save little, and what decides whether a module is accepted never comes from
//! there.

mod disk;
mod memory;
mod refused;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use resident_base::{Blob, BlobType, CryptoHash};
use resident_wasm::{EngineError, prepare::PreparedModule, prepare_contract, prepare_service};

use self::{
    disk::{DiskCache, OpenCache},
    memory::MemoryCache,
    refused::Refused,
};
use crate::{
    EngineKind, FailureReason, Stop,
    contract::{ContractEngine, ContractModule},
    runtime::RuntimeHandle,
};

/// A contract or a service, compiled for the node's engine.
pub(crate) type Module = ContractModule<RuntimeHandle>;

/// Where compiled contracts are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleCacheConfig {
    /// The most memory that compiled contracts take while no block uses them, in bytes.
    pub memory_bytes: usize,
    /// The folder for compiled contracts on disk, made when the first contract is compiled; none keeps
    /// them in memory only. Several nodes of one user may share a folder. Other users must not be able
    /// to write to it, because the code in it is run.
    pub folder: Option<PathBuf>,
    /// The most that this program keeps in the folder, in bytes; zero leaves the disk alone.
    pub folder_bytes: u64,
}

impl Default for ModuleCacheConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            folder: None,
            folder_bytes: 1 << 30,
        }
    }
}

/// How contracts were made ready since an executor was set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleCounts {
    /// Contracts that were compiled.
    pub compiled: u64,
    /// Contracts whose code came from the disk.
    pub loaded: u64,
}

/// Makes compiled contracts, and finds those that were made before.
pub(crate) struct Modules {
    engine: ContractEngine<RuntimeHandle>,
    /// By the hash of the contract's blob.
    remembered: MemoryCache<Module>,
    /// What the engine would not compile.
    refused: Refused,
    disk: Option<DiskCache>,
    compiled: AtomicU64,
    loaded: AtomicU64,
}

impl Modules {
    pub(crate) fn new(kind: EngineKind, config: ModuleCacheConfig) -> Result<Self, EngineError> {
        let limit = config.folder_bytes;
        let folder = config.folder.filter(|_| limit > 0);
        Ok(Modules {
            engine: ContractEngine::new(kind)?,
            remembered: MemoryCache::new(config.memory_bytes),
            refused: Refused::default(),
            disk: folder.map(|folder| DiskCache::new(folder, limit)),
            compiled: AtomicU64::new(0),
            loaded: AtomicU64::new(0),
        })
    }

    pub(crate) fn counts(&self) -> ModuleCounts {
        ModuleCounts {
            compiled: self.compiled.load(Ordering::Relaxed),
            loaded: self.loaded.load(Ordering::Relaxed),
        }
    }

    /// The compiled contract by its hash, if memory has it.
    pub(crate) fn get(&self, contract: CryptoHash) -> Option<Arc<Module>> {
        self.remembered.get(contract)
    }

    /// The compiled contract, from memory, from disk or made now.
    pub(crate) fn get_or_make(&self, contract: &Blob) -> Result<Arc<Module>, Stop> {
        self.remembered.get_or_make(contract.id().hash, || {
            self.refused.check(contract.id())?;
            let prepared = prepare(contract)?;
            let disk = self.disk.as_ref().and_then(DiskCache::open);
            let loaded = disk.and_then(|disk| self.load(disk, &prepared));
            let module = match loaded {
                Some(module) => module,
                None => self.compile_for(disk, contract, &prepared)?,
            };
            let bytes = module.size_bytes();
            Ok((Arc::new(module), bytes))
        })
    }

    /// Compiles a contract, and does not remember it anywhere.
    pub(crate) fn compile(&self, contract: &Blob) -> Result<Arc<Module>, Stop> {
        self.refused.check(contract.id())?;
        let module = self.compile_for(None, contract, &prepare(contract)?)?;
        Ok(Arc::new(module))
    }

    /// Whatever is wrong with what the disk has, the contract can be compiled again.
    fn load(&self, disk: &OpenCache, prepared: &Arc<PreparedModule>) -> Option<Module> {
        let name = self.entry_name(prepared);
        let entry = disk.read(&name)?;
        match self
            .engine
            .deserialize(prepared.clone(), &entry, disk.key())
        {
            Ok(module) => {
                self.loaded.fetch_add(1, Ordering::Relaxed);
                Some(module)
            }
            Err(error) => {
                let folder = disk.folder().display();
                log::warn!("{folder}: {name}: {error}; compiling the contract again");
                None
            }
        }
    }

    fn compile_for(
        &self,
        disk: Option<&OpenCache>,
        contract: &Blob,
        prepared: &Arc<PreparedModule>,
    ) -> Result<Module, Stop> {
        let module = self.engine.compile(prepared.clone());
        let module = module.map_err(|error| self.refused.note(contract.id(), error))?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        if let Some(disk) = disk {
            match module.serialize(disk.key()) {
                Ok(entry) => disk.write(&self.entry_name(prepared), &entry),
                Err(error) => log::warn!("a compiled contract is not kept on disk: {error}"),
            }
        }
        Ok(module)
    }

    /// Names the module and the engine, so that engines and their versions can share a folder.
    fn entry_name(&self, prepared: &PreparedModule) -> String {
        let (hash, engine) = (prepared.hash(), self.engine.identity());
        format!("{hash}.{engine}{}", disk::SUFFIX)
    }
}

/// A blob is the one or the other by its type, and the type is part of the hash that it is remembered by.
fn prepare(code: &Blob) -> Result<Arc<PreparedModule>, FailureReason> {
    let prepared = match code.id().blob_type {
        BlobType::ServiceBytecode => {
            prepare_service::<RuntimeHandle>(code.bytes()).map_err(FailureReason::Service)
        }
        _ => prepare_contract::<RuntimeHandle>(code.bytes()).map_err(FailureReason::Module),
    };
    prepared.map(Arc::new)
}
