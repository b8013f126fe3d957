//! Bundles that wait for something which never comes.

use futures::executor::block_on;
use resident_base::{Amount, ApplicationId, ChainId, CryptoHash};
use resident_chain::{Cursor, DropReason, Transaction, WaitReason, receive_bundles};
use resident_execution::MessageKind;
use resident_node::{CommittedBlock, NodeError};

use crate::{
    bundles::{self, stranger},
    evil::Do,
    net::{Net, pay, run},
    protected::with_kind,
};

const STRANGER: u8 = 1;
const RECEIVER: u8 = 2;
const PUBLIC: u8 = 3;

struct Scene {
    net: Net,
    stranger: ChainId,
    receiver: ChainId,
    public: ChainId,
    app: ApplicationId,
}

fn never() -> CryptoHash {
    CryptoHash::of_bytes(b"no blob has this hash")
}

impl Scene {
    fn new() -> Self {
        let net = Net::new();
        let [stranger, receiver, public] = [STRANGER, RECEIVER, PUBLIC].map(|seed| net.chain(seed));
        let app = net.evil(stranger, STRANGER, 1)[0];
        Self {
            net,
            stranger,
            receiver,
            public,
            app,
        }
    }

    /// A stranger has the public chain send something that needs a blob.
    fn relay(&self) {
        let poison = Do::new().assert_blob(never());
        let relay = Do::new().send(self.receiver, true, &poison);
        let send = Do::new().send(self.public, false, &relay);
        self.net
            .propose(self.stranger, STRANGER, vec![run(self.app, &send)]);
        self.net.deliver();
        self.net.inbox(self.public, PUBLIC).unwrap().unwrap();
        self.net.deliver();
    }

    fn pay(&self) {
        self.net
            .propose(self.public, PUBLIC, vec![pay(self.receiver, 5)]);
        self.net.deliver();
    }

    fn process(&self) -> Option<CommittedBlock> {
        self.net.inbox(self.receiver, RECEIVER).unwrap()
    }

    /// Puts bundles into the inbox that no chain sent.
    fn receive(&self, bundles: Vec<Transaction>) {
        for transaction in bundles {
            let Transaction::ReceiveMessages(incoming) = transaction else {
                panic!("only bundles are received")
            };
            let store = self.net.node.store();
            let bundles = vec![incoming.bundle];
            let received = receive_bundles(&**store, self.receiver, incoming.origin, bundles);
            block_on(store.write(block_on(received).unwrap())).unwrap();
        }
    }

    fn bundle(&self, origin: u8, height: u64, commands: Do) -> Transaction {
        bundles::bundle(stranger(origin), height, None, vec![(self.app, commands.0)])
    }

    fn waiting_for(&self) -> Vec<(ChainId, WaitReason, u32)> {
        let waiting = block_on(self.net.node.waiting_for(self.receiver, None, 99)).unwrap();
        let waiting = waiting.into_iter();
        waiting.map(|it| (it.origin, it.reason, it.tries)).collect()
    }
}

/// Everything that the public chain sent afterwards used to wait for ever.
#[test]
fn a_blob_that_never_comes_is_waited_for_in_three_calls() {
    let scene = Scene::new();
    scene.relay();
    scene.pay();
    for tries in 1..=3 {
        assert!(scene.process().is_none());
        let waiting = scene.waiting_for();
        assert!(
            matches!(&waiting[..], [(origin, WaitReason::Blob(id), found)]
                if *origin == scene.public && id.hash == never() && *found == tries),
            "{waiting:?}"
        );
    }
    let block = scene.process().expect("the wait is over");
    assert_eq!(block.executed.block.transactions.len(), 2);
    assert!(matches!(&block.given_up[..], [(_, WaitReason::Blob(_))]));
    assert_eq!(
        scene.net.balance(scene.receiver),
        Amount::from_tokens(1_005)
    );
    assert_eq!(scene.waiting_for(), []);
    // The message was tracked: it goes back.
    scene.net.deliver();
    assert_eq!(scene.net.waiting(scene.public), 1);
}

