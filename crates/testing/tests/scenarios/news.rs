//! A node that notices what is new on followed streams.

use futures::executor::block_on;
use resident_base::{Account, AccountOwner, AccountSecretKey, Amount, Timestamp};
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{Operation, ResourcePolicy, SessionKind, SystemOperation};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig};
use resident_testing::{TestChain, TestChains};

use crate::{
    streams::{Scene, values},
    teller::{self, Told, follow, range},
};

/// A node over the scene's chains, which checks every block in the other session.
fn node(scene: &Scene, change: impl FnOnce(&mut NodeConfig)) -> LocalNode {
    let mut config = NodeConfig {
        verify: Some(SessionKind::PerTransaction),
        threads: 2,
        clock: Clock::fixed(Timestamp::from(1_000_000)),
        ..NodeConfig::default()
    };
    change(&mut config);
    LocalNode::new(scene.chains.store().clone(), config).unwrap()
}

fn process(node: &LocalNode, chain: &TestChain) -> Option<CommittedBlock> {
    let key = (1..=2)
        .map(|seed| AccountSecretKey::from_seed([seed; 32]))
        .find(|key| key.public().owner() == chain.owner);
    block_on(node.process_inbox(chain.id, &key.expect("it is one of two"))).unwrap()
}

#[test]
fn news_enter_the_block_beside_the_bundles_once() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    scene.run(follower, &[&follow(author.id, teller)]);
    assert!(process(&node(&scene, |_| ()), follower).is_none());
    scene.run(author, &[b"ea"]);
    let transfer = SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::chain(follower.id),
        amount: Amount::ONE,
    };
    scene.chains.run(author, vec![Operation::System(transfer)]);
    scene.chains.deliver(author);
    let first = node(&scene, |_| ());
    let block = process(&first, follower).expect("there is a bundle, and an event");
    // Which of them comes first changes from turn to turn.
    let transactions = &block.executed.block.transactions;
    let bundles = transactions.iter().filter_map(Transaction::bundle).count();
    assert_eq!((transactions.len(), bundles), (2, 1), "{transactions:?}");
    assert!(process(&first, follower).is_none());
    drop(first);
    // Another start of the node knows as much.
    let second = node(&scene, |_| ());
    assert!(process(&second, follower).is_none());
    scene.run(author, &[b"eb", b"ec"]);
    process(&second, follower).expect("there are events");
    let expected = [
        range(author.id, 0, 1),
        Told::Value(b'a'),
        range(author.id, 1, 3),
        Told::Value(b'b'),
        Told::Value(b'c'),
    ];
    assert_eq!(scene.told(follower, teller), expected);
}

/// Forty events take more fuel than a transaction has, so the application is told of them in parts.
#[test]
fn too_many_events_at_once_come_in_parts() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    let letters: Vec<u8> = (0..40).map(|number| b'A' + number % 26).collect();
    let commands: Vec<[u8; 2]> = letters.iter().map(|letter| [b'e', *letter]).collect();
    scene.run(author, &[&commands.concat()]);
    scene.run(follower, &[&follow(author.id, teller)]);
    let fuel = |transactions| {
        let staged = scene
            .chains
            .stage(follower, transactions, &StagingPolicy::Abort);
        staged.unwrap().execution.report.transactions[0]
            .resources
            .wasm_fuel
    };
    let all = fuel(scene.chains.stream_updates(follower));
    let ten = fuel(vec![teller::update(teller, &[(author.id, 10)])]);
    // Between them, since loading the application costs the same for few events and for many.
    let enough_for_some = u64::midpoint(ten, all);
    assert!(ten < enough_for_some && enough_for_some < all);
    let node = node(&scene, |config| {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = enough_for_some;
        config.policy = policy.into();
        config.max_new_events = 64;
    });
    let mut blocks = 0;
    while process(&node, follower).is_some() {
        blocks += 1;
        assert!(blocks < 10);
    }
    assert!((2..=4).contains(&blocks), "{blocks} blocks");
    assert_eq!(values(&scene.told(follower, teller)), letters);
}

#[test]
fn an_application_that_always_fails_does_not_keep_the_node_busy() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let (teller, other) = (scene.teller, scene.other);
    let follows = [teller, other]
        .map(|subscriber| teller::operation(subscriber, &[&follow(author.id, teller)]));
    scene.add(follower, &follows);
    scene.run(author, &[b"ep"]);
    let node = node(&scene, |config| config.staging = TestChains::auto_retry(1));
    let block = process(&node, follower).expect("one of the applications takes the news");
    assert_eq!(block.dropped_updates.len(), 1);
    assert_eq!(block.dropped_updates[0].0.subscriber, teller);
    assert!(process(&node, follower).is_none());
    assert_eq!(scene.told(follower, other), [range(author.id, 0, 1)]);
}
