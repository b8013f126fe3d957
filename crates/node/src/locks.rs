//! One writer per chain.
//!
//! A task holds at most one of these locks at a time, but whoever holds that of an outbox may take that of an inbox, and
//! never the other way round. So they cannot deadlock, and nothing that happens on one chain waits for another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
};

use futures::lock::Mutex;
use resident_base::ChainId;

/// Past so many entries, those that nobody uses are dropped whenever another is added.
const UNUSED_ENTRIES: usize = 1024;

/// What happens one at a time on one chain.
#[derive(Default)]
pub(crate) struct ChainLock {
    /// From reading the chain's tip to having committed the next block. True while a commit may be
    /// under way whose caller has gone: a future that is dropped does not take its batch back.
    pub(crate) block: Mutex<bool>,
    /// From reading what an inbox has received to having stored more. Apart from `block`, so that
    /// bundles arrive while a block is being built.
    pub(crate) inbox: Mutex<()>,
    /// From reading what an outbox has to having delivered it, so that nothing that was parked comes back in
    /// between. True while something may be moved though the caller has gone. Who holds it may take the `inbox` of
    /// another chain.
    pub(crate) outbox: Mutex<bool>,
}

/// The locks of all chains that are in use.
#[derive(Default)]
pub(crate) struct ChainLocks(SyncMutex<BTreeMap<ChainId, Arc<ChainLock>>>);

impl ChainLocks {
    /// The one lock of this chain.
    pub(crate) fn of(&self, chain: ChainId) -> Arc<ChainLock> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() > UNUSED_ENTRIES {
            let is_set = |flag: &Mutex<bool>| flag.try_lock().is_none_or(|flag| *flag);
            let is_writing = |lock: &ChainLock| is_set(&lock.block) || is_set(&lock.outbox);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1 || is_writing(lock));
        }
        locks.entry(chain).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use resident_base::CryptoHash;

    use super::*;

    fn chain(number: usize) -> ChainId {
        ChainId(CryptoHash::of_bytes(&number.to_le_bytes()))
    }

    #[test]
    fn a_lock_in_use_stays_the_same_and_unused_ones_go() {
        let locks = ChainLocks::default();
        let used = locks.of(chain(0));
        for number in 0..3 * UNUSED_ENTRIES {
            locks.of(chain(number));
        }
        assert!(Arc::ptr_eq(&used, &locks.of(chain(0))));
        let entries = locks.0.lock().unwrap().len();
        assert!(entries <= UNUSED_ENTRIES + 2, "{entries}");
    }
}
