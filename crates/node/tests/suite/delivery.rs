//! Between chains of one node.

use futures::{executor::block_on, future::join};
use resident_base::{AccountOwner, Amount, ChainId, CryptoHash};
use resident_execution::{Operation, SystemOperation};
use resident_node::{Delivery, LocalNode};

use crate::common::{FailingStore, config, key, memory_node, pay};

async fn two_chains(node: &LocalNode) -> [ChainId; 2] {
    let ten = Amount::from_tokens(10);
    let first = node
        .create_root_chain(1, key(1).public().owner(), ten)
        .await
        .unwrap();
    let second = node
        .create_root_chain(2, key(2).public().owner(), ten)
        .await
        .unwrap();
    [first, second]
}

#[test]
fn a_delivery_that_was_cut_short_is_repeated_without_harm() {
    let store = FailingStore::new();
    let node = LocalNode::new(store.clone(), config()).unwrap();
    block_on(async {
        let [from, to] = two_chains(&node).await;
        node.propose(from, vec![pay(to, 1), pay(to, 2)], &key(1))
            .await
            .unwrap();
        // The inbox is written, the outbox is not.
        store.fail_after(1);
        node.deliver(from).await.unwrap_err();
        store.fail_after(u32::MAX);
        assert_eq!(node.reader(to).inbox_len().await.unwrap(), 2);
        // The receiver may even take the bundles before they are delivered again.
        node.process_inbox(to, &key(2)).await.unwrap().unwrap();
        assert_eq!(
            node.deliver(from).await.unwrap(),
            Delivery {
                delivered: 2,
                waiting: 0
            }
        );
        assert_eq!(
            node.process_inbox(to, &key(2))
                .await
                .unwrap()
                .map(|block| block.executed),
            None
        );
        let balance = node.balance(to, AccountOwner::CHAIN).await.unwrap();
        assert_eq!(balance, Amount::from_tokens(13));
        assert_eq!(node.deliver(from).await.unwrap(), Delivery::default());
    });
}

#[test]
fn a_block_that_was_not_stored_never_was() {
    let store = FailingStore::new();
    let node = LocalNode::new(store.clone(), config()).unwrap();
    block_on(async {
        let [from, to] = two_chains(&node).await;
        store.fail_after(0);
        node.propose(from, vec![pay(to, 1)], &key(1))
            .await
            .unwrap_err();
        store.fail_after(u32::MAX);
        assert_eq!(node.deliver_all().await.unwrap(), Delivery::default());
        let block = node.propose(from, vec![pay(to, 1)], &key(1)).await.unwrap();
        assert_eq!(block.executed.block.height.0, 0);
        assert_eq!(node.deliver_all().await.unwrap().delivered, 1);
    });
}

#[test]
fn two_deliveries_at_once_deliver_once() {
    let node = memory_node();
    block_on(async {
        let [from, to] = two_chains(&node).await;
        node.propose(from, vec![pay(to, 1)], &key(1)).await.unwrap();
        let (first, second) = join(node.deliver(from), node.deliver(from)).await;
        first.unwrap();
        second.unwrap();
        assert_eq!(node.reader(to).inbox_len().await.unwrap(), 1);
    });
}

#[test]
fn bundles_for_unknown_chains_wait_and_hold_up_nobody() {
    let node = memory_node();
    block_on(async {
        let [from, to] = two_chains(&node).await;
        let unknown = ChainId(CryptoHash::of_bytes(b"elsewhere"));
        node.propose(from, vec![pay(unknown, 1), pay(to, 1)], &key(1))
            .await
            .unwrap();
        let expected = Delivery {
            delivered: 1,
            waiting: 1,
        };
        assert_eq!(node.deliver_all().await.unwrap(), expected);
        assert_eq!(node.reader(from).outbox(9).await.unwrap().len(), 1);
    });
}

#[test]
fn what_a_closed_chain_does_not_take_comes_back() {
    let node = memory_node();
    block_on(async {
        let [from, to] = two_chains(&node).await;
        let close = Operation::System(SystemOperation::CloseChain);
        node.propose(to, vec![close], &key(2)).await.unwrap();
        node.propose(from, vec![pay(to, 4)], &key(1)).await.unwrap();
        assert_eq!(node.deliver_all().await.unwrap().delivered, 1);
        let block = node.process_inbox(to, &key(2)).await.unwrap().unwrap();
        assert_eq!(block.rejected.len(), 1);
        let error = node.propose(to, vec![pay(from, 1)], &key(2)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("the chain is closed"), "{error}");

        assert_eq!(node.deliver_all().await.unwrap().delivered, 1);
        let block = node.process_inbox(from, &key(1)).await.unwrap().unwrap();
        assert_eq!(block.rejected.len(), 0);
        for chain in [from, to] {
            let balance = node.balance(chain, AccountOwner::CHAIN).await.unwrap();
            assert_eq!(balance, Amount::from_tokens(10));
        }
    });
}
