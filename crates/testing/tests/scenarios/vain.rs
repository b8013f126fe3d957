//! What a node does in vain, for which nobody pays: how much in one call, and for how long.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::executor::block_on;
use resident_base::{
    Amount, ApplicationId, Blob, BlobContent, ChainId, CryptoHash, TimeDelta, Timestamp,
};
use resident_chain::{Transaction, receive_bundles};
use resident_execution::{Operation, ResourcePolicy, SystemOperation};
use resident_node::{Clock, LocalNode, NodeConfig};

use crate::{
    bundles::{self, stranger},
    evil::Do,
    net::{Net, pay},
};

const SENDER: u8 = 1;
const RECEIVER: u8 = 2;
const FUEL: u64 = 2_000_000;
const LATE: &[u8] = b"a blob that comes late";

struct Scene {
    net: Net,
    sender: ChainId,
    receiver: ChainId,
    app: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let net = Net::with(|config| {
            let mut policy = ResourcePolicy::default();
            policy.limits.transaction_fuel = FUEL;
            config.policy = policy.into();
            change(config);
        });
        let [sender, receiver] = [SENDER, RECEIVER].map(|seed| net.chain(seed));
        let app = net.evil(sender, SENDER, 1)[0];
        Self {
            net,
            sender,
            receiver,
            app,
        }
    }

    /// Puts a bundle into the inbox that no chain sent.
    fn receive(&self, origin: u8, commands: Do) {
        let messages = vec![(self.app, commands.0)];
        let bundle = bundles::bundle(stranger(origin), 1, None, messages);
        let Transaction::ReceiveMessages(incoming) = bundle else {
            unreachable!("it is a bundle")
        };
        let store = self.net.node.store();
        let bundles = vec![incoming.bundle];
        let received = receive_bundles(&**store, self.receiver, incoming.origin, bundles);
        block_on(store.write(block_on(received).unwrap())).unwrap();
    }

    /// Calls until nothing is left in the inbox, and answers how often.
    fn empty_inbox(&self, most: usize, mut between: impl FnMut()) -> usize {
        for calls in 1..=most {
            self.net.inbox(self.receiver, RECEIVER).unwrap();
            if self.net.waiting(self.receiver) == 0 {
                return calls;
            }
            between();
        }
        panic!("something still waits after {most} calls")
    }

    fn publish(&self) {
        let publish = SystemOperation::PublishDataBlob {
            bytes: LATE.to_vec(),
        };
        let operations = vec![Operation::System(publish)];
        self.net.propose(self.sender, SENDER, operations);
    }

    fn tried(&self) -> usize {
        let waiting = block_on(self.net.node.waiting_for(self.receiver, None, 1_000));
        waiting.unwrap().len()
    }
}

fn late() -> CryptoHash {
    Blob::new(BlobContent::new_data(LATE)).id().hash
}

fn needs_it() -> Do {
    Do::new().assert_blob(late())
}

/// Bundles that spend their fuel and then want a blob that there is not. One call used to run all of them, however many
/// there were: with ten thousand and the default limits that is hours, three times.
#[test]
fn one_call_runs_only_so_much_of_what_finds_something_missing() {
    for has_honest in [true, false] {
        let scene = Scene::new();
        for origin in 0..60 {
            scene.receive(origin, Do::new().spin(220_000).assert_blob(late()));
        }
        if has_honest {
            let payment = vec![pay(scene.receiver, 5)];
            scene.net.propose(scene.sender, SENDER, payment);
            scene.net.deliver();
        }
        let block = scene.net.inbox(scene.receiver, RECEIVER).unwrap();
        assert_eq!(block.is_some(), has_honest);
        if has_honest {
            // Who needs little does not wait for them.
            let balance = scene.net.balance(scene.receiver);
            assert_eq!(balance, Amount::from_tokens(1_005));
        }
        assert!((1..=28).contains(&scene.tried()), "{} tried", scene.tried());
        let calls = scene.empty_inbox(4 * 60_usize.div_ceil(17), || ());
        assert!(calls > 3, "{calls}");
    }
}

/// A node with many chains used to forget how many turns there were between two calls for the same chain. So what was
/// to be tried in the next turn was tried never.
#[test]
fn turns_are_counted_on_a_node_with_many_chains() {
    let scene = Scene::new();
    for index in 1_000..2_100 {
        let owner = crate::net::key(9).public().owner();
        block_on(scene.net.node.create_root_chain(index, owner, Amount::ZERO)).unwrap();
    }
    scene.receive(1, needs_it());
    assert_eq!(scene.empty_inbox(6, || scene.net.deliver()), 4);
}

/// A node that was started again used to begin its count of turns anew, and to let wait what was to be tried in the
/// turn after that for as many calls as there had been.
#[test]
fn turns_are_counted_by_a_node_that_is_started_again() {
    let mut scene = Scene::new();
    for _ in 0..200 {
        assert!(scene.net.inbox(scene.receiver, RECEIVER).unwrap().is_none());
    }
    scene.receive(1, needs_it());
    assert!(scene.net.inbox(scene.receiver, RECEIVER).unwrap().is_none());
    let (store, config) = (scene.net.node.store().clone(), scene.net.node.config());
    scene.net.node = LocalNode::new(store, config.clone()).unwrap();
    scene.publish();
    let block = scene.net.inbox(scene.receiver, RECEIVER).unwrap();
    assert!(block.expect("the blob is here").rejected.is_empty());
}

/// It used to be rejected although what it waited for was there.
#[test]
fn what_has_come_in_time_is_not_given_up_on() {
    let scene = Scene::new();
    scene.receive(1, needs_it());
    for _ in 0..3 {
        assert!(scene.net.inbox(scene.receiver, RECEIVER).unwrap().is_none());
    }
    scene.publish();
    let block = scene.net.inbox(scene.receiver, RECEIVER).unwrap();
    let block = block.expect("the blob is here");
    assert_eq!((block.given_up.len(), block.rejected.len()), (0, 0));
    assert_eq!(block.executed.block.transactions.len(), 1);
}

/// Three calls can be over in a few milliseconds.
#[test]
fn a_node_that_calls_without_a_pause_can_have_patience() {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let shown = now.clone();
    let scene = Scene::with(|config| {
        config.clock = Clock::new(move || Timestamp::from(shown.load(Ordering::SeqCst)));
        config.missing_data_patience = TimeDelta::from_secs(10);
    });
    scene.receive(1, needs_it());
    let millisecond = || now.fetch_add(1_000, Ordering::SeqCst);
    for _ in 0..9_999 {
        assert!(scene.net.inbox(scene.receiver, RECEIVER).unwrap().is_none());
        millisecond();
    }
    // All the same it is tried only in the turns 1, 2, 3, 4, 6, 10, 18 …
    let waiting = block_on(scene.net.node.waiting_for(scene.receiver, None, 9)).unwrap();
    assert!(waiting[0].tries <= 3 + 10 + 10, "{waiting:?}");
    scene.empty_inbox(1_100, || {
        millisecond();
    });
}
