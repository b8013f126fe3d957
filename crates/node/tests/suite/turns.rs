//! Senders take turns in an inbox.

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::{AccountOwner, Amount, ChainId};
use resident_node::{LocalNode, NodeConfig};
use resident_storage::MemoryStore;

use crate::common::{config, key, pay};

/// A receiver, with key 0, and senders in the order of their ids, each with the seed of its key.
struct Town {
    node: LocalNode,
    receiver: ChainId,
    senders: Vec<(ChainId, u8)>,
}

impl Town {
    fn new(senders: u8, max_bundles: usize) -> Self {
        let config = NodeConfig {
            max_bundles,
            ..config()
        };
        let node = LocalNode::new(Arc::new(MemoryStore::new()), config).unwrap();
        let chain = |seed: u8| {
            let owner = key(seed).public().owner();
            block_on(node.create_root_chain(seed.into(), owner, Amount::from_tokens(1_000)))
                .unwrap()
        };
        let receiver = chain(0);
        let mut senders: Vec<_> = (1..=senders).map(|seed| (chain(seed), seed)).collect();
        senders.sort();
        Self {
            node,
            receiver,
            senders,
        }
    }

    /// So many payments of one token, each in a bundle of its own.
    fn send(&self, sender: usize, count: usize) {
        let (chain, seed) = self.senders[sender];
        let payments = vec![pay(self.receiver, 1); count];
        block_on(async {
            self.node
                .propose(chain, payments, &key(seed))
                .await
                .unwrap();
            self.node.deliver(chain).await.unwrap();
        });
    }

    /// The senders in the next block.
    fn process(&self) -> Vec<usize> {
        let block = block_on(self.node.process_inbox(self.receiver, &key(0))).unwrap();
        let Some(block) = block else {
            return Vec::new();
        };
        let bundles = block.executed.block.transactions.iter();
        let senders = bundles.map(|transaction| {
            let origin = transaction.bundle().unwrap().origin;
            self.senders
                .iter()
                .position(|(chain, _)| *chain == origin)
                .unwrap()
        });
        senders.collect()
    }

    fn received(&self) -> Amount {
        let balance = block_on(self.node.balance(self.receiver, AccountOwner::CHAIN)).unwrap();
        balance.try_sub(Amount::from_tokens(1_000)).unwrap()
    }
}

/// The sender with the lowest id used to fill block after block.
#[test]
fn a_sender_of_many_bundles_does_not_hold_up_one_of_few() {
    let town = Town::new(2, 4);
    town.send(0, 40);
    town.send(1, 2);
    assert_eq!(town.process(), [0, 1, 0, 1]);
    assert_eq!(town.process(), [0; 4]);
}

/// Whoever had a low id and sent something for each block used to be in each.
#[test]
fn everybody_is_reached_in_as_many_blocks_as_it_takes_for_one_of_each() {
    let town = Town::new(9, 2);
    (0..9).for_each(|sender| town.send(sender, 1));
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.extend(town.process());
        // The first ones are there again at once.
        (0..4).for_each(|sender| town.send(sender, 1));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn what_is_paid_arrives_once_however_the_turns_fall() {
    let town = Town::new(5, 3);
    for (sender, count) in [(0, 7), (1, 1), (2, 12), (3, 0), (4, 2)] {
        if count > 0 {
            town.send(sender, count);
        }
    }
    let mut blocks = 0;
    while !town.process().is_empty() {
        blocks += 1;
    }
    assert_eq!(blocks, 8);
    assert_eq!(town.received(), Amount::from_tokens(22));
    assert_eq!(
        block_on(town.node.reader(town.receiver).inbox_len()).unwrap(),
        0
    );
}