#[test]
fn what_others_send_enters_the_block_at_once() {
    let scene = Scene::new();
    scene.relay();
    for _ in 0..2 {
        scene
            .net
            .propose(scene.stranger, STRANGER, vec![pay(scene.receiver, 1)]);
        scene.net.deliver();
        let block = scene.process().expect("there is a payment");
        assert_eq!(block.executed.block.transactions.len(), 1);
        let [(_, DropReason::Missing(_))] = &block.dropped[..] else {
            panic!("{:?}", block.dropped)
        };
    }
    assert_eq!(scene.waiting_for().len(), 1);
}

#[test]
fn the_owner_need_not_wait() {
    let scene = Scene::new();
    let give_up =
        |origin, up_to| block_on(scene.net.node.give_up_on(scene.receiver, origin, up_to));
    assert!(matches!(
        give_up(scene.public, None),
        Err(NodeError::NothingWaits { .. })
    ));
    scene.relay();
    scene.pay();
    assert!(scene.process().is_none());
    give_up(scene.public, None).unwrap();
    let waiting = block_on(scene.net.node.waiting_for(scene.receiver, None, 9)).unwrap();
    assert!(waiting[0].is_given_up);
    let block = scene.process().expect("the owner said so");
    assert_eq!(
        (
            block.executed.block.transactions.len(),
            block.given_up.len()
        ),
        (2, 1)
    );
    assert_eq!(
        scene.net.balance(scene.receiver),
        Amount::from_tokens(1_005)
    );
    assert_eq!(scene.waiting_for(), []);
}

#[test]
fn the_owner_can_give_up_on_many_at_once() {
    let scene = Scene::new();
    scene.relay();
    scene.relay();
    scene.pay();
    let bundles = block_on(scene.net.node.reader(scene.receiver).inbox_bundles(9)).unwrap();
    let second: Cursor = bundles[1].1.cursor();
    block_on(
        scene
            .net
            .node
            .give_up_on(scene.receiver, scene.public, Some(second)),
    )
    .unwrap();
    let block = scene.process().expect("the owner said so");
    assert_eq!(
        (
            block.executed.block.transactions.len(),
            block.given_up.len()
        ),
        (3, 2)
    );
    assert_eq!(
        scene.net.balance(scene.receiver),
        Amount::from_tokens(1_005)
    );
    assert_eq!(scene.waiting_for(), []);
}

/// It used to be run in every call, for ever.
#[test]
fn a_protected_bundle_that_fails_backs_off_and_holds_up_only_its_sender() {
    let scene = Scene::new();
    let fails = scene.bundle(1, 1, Do::new().trap());
    scene.receive(vec![with_kind(fails, MessageKind::Protected)]);
    scene.receive(vec![scene.bundle(1, 2, Do::new().spin(1))]);
    let error = block_on(scene.net.node.give_up_on(scene.receiver, stranger(1), None));
    assert!(matches!(error, Err(NodeError::Protected { .. })));
    let mut tries = 0;
    for height in 1..=100 {
        scene.receive(vec![scene.bundle(2, height, Do::new().spin(1))]);
        let block = scene.process().expect("one bundle passes");
        assert_eq!(block.executed.block.transactions.len(), 1);
        let is_failed = |reason: &DropReason| matches!(reason, DropReason::Failed(_));
        tries += block
            .dropped
            .iter()
            .filter(|(_, reason)| is_failed(reason))
            .count();
    }
    // In the turns 1, 2, 4, 8 … 64.
    assert_eq!(tries, 7);
    let waiting = scene.waiting_for();
    assert!(
        matches!(&waiting[..], [(_, WaitReason::Failure(_), 7)]),
        "{waiting:?}"
    );
    // Turns without a block count, too.
    let calls = (0..100).filter(|_| scene.process().is_none()).count();
    assert_eq!(calls, 100);
    assert_eq!(scene.waiting_for()[0].2, 8);
}
