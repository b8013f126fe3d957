//! Protected messages: nobody rejects them, and they hold up only their sender.

use resident_base::ApplicationId;
use resident_chain::{BlockError, DropReason, StagingPolicy, Transaction};
use resident_execution::{FailureReason, MessageKind};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{bundles::stranger, gadget, messages::reject};

struct Scene {
    chains: TestChains,
    chain: TestChain,
    gadget: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let [gadget] = gadget::create(&chains, &chain);
        Self {
            chains,
            chain,
            gadget,
        }
    }

    /// A bundle whose last message is of a kind.
    fn bundle(&self, origin: u8, height: u64, commands: &[u8], kind: MessageKind) -> Transaction {
        let messages = [b"b".as_slice(), commands];
        let bundle = gadget::message(self.gadget, stranger(origin), height, &messages);
        with_kind(bundle, kind)
    }
}

/// The bundle, with another kind of its last message.
pub(crate) fn with_kind(transaction: Transaction, kind: MessageKind) -> Transaction {
    let Transaction::ReceiveMessages(mut incoming) = transaction else {
        panic!("only bundles have messages")
    };
    let last = incoming.bundle.messages.last_mut();
    last.expect("the bundle has a message").kind = kind;
    Transaction::ReceiveMessages(incoming)
}

#[test]
fn a_protected_bundle_that_fails_waits_with_its_senders_later_ones() {
    let scene = Scene::new();
    let kind = MessageKind::Protected;
    let transactions = [
        scene.bundle(1, 1, b"x", kind),
        scene.bundle(1, 2, b"", MessageKind::Simple),
        scene.bundle(2, 1, b"x", MessageKind::Simple),
        scene.bundle(2, 2, b"", kind),
    ];
    let policy = TestChains::auto_retry(3);
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &transactions, &policy)
        .unwrap()
        .staged;
    assert_eq!(staged.rejected.len(), 1);
    let reasons: Vec<_> = staged.dropped.iter().map(|(_, reason)| reason).collect();
    assert!(
        matches!(
            reasons[..],
            [DropReason::Failed(_), DropReason::AfterDropped]
        ),
        "{reasons:?}"
    );
    assert_eq!(staged.execution.executed.block.transactions.len(), 2);
}

#[test]
fn a_block_that_rejects_a_protected_message_is_refused() {
    let scene = Scene::new();
    let accepted = [scene.bundle(1, 1, b"", MessageKind::Protected)];
    let rejected = accepted.clone().map(reject);
    let error = scene
        .chains
        .stage_everywhere(&scene.chain, &rejected, &StagingPolicy::Abort)
        .err()
        .expect("it may not be rejected");
    assert_is_protected(&error);
    // Where it may be left out, it waits.
    let policy = TestChains::auto_retry(3);
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &rejected, &policy)
        .unwrap()
        .staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (0, 1));

    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &accepted, &policy)
        .unwrap();
    let mut executed = staged.staged.execution.executed;
    executed.block.transactions = rejected.to_vec();
    for pair in PAIRS {
        let error = scene.chains.execute(pair, &executed).err();
        assert_is_protected(&error.expect("it may not be rejected"));
    }
}

fn assert_is_protected(error: &BlockError) {
    let BlockError::TransactionFailed { index: 0, failure } = error else {
        panic!("another error than expected: {error}")
    };
    assert_eq!(failure.reason, FailureReason::ProtectedMessage);
}
