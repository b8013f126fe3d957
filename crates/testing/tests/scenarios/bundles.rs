//! Bundles that no chain sent, and the comparison with a block that never had some of its bundles.

use resident_base::{
    AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, CryptoHash, Timestamp,
};
use resident_chain::{
    BlockOutcome, IncomingBundle, MessageAction, MessageBundle, PostedMessage, StagingPolicy,
    Transaction,
};
use resident_execution::{Message, MessageKind, Operation};
use resident_testing::{StagedEverywhere, TestChain, TestChains};

/// A chain that exists in name only: what comes from it has to be taken at its word.
pub(crate) fn stranger(number: u8) -> ChainId {
    ChainId(CryptoHash::of_bytes(&[number]))
}

/// A bundle of messages for one application, in an owner's name. Heights order what one chain sends.
pub(crate) fn bundle(
    origin: ChainId,
    height: u64,
    owner: Option<AccountOwner>,
    messages: Vec<(ApplicationId, Vec<u8>)>,
) -> Transaction {
    let post = |(index, (application_id, bytes))| PostedMessage {
        authenticated_owner: owner,
        grant: Amount::ZERO,
        refund_grant_to: None,
        index,
        kind: MessageKind::Simple,
        message: Message::User {
            application_id,
            bytes,
        },
    };
    let bundle = MessageBundle {
        height: BlockHeight(height),
        timestamp: Timestamp::from(height),
        block_hash: CryptoHash::of_bytes(&height.to_le_bytes()),
        transaction_index: 0,
        messages: (0..).zip(messages).map(post).collect(),
    };
    Transaction::ReceiveMessages(IncomingBundle {
        origin,
        bundle,
        action: MessageAction::Accept,
    })
}

/// An operation as a step of a block.
pub(crate) fn operation(operation: Operation) -> Transaction {
    Transaction::ExecuteOperation(operation)
}

/// Builds a block, and another one on the same state that never had the bundles that failed in the
/// first. What is left must have come out exactly the same.
///
/// `failing` are the positions of the bundles that must fail, and no others may. Rejecting a bundle moves
/// the cursor of its sender, which is part of the hashed state, so that the state hashes can only be
/// equal if every sender has a later bundle that is accepted. That is for the caller to see to.
pub(crate) fn assert_leaves_no_trace(
    chains: &TestChains,
    chain: &TestChain,
    transactions: &[Transaction],
    failing: &[usize],
    policy: &StagingPolicy,
) -> StagedEverywhere {
    let with = stage(chains, chain, transactions, policy);
    let indexed = transactions.iter().enumerate();
    let (bad, good): (Vec<_>, Vec<_>) = indexed.partition(|(index, _)| failing.contains(index));
    let good: Vec<Transaction> = good.into_iter().map(|(_, good)| good.clone()).collect();

    let rejected = with
        .staged
        .rejected
        .iter()
        .map(|(incoming, _)| cursor(incoming));
    let dropped = with
        .staged
        .dropped
        .iter()
        .map(|(incoming, _)| cursor(incoming));
    let mut failed: Vec<_> = rejected.chain(dropped).collect();
    let mut expected: Vec<_> = bad
        .iter()
        .filter_map(|(_, bad)| bad.bundle())
        .map(cursor)
        .collect();
    failed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(
        failed, expected,
        "other bundles failed than those that had to"
    );

    let without = stage(chains, chain, &good, policy);
    assert!(without.staged.rejected.is_empty() && without.staged.dropped.is_empty());
    assert_eq!(surviving(&with), without.staged.execution.executed.outcome);
    with
}

fn stage(
    chains: &TestChains,
    chain: &TestChain,
    transactions: &[Transaction],
    policy: &StagingPolicy,
) -> StagedEverywhere {
    chains
        .stage_everywhere(chain, transactions, policy)
        .unwrap_or_else(|error| panic!("the block failed: {error}"))
}

/// The outcome without the entries of rejected bundles, which must be empty.
fn surviving(staged: &StagedEverywhere) -> BlockOutcome {
    let executed = &staged.staged.execution.executed;
    let mut outcome = executed.outcome.clone();
    let mut transactions = executed.block.transactions.iter();
    outcome.transactions.retain(|outcome| {
        let transaction = transactions
            .next()
            .expect("there is one outcome per transaction");
        let is_rejected = |incoming: &IncomingBundle| incoming.action == MessageAction::Reject;
        let is_rejected = transaction.bundle().is_some_and(is_rejected);
        assert!(
            !is_rejected || *outcome == Default::default(),
            "a rejected bundle produced something"
        );
        !is_rejected
    });
    outcome
}

fn cursor(incoming: &IncomingBundle) -> (ChainId, resident_chain::Cursor) {
    (incoming.origin, incoming.bundle.cursor())
}
