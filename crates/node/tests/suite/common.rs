//! Keys, nodes, and a store that fails when it is told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use futures::{channel::oneshot, executor::block_on, future::ready};
use resident_base::{
    Account, AccountOwner, AccountSecretKey, Amount, ApplicationPermissions, ChainId,
    ChainOwnership, Timestamp,
};
use resident_execution::{Operation, SystemOperation};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig};
use resident_storage::{Batch, KeyValueStore, MemoryStore, Page, StoreError, StoreFuture};

pub(crate) fn key(seed: u8) -> AccountSecretKey {
    AccountSecretKey::from_seed([seed; 32])
}

pub(crate) fn config() -> NodeConfig {
    let clock = Clock::fixed(Timestamp::from(1_000));
    NodeConfig {
        clock,
        threads: 2,
        ..NodeConfig::default()
    }
}

pub(crate) fn memory_node() -> LocalNode {
    LocalNode::new(Arc::new(MemoryStore::new()), config()).unwrap()
}

/// A payment from the chain's own balance to that of another.
pub(crate) fn pay(chain: ChainId, tokens: u128) -> Operation {
    Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::chain(chain),
        amount: Amount::from_tokens(tokens),
    })
}

pub(crate) fn open_chain(owner: AccountOwner) -> Operation {
    Operation::System(SystemOperation::OpenChain {
        ownership: ChainOwnership::single(owner),
        balance: Amount::ONE,
        application_permissions: ApplicationPermissions::default(),
    })
}

pub(crate) fn opened(block: &CommittedBlock) -> ChainId {
    bcs::from_bytes(block.responses().next().unwrap()).unwrap()
}

/// Writes behind the caller's back, in order, and only when it is told to.
#[derive(Default)]
pub(crate) struct SlowStore {
    inner: MemoryStore,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    is_held: bool,
    waiting: Vec<(Batch, oneshot::Sender<()>)>,
}

impl SlowStore {
    /// Batches wait from now on.
    pub(crate) fn hold(&self) {
        self.queue.lock().unwrap().is_held = true;
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().unwrap().waiting.len()
    }

    /// Writes what waits, and no longer holds anything.
    pub(crate) fn release(&self) {
        let mut queue = self.queue.lock().unwrap();
        queue.is_held = false;
        for (batch, answer) in queue.waiting.drain(..) {
            block_on(self.inner.write(batch)).unwrap();
            let _ = answer.send(());
        }
    }
}

impl KeyValueStore for SlowStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(prefix, start_after, limit)
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        self.inner.scan_keys(prefix, start_after, limit)
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        let mut queue = self.queue.lock().unwrap();
        if !queue.is_held {
            return self.inner.write(batch);
        }
        let (answer, answered) = oneshot::channel();
        queue.waiting.push((batch, answer));
        Box::pin(async move { answered.await.map_err(|_| StoreError::Closed) })
    }
}

/// Fails after so many more writes.
pub(crate) struct FailingStore {
    inner: MemoryStore,
    writes_left: AtomicU32,
}

impl FailingStore {
    pub(crate) fn new() -> Arc<Self> {
        let writes_left = AtomicU32::new(u32::MAX);
        Arc::new(Self {
            inner: MemoryStore::new(),
            writes_left,
        })
    }

    pub(crate) fn fail_after(&self, writes: u32) {
        self.writes_left.store(writes, Ordering::SeqCst);
    }
}

impl KeyValueStore for FailingStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(prefix, start_after, limit)
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        self.inner.scan_keys(prefix, start_after, limit)
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        let left = self.writes_left.load(Ordering::SeqCst);
        if left == 0 {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        self.writes_left.store(left - 1, Ordering::SeqCst);
        self.inner.write(batch)
    }
}
