//! Applications take turns with the news of streams that they follow, whoever else fails on them.

use resident_base::{Amount, ApplicationId, Bytecode, ChainId, CryptoHash};
use resident_chain::{DropReason, Transaction};
use resident_node::{CommittedBlock, NodeConfig};

use crate::{
    evil::{self, Do},
    net::{Net, pay, run},
};

const AUTHOR: u8 = 1;
const FOLLOWER: u8 = 2;

struct Scene {
    net: Net,
    author: ChainId,
    follower: ChainId,
    /// Emits.
    source: ApplicationId,
}

impl Scene {
    fn new(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let net = Net::with(change);
        let [author, follower] = [AUTHOR, FOLLOWER].map(|seed| net.chain(seed));
        let source = net.evil(author, AUTHOR, 1)[0];
        Self {
            net,
            author,
            follower,
            source,
        }
    }

    /// Applications that fail when they are told of anything.
    fn deaf(&self, count: usize) -> Vec<ApplicationId> {
        self.create(evil::deaf_code(), count)
    }

    fn create(&self, code: Bytecode, count: usize) -> Vec<ApplicationId> {
        let module = self
            .net
            .publish(self.author, AUTHOR, code, Bytecode::new(vec![]));
        self.net.create(self.author, AUTHOR, module, count)
    }

    fn follow(&self, id: ApplicationId, streams: u32) {
        let follow = Do::new().follow(self.author, self.source, streams);
        self.net
            .propose(self.follower, FOLLOWER, vec![run(id, &follow)]);
    }

    /// One event to each of so many streams.
    fn emit(&self, streams: u32) {
        let emit = Do::new().emit(streams);
        self.net
            .propose(self.author, AUTHOR, vec![run(self.source, &emit)]);
    }

    fn process(&self) -> Option<CommittedBlock> {
        self.net.inbox(self.follower, FOLLOWER).unwrap()
    }
}

fn told(block: &CommittedBlock) -> Vec<ApplicationId> {
    let transactions = block.executed.block.transactions.iter();
    let updates = transactions.filter_map(|transaction| match transaction {
        Transaction::UpdateStreams(update) => Some(update.subscriber),
        _ => None,
    });
    updates.collect()
}

/// Ten applications that follow a thousand streams each used to be all that was ever tried.
#[test]
fn those_who_fail_on_thousands_of_streams_keep_nobody_from_news() {
    let scene = Scene::new(|_| ());
    let deaf = scene.deaf(11);
    let honest = scene.create(evil::code(), 3);
    deaf.iter().for_each(|id| scene.follow(*id, 1_000));
    honest.iter().for_each(|id| scene.follow(*id, 1));
    scene.emit(1_000);
    let (mut seen, mut blocks) = (Vec::new(), 0);
    while let Some(block) = scene.process() {
        seen.extend(told(&block));
        blocks += 1;
    }
    seen.sort();
    let mut expected = honest;
    expected.sort();
    assert_eq!(seen, expected);
    assert!(blocks <= 2, "{blocks} blocks");
}

/// It used to be told in every block, at full cost.
#[test]
fn who_fails_on_news_backs_off() {
    let scene = Scene::new(|_| ());
    let deaf = scene.deaf(1);
    scene.follow(deaf[0], 1);
    scene.emit(1);
    let mut runs = 0;
    for _ in 0..100 {
        scene
            .net
            .propose(scene.author, AUTHOR, vec![pay(scene.follower, 1)]);
        scene.net.deliver();
        let block = scene.process().expect("there is a payment");
        runs += block.dropped_updates.len();
    }
    // In the turns 1, 2, 4, 8 … 64.
    assert_eq!(runs, 7);
    assert_eq!(
        scene.net.balance(scene.follower),
        Amount::from_tokens(1_100)
    );
}

/// An application that never ends used to be run ten times in each call without a block: for a thousand events, for
/// half as many, and so on.
#[test]
fn who_never_ends_is_not_run_again_and_again() {
    let scene = Scene::new(|config| {
        let mut policy = resident_execution::ResourcePolicy::default();
        policy.limits.transaction_fuel = 12_000_000;
        config.policy = policy.into();
    });
    let endless = scene.create(evil::endless_code(), 1);
    scene.follow(endless[0], 200);
    scene.emit(200);
    // In a call of its own it is told less four times; then it backs off, in calls without a block as well.
    assert!(scene.process().is_none());
    let mut runs = 0;
    for _ in 0..63 {
        scene
            .net
            .propose(scene.author, AUTHOR, vec![pay(scene.follower, 1)]);
        scene.net.deliver();
        let block = scene.process().expect("there is a payment");
        for (_, reason) in &block.dropped_updates {
            assert!(matches!(reason, DropReason::Failed(_)), "{reason:?}");
        }
        runs += block.dropped_updates.len();
    }
    assert!(runs <= 6, "{runs} runs");
}

/// A block of news alone used to end a call in which the bundles that were tried wait for something: those behind,
/// which do not, were not tried in it.
#[test]
fn news_do_not_end_a_call_before_every_sender_was_tried() {
    let scene = Scene::new(|config| config.max_bundles = 1);
    let honest = scene.create(evil::code(), 1);
    scene.follow(honest[0], 1);
    scene.emit(1);
    // Senders are asked in the order of their ids at first.
    let mut senders: Vec<_> = [10, 11].map(|seed| (scene.net.chain(seed), seed)).into();
    senders.sort();
    let [(first, key), (payer, payer_key)] = senders[..] else {
        unreachable!()
    };
    let never = CryptoHash::of_bytes(b"no blob has this hash");
    let waits = Do::new().assert_blob(never);
    let send = Do::new().send(scene.follower, false, &waits);
    scene
        .net
        .propose(first, key, vec![run(scene.source, &send)]);
    scene
        .net
        .propose(payer, payer_key, vec![pay(scene.follower, 5)]);
    scene.net.deliver();
    let before = scene.net.balance(scene.follower);
    let block = scene.process().expect("there is a payment");
    assert_eq!(block.executed.block.transactions.len(), 1);
    let paid = before.saturating_add(Amount::from_tokens(5));
    assert_eq!(scene.net.balance(scene.follower), paid);
    // The news are told in the next one.
    let block = scene.process().expect("there are news");
    assert_eq!(told(&block), honest);
}
