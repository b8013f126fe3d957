//! Bundles for chains that the node does not keep.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::executor::block_on;
use resident_base::{AccountOwner, Amount, ChainId, CryptoHash};
use resident_node::{Delivery, LocalNode};
use resident_storage::{Batch, KeyValueStore, MemoryStore, Page, StoreFuture};

use crate::common::{FailingStore, config, key, memory_node, open_chain, opened, pay};

fn nowhere(number: u32) -> ChainId {
    ChainId(CryptoHash::of_bytes(&number.to_le_bytes()))
}

async fn root(node: &LocalNode, seed: u8) -> ChainId {
    let owner = key(seed).public().owner();
    let balance = Amount::from_tokens(10_000);
    node.create_root_chain(seed.into(), owner, balance)
        .await
        .unwrap()
}

/// A thousand of them in front of an outbox used to be all that was ever looked at.
#[test]
fn what_cannot_be_delivered_holds_up_nothing_else() {
    let node = memory_node();
    block_on(async {
        let [from, to] = [root(&node, 1).await, root(&node, 2).await];
        for page in 0..3 {
            let lost = (0..500).map(|number| pay(nowhere(page * 500 + number), 1));
            node.propose(from, lost.collect(), &key(1)).await.unwrap();
        }
        node.propose(from, vec![pay(to, 5)], &key(1)).await.unwrap();
        let expected = Delivery {
            delivered: 1,
            waiting: 1_500,
        };
        assert_eq!(node.deliver(from).await.unwrap(), expected);
        assert_eq!(node.deliver(from).await.unwrap().waiting, 1_500);
        node.process_inbox(to, &key(2)).await.unwrap().unwrap();
        let balance = node.balance(to, AccountOwner::CHAIN).await.unwrap();
        assert_eq!(balance, Amount::from_tokens(10_005));
    });
}

/// Counts what is read.
#[derive(Default)]
struct CountingStore {
    inner: MemoryStore,
    entries: AtomicUsize,
}

impl CountingStore {
    fn count(&self, entries: usize) {
        self.entries.fetch_add(entries.max(1), Ordering::SeqCst);
    }
}

impl KeyValueStore for CountingStore {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.count(1);
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        self.count(keys.len());
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        Box::pin(async move {
            let page = self.inner.scan(prefix, start_after, limit).await?;
            self.count(page.entries.len());
            Ok(page)
        })
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        Box::pin(async move {
            let page = self.inner.scan_keys(prefix, start_after, limit).await?;
            self.count(page.entries.len());
            Ok(page)
        })
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        self.inner.write(batch)
    }
}

#[test]
fn what_waits_for_a_chain_is_looked_at_once() {
    let store = Arc::new(CountingStore::default());
    let node = LocalNode::new(store.clone(), config()).unwrap();
    block_on(async {
        let from = root(&node, 1).await;
        let lost = (0..500).map(|number| pay(nowhere(number), 1));
        node.propose(from, lost.collect(), &key(1)).await.unwrap();
        node.deliver(from).await.unwrap();
        store.entries.store(0, Ordering::SeqCst);
        assert_eq!(node.deliver(from).await.unwrap().waiting, 500);
        let entries = store.entries.load(Ordering::SeqCst);
        assert!(entries < 10, "{entries} entries were read");
    });
}

#[test]
fn what_was_parked_comes_in_order_when_the_chain_is_known() {
    let node = memory_node();
    let elsewhere = memory_node();
    block_on(async {
        let [from, parent] = [root(&node, 1).await, root(&node, 2).await];
        // The same chain, with the same child, on another node: so its id is known before it is opened here.
        root(&elsewhere, 2).await;
        let open = || vec![open_chain(key(3).public().owner())];
        let child = elsewhere.propose(parent, open(), &key(2)).await.unwrap();
        let child = opened(&child);
        for tokens in 1..=3 {
            node.propose(from, vec![pay(child, tokens)], &key(1))
                .await
                .unwrap();
            assert_eq!(node.deliver(from).await.unwrap().delivered, 0);
        }
        node.propose(from, vec![pay(child, 4)], &key(1))
            .await
            .unwrap();
        assert_eq!(
            opened(&node.propose(parent, open(), &key(2)).await.unwrap()),
            child
        );
        // What is sent now comes behind what was parked.
        let expected = Delivery {
            delivered: 4,
            waiting: 0,
        };
        assert_eq!(node.deliver(from).await.unwrap(), expected);
        let block = node.process_inbox(child, &key(3)).await.unwrap().unwrap();
        assert_eq!(block.executed.block.transactions.len(), 4);
        let balance = node.balance(child, AccountOwner::CHAIN).await.unwrap();
        assert_eq!(balance, Amount::from_tokens(11));
        assert_eq!(node.deliver_all().await.unwrap(), Delivery::default());
    });
}

/// However many writes happen before the store fails, nothing is lost and nothing arrives twice.
#[test]
fn parking_and_coming_back_can_be_cut_short() {
    for parked in 0..3 {
        for known in 0..6 {
            let store = FailingStore::new();
            let node = LocalNode::new(store.clone(), config()).unwrap();
            block_on(async {
                let from = root(&node, 1).await;
                let to = root(&memory_node(), 2).await;
                node.propose(from, vec![pay(to, 1), pay(to, 2)], &key(1))
                    .await
                    .unwrap();
                store.fail_after(parked);
                let _ = node.deliver(from).await;
                store.fail_after(u32::MAX);
                node.deliver(from).await.unwrap();
                assert_eq!(root(&node, 2).await, to);
                store.fail_after(known);
                let _ = node.deliver(from).await;
                store.fail_after(u32::MAX);
                node.deliver(from).await.unwrap();
                node.process_inbox(to, &key(2)).await.unwrap().unwrap();
                let balance = node.balance(to, AccountOwner::CHAIN).await.unwrap();
                assert_eq!(balance, Amount::from_tokens(10_003), "{parked} {known}");
                assert_eq!(node.deliver(from).await.unwrap(), Delivery::default());
            });
        }
    }
}
