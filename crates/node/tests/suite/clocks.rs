//! Clocks that are wrong.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::executor::block_on;
use resident_base::{AccountOwner, Amount, TimeDelta, Timestamp};
use resident_chain::WaitReason;
use resident_node::{Clock, LocalNode, NodeConfig};
use resident_storage::MemoryStore;

use crate::common::{config, key, pay};

const NOW: u64 = 1_000_000_000_000_000;
const LATE: u64 = 4_000_000_000_000_000;

struct Town {
    node: LocalNode,
    now: Arc<AtomicU64>,
}

impl Town {
    fn new() -> Self {
        let now = Arc::new(AtomicU64::new(NOW));
        let shown = now.clone();
        let config = NodeConfig {
            clock: Clock::new(move || Timestamp::from(shown.load(Ordering::SeqCst))),
            ..config()
        };
        let node = LocalNode::new(Arc::new(MemoryStore::new()), config).unwrap();
        Self { node, now }
    }

    fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }
}

/// The time of one block used to become that of every chain that took a message from it, and of those that took
/// one from them.
#[test]
fn one_wrong_reading_of_a_clock_stays_where_it_was() {
    let town = Town::new();
    let node = &town.node;
    block_on(async {
        let ten = Amount::from_tokens(10);
        let mut chains = Vec::new();
        for seed in 1..=3 {
            let owner = key(seed).public().owner();
            chains.push(
                node.create_root_chain(seed.into(), owner, ten)
                    .await
                    .unwrap(),
            );
        }
        let [wrong, right, third] = chains[..] else {
            unreachable!()
        };
        town.set(LATE);
        node.propose(wrong, vec![pay(right, 1)], &key(1))
            .await
            .unwrap();
        town.set(NOW);
        node.propose(third, vec![pay(right, 2)], &key(3))
            .await
            .unwrap();
        node.deliver_all().await.unwrap();
        // What others send is there at once; this waits for its time.
        let block = node.process_inbox(right, &key(2)).await.unwrap().unwrap();
        assert_eq!(block.executed.block.transactions.len(), 1);
        let [waiting] = &node.waiting_for(right, None, 9).await.unwrap()[..] else {
            panic!("one bundle waits")
        };
        assert_eq!((waiting.origin, waiting.tries), (wrong, 1));
        assert_eq!(waiting.reason, WaitReason::Time(Timestamp::from(LATE)));
        // Not for ever: it goes back.
        let mut calls = 1;
        let block = loop {
            calls += 1;
            if let Some(block) = node.process_inbox(right, &key(2)).await.unwrap() {
                break block;
            }
        };
        assert_eq!(calls, 4);
        assert_eq!(block.given_up.len(), 1);
        assert_eq!(block.executed.block.timestamp, Timestamp::from(NOW));
        assert_eq!(
            node.tip(right).await.unwrap().timestamp,
            Timestamp::from(NOW)
        );
        assert_eq!(node.waiting_for(right, None, 9).await.unwrap(), []);
        node.deliver_all().await.unwrap();
        node.process_inbox(wrong, &key(1)).await.unwrap().unwrap();
        let balances = [(wrong, 10), (right, 12), (third, 8)];
        for (chain, tokens) in balances {
            let balance = node.balance(chain, AccountOwner::CHAIN).await.unwrap();
            assert_eq!(balance, Amount::from_tokens(tokens));
        }
    });
}

#[test]
fn clocks_may_differ_a_little() {
    let town = Town::new();
    let node = &town.node;
    block_on(async {
        let ten = Amount::from_tokens(10);
        let from = node
            .create_root_chain(1, key(1).public().owner(), ten)
            .await
            .unwrap();
        let to = node
            .create_root_chain(2, key(2).public().owner(), ten)
            .await
            .unwrap();
        let skew = node.config().max_clock_skew;
        let ahead = Timestamp::from(NOW).saturating_add(skew);
        town.set(ahead.micros());
        node.propose(from, vec![pay(to, 1)], &key(1)).await.unwrap();
        town.set(NOW);
        node.deliver_all().await.unwrap();
        let block = node.process_inbox(to, &key(2)).await.unwrap().unwrap();
        // A message does not arrive before it was sent.
        assert_eq!(block.executed.block.timestamp, ahead);
        // And what is a little too early has only to wait for its time.
        let later = ahead
            .saturating_add(skew)
            .saturating_add(TimeDelta::from_secs(1));
        town.set(later.micros());
        node.propose(from, vec![pay(to, 1)], &key(1)).await.unwrap();
        town.set(NOW);
        node.deliver_all().await.unwrap();
        assert!(node.process_inbox(to, &key(2)).await.unwrap().is_none());
        town.set(later.micros() - 1);
        let block = node.process_inbox(to, &key(2)).await.unwrap().unwrap();
        assert_eq!(block.executed.block.timestamp, later);
        assert_eq!((block.rejected.len(), block.given_up.len()), (0, 0));
    });
}
