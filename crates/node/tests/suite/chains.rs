//! Creating chains and proposing their blocks.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use futures::{executor::block_on, future::try_join_all};
use resident_base::{AccountOwner, Amount, BlockHeight, ChainId, CryptoHash};
use resident_chain::BlockError;
use resident_execution::SessionKind;
use resident_node::{LocalNode, NodeConfig, NodeError};

use crate::common::{SlowStore, config, key, memory_node, open_chain, opened, pay};

#[test]
fn a_block_is_signed_stored_and_found_after_opening_the_folder_again() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, owner) = (key(1), key(1).public().owner());
    let (chain, block) = block_on(async {
        let node = LocalNode::open(folder.path(), config()).unwrap();
        let chain = node
            .create_root_chain(0, owner, Amount::from_tokens(5))
            .await
            .unwrap();
        let block = node
            .propose(chain, vec![open_chain(owner)], &alice)
            .await
            .unwrap();
        (chain, block)
    });
    let node = LocalNode::open(folder.path(), config()).unwrap();
    block_on(async {
        let stored = node
            .executed_block(chain, BlockHeight(0))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored, block.executed);
        let signature = node
            .signature(chain, BlockHeight(0))
            .await
            .unwrap()
            .unwrap();
        signature.verify(&stored.block, owner).unwrap();
        let tip = node.tip(chain).await.unwrap();
        assert_eq!(
            (tip.next_height, tip.block_hash),
            (BlockHeight(1), Some(stored.hash()))
        );
        let balance = node.balance(chain, AccountOwner::CHAIN).await.unwrap();
        assert_eq!(balance, Amount::from_tokens(4));
        let mut chains = vec![chain, opened(&block)];
        chains.sort();
        assert_eq!(node.chains(None, 10).await.unwrap(), chains);
    });
}

#[test]
fn only_owners_propose_and_only_on_chains_that_exist() {
    let node = memory_node();
    block_on(async {
        let chain = node
            .create_root_chain(0, key(1).public().owner(), Amount::ONE)
            .await
            .unwrap();
        let error = node
            .propose(chain, vec![pay(chain, 0)], &key(2))
            .await
            .unwrap_err();
        assert!(matches!(error, NodeError::NotAnOwner { .. }), "{error}");
        let unknown = ChainId(CryptoHash::of_bytes(b"nowhere"));
        let error = node
            .propose(unknown, vec![pay(chain, 0)], &key(1))
            .await
            .unwrap_err();
        assert!(matches!(error, NodeError::UnknownChain { .. }), "{error}");
        let nothing = node.process_inbox(unknown, &key(1)).await;
        assert!(matches!(nothing, Ok(None)));
        assert_eq!(node.tip(chain).await.unwrap().next_height, BlockHeight(0));
    });
}

/// A caller that loses patience does not take its batch back. The next block must come after it, not in
/// its place.
#[test]
fn a_commit_whose_caller_has_gone_is_waited_for() {
    let store = Arc::new(SlowStore::default());
    let node = Arc::new(LocalNode::new(store.clone(), config()).unwrap());
    let alice = key(1);
    let owner = alice.public().owner();
    let chain = block_on(node.create_root_chain(0, owner, Amount::from_tokens(9))).unwrap();
    store.hold();
    let mut abandoned = Box::pin(node.propose(chain, vec![pay(chain, 1)], &alice));
    block_on(poll_fn(|context| {
        assert!(abandoned.as_mut().poll(context).is_pending());
        match store.waiting() {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }));
    drop(abandoned);

    let next = node.clone();
    let next = std::thread::spawn(move || {
        block_on(next.propose(chain, vec![pay(chain, 2)], &key(1))).unwrap()
    });
    // Without waiting, the second block's batch would be here at some time.
    std::thread::sleep(Duration::from_millis(50));
    store.release();
    let second = next.join().unwrap();
    assert_eq!(second.executed.block.height, BlockHeight(1));
    let first = block_on(node.executed_block(chain, BlockHeight(0))).unwrap();
    let first = first.expect("the first block was committed after all");
    assert_eq!(
        second.executed.block.previous_block_hash,
        Some(first.hash())
    );
}

#[test]
fn a_failing_operation_refuses_the_block_and_the_next_one_goes_through() {
    let node = memory_node();
    block_on(async {
        let alice = key(1);
        let chain = node
            .create_root_chain(0, alice.public().owner(), Amount::ONE)
            .await
            .unwrap();
        let error = node.propose(
            chain,
            vec![open_chain(alice.public().owner()), pay(chain, 9)],
            &alice,
        );
        let NodeError::Block { source, .. } = error.await.unwrap_err() else {
            panic!("another error");
        };
        assert!(
            matches!(*source, BlockError::TransactionFailed { index: 1, .. }),
            "{source}"
        );
        assert_eq!(node.chains(None, 10).await.unwrap(), [chain]);
        node.propose(chain, vec![open_chain(alice.public().owner())], &alice)
            .await
            .unwrap();
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    let node = memory_node();
    block_on(async {
        let owner = key(1).public().owner();
        let chain = node.create_root_chain(0, owner, Amount::ONE).await.unwrap();
        let operations = vec![open_chain(owner)];
        let first = node
            .dry_run(chain, operations.clone(), Some(owner))
            .await
            .unwrap();
        assert_eq!(
            node.dry_run(chain, operations.clone(), Some(owner))
                .await
                .unwrap(),
            first
        );
        let block = node.propose(chain, operations, &key(1)).await.unwrap();
        assert_eq!(block.executed.outcome, first);
    });
}

#[test]
fn blocks_of_many_chains_run_at_once_and_verified() {
    let verify = Some(SessionKind::PerTransaction);
    let store = std::sync::Arc::new(resident_storage::MemoryStore::new());
    let node = LocalNode::new(store, NodeConfig { verify, ..config() }).unwrap();
    block_on(async {
        let create = |index: u8| {
            let owner = key(index).public().owner();
            node.create_root_chain(index.into(), owner, Amount::from_tokens(100))
        };
        let chains = try_join_all((0..8).map(create)).await.unwrap();
        // Four proposals for each chain at the same time: they take turns.
        let proposals = (0..32).map(|number: u8| {
            let index = usize::from(number % 8);
            let target = chains[(index + 1) % 8];
            let (node, chain) = (&node, chains[index]);
            async move {
                node.propose(chain, vec![pay(target, 1)], &key(number % 8))
                    .await
            }
        });
        try_join_all(proposals).await.unwrap();
        for chain in &chains {
            assert_eq!(node.tip(*chain).await.unwrap().next_height, BlockHeight(4));
            let balance = node.balance(*chain, AccountOwner::CHAIN).await.unwrap();
            assert_eq!(balance, Amount::from_tokens(96));
        }
        assert_eq!(node.deliver_all().await.unwrap().delivered, 32);
        for (index, chain) in (0..).zip(&chains) {
            let block = node
                .process_inbox(*chain, &key(index))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(block.executed.block.transactions.len(), 4);
            let balance = node.balance(*chain, AccountOwner::CHAIN).await.unwrap();
            assert_eq!(balance, Amount::from_tokens(100));
        }
    });
}
