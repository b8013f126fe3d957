//! Whole blocks.

use std::collections::BTreeSet;

use futures::executor::block_on;
use resident_base::{Amount, ApplicationId, BlockHeight, ChainId, CryptoHash};
use resident_chain::{BlockError, DropReason, MessageAction, StagingPolicy, Transaction};
use resident_execution::{EngineKind, Message, MissingData, SessionKind};

use crate::common::{Chains, open_chain, open_chain_for, transfer};

fn tokens(count: u128) -> Amount {
    Amount::from_tokens(count)
}

fn auto_retry() -> StagingPolicy {
    StagingPolicy::AutoRetry {
        max_failures: 3,
        never_reject_application_ids: BTreeSet::new(),
        time_budget: None,
    }
}

fn reference() -> Chains {
    Chains::new(EngineKind::Wasmtime, SessionKind::Persistent)
}

#[test]
fn tokens_move_between_chains_the_same_way_everywhere() {
    let outcomes: BTreeSet<_> = Chains::all().map(|chains| move_tokens(&chains)).collect();
    assert_eq!(outcomes.len(), 1);
}

/// Opens a chain, sends it tokens, delivers them twice, and has it send some back.
fn move_tokens(chains: &Chains) -> [CryptoHash; 3] {
    let root = chains.create(0, tokens(10));
    let first = chains.add(root, vec![open_chain(tokens(3))]);
    let response = &first.executed.outcome.transactions[0].response;
    let child: ChainId = bcs::from_bytes(response).unwrap();

    let second = chains.add(
        root,
        vec![transfer(child, tokens(1)), transfer(child, tokens(2))],
    );
    assert_eq!(
        second.executed.block.previous_block_hash,
        Some(first.executed.hash())
    );
    assert_eq!(second.outgoing[&child].len(), 2);
    assert_eq!(chains.executed(root, 1), second.executed);
    assert_eq!(chains.tip(root).block_hash, Some(second.executed.hash()));
    assert_eq!(chains.tip(root).next_height, BlockHeight(2));
    assert_eq!(chains.balance(root), tokens(4));

    assert_eq!((chains.deliver(root), chains.deliver(root)), (2, 0));
    let mut transactions = chains.inbox(child);
    assert_eq!(transactions.len(), 2);
    transactions.push(transfer(root, tokens(6)));
    let third = chains.add(child, transactions);
    assert_eq!(chains.balance(child), Amount::ZERO);
    assert_eq!(block_on(chains.reader(child).inbox_len()).unwrap(), 0);

    assert_eq!(chains.deliver(child), 1);
    chains.add(root, chains.inbox(root));
    assert_eq!(chains.balance(root), tokens(10));
    [first, second, third].map(|execution| execution.executed.hash())
}

#[test]
fn staged_blocks_execute_to_the_same_batch_and_outcome() {
    for chains in Chains::all() {
        let (from, to) = (chains.create(0, tokens(5)), chains.create(1, tokens(0)));
        chains.add(from, vec![transfer(to, tokens(1)), transfer(to, tokens(2))]);
        chains.deliver(from);
        let transactions = [chains.inbox(to), vec![transfer(from, tokens(3))]].concat();
        let staged = chains.stage(to, transactions, &auto_retry()).unwrap();
        assert_eq!(staged.executions, 3);
        let executed = &staged.execution.executed;
        for session in SessionKind::ALL {
            let chains = Chains {
                executor: chains.executor.clone(),
                session,
            };
            let again = chains
                .execute(&executed.block, Some(&executed.outcome))
                .unwrap();
            assert_eq!(&again.executed, executed);
            assert_eq!(again.batch, staged.execution.batch);
            assert_eq!(again.outgoing, staged.execution.outgoing);
        }
    }
}

#[test]
fn another_outcome_is_refused_with_the_first_difference() {
    let chains = reference();
    let (from, to) = (chains.create(0, tokens(5)), chains.create(1, tokens(0)));
    let transactions = vec![transfer(from, tokens(1)), transfer(to, tokens(2))];
    let staged = chains
        .stage(from, transactions, &StagingPolicy::Abort)
        .unwrap();
    let executed = staged.execution.executed;
    let mut expected = executed.outcome.clone();
    expected.transactions[1].effects.messages[0].destination = from;
    let result = chains.execute(&executed.block, Some(&expected));
    let Err(BlockError::OutcomeMismatch { difference }) = result else {
        panic!("the outcome is another one")
    };
    assert!(
        difference.starts_with("transaction 1: message 0: "),
        "{difference}"
    );
}

#[test]
fn blocks_that_do_not_continue_the_chain_are_refused() {
    let chains = reference();
    let root = chains.create(0, tokens(5));
    let block = chains
        .add(root, vec![transfer(root, tokens(1))])
        .executed
        .block;
    assert!(matches!(
        chains.execute(&block, None),
        Err(BlockError::UnexpectedHeight { .. })
    ));
    let mut next = block.clone();
    next.height = BlockHeight(1);
    assert!(matches!(
        chains.execute(&next, None),
        Err(BlockError::UnexpectedPreviousHash { .. })
    ));
    next.previous_block_hash = chains.tip(root).block_hash;
    next.timestamp = 99.into();
    assert!(matches!(
        chains.execute(&next, None),
        Err(BlockError::TimestampTooEarly { .. })
    ));
    next.timestamp = 100.into();
    chains.execute(&next, None).unwrap();
    next.chain_id = ChainId(CryptoHash::of_bytes(b"nobody's"));
    (next.height, next.previous_block_hash) = (BlockHeight(0), None);
    assert!(
        chains
            .execute(&next, None)
            .is_err_and(|error| error.is_fault())
    );
}

#[test]
fn a_failing_operation_names_itself_and_stores_nothing() {
    let chains = reference();
    let root = chains.create(0, tokens(5));
    let transactions = vec![transfer(root, tokens(1)), transfer(root, tokens(6))];
    let error = chains
        .stage(root, transactions, &auto_retry())
        .err()
        .unwrap();
    assert!(
        matches!(error, BlockError::TransactionFailed { index: 1, .. }),
        "{error}"
    );
    assert_eq!(chains.tip(root), Default::default());
}

#[test]
fn a_chain_for_one_application_refuses_other_operations() {
    let chains = reference();
    let root = chains.create(0, tokens(5));
    let application = ApplicationId::new(CryptoHash::of_bytes(b"the only one"));
    let opened = chains.add(root, vec![open_chain_for(application, tokens(3))]);
    let child = bcs::from_bytes(&opened.executed.outcome.transactions[0].response).unwrap();
    let error = chains
        .stage(child, vec![transfer(root, tokens(1))], &auto_retry())
        .err()
        .expect("the transfer is not permitted");
    assert!(
        error.to_string().contains("does not permit operations"),
        "{error}"
    );
    assert_eq!(chains.tip(child).next_height, BlockHeight(0));
}

#[test]
fn a_credit_that_overflows_is_rejected_without_trace() {
    let mut outcomes = BTreeSet::new();
    for chains in Chains::all() {
        let rich = chains.create(0, Amount::MAX);
        let richer = chains.create(1, Amount::MAX);
        let to = chains.create(2, tokens(1));
        chains.add(rich, vec![transfer(to, tokens(2))]);
        chains.add(richer, vec![transfer(to, Amount::MAX)]);
        assert_eq!(chains.deliver(rich) + chains.deliver(richer), 2);
        let aborted = chains.stage(to, chains.inbox(to), &StagingPolicy::Abort);
        assert!(matches!(aborted, Err(BlockError::TransactionFailed { .. })));

        let staged = chains.stage(to, chains.inbox(to), &auto_retry()).unwrap();
        let [(rejected, _)] = &staged.rejected[..] else {
            panic!("one bundle is rejected")
        };
        assert_eq!(
            (rejected.origin, rejected.action),
            (richer, MessageAction::Reject)
        );
        assert_eq!((staged.dropped.len(), staged.executions), (0, 3));
        let executed = staged.execution.executed;
        chains
            .execute(&executed.block, Some(&executed.outcome))
            .unwrap();
        chains.write(staged.execution.batch);
        assert_eq!(chains.balance(to), tokens(3));
        assert_eq!(chains.inbox(to), []);
        outcomes.insert(executed.outcome.hash());
    }
    assert_eq!(outcomes.len(), 1);
}

#[test]
fn a_bundle_is_taken_once() {
    let chains = reference();
    let (from, to) = (chains.create(0, tokens(5)), chains.create(1, tokens(0)));
    chains.add(from, vec![transfer(to, tokens(1))]);
    chains.deliver(from);
    let transactions = chains.inbox(to);
    chains.add(to, transactions.clone());
    let error = chains.stage(to, transactions, &auto_retry()).err().unwrap();
    assert!(
        matches!(error, BlockError::BundleOutOfOrder { .. }),
        "{error}"
    );
}

#[test]
fn a_bundle_from_the_future_waits() {
    let chains = reference();
    let (from, to) = (chains.create(0, tokens(5)), chains.create(1, tokens(0)));
    chains.add(from, vec![transfer(to, tokens(1))]);
    chains.deliver(from);
    let mut transactions = chains.inbox(to);
    if let Transaction::ReceiveMessages(incoming) = &mut transactions[0] {
        incoming.bundle.timestamp = 101.into();
    }
    let staged = chains.stage(to, transactions, &auto_retry()).unwrap();
    assert!(matches!(staged.dropped[..], [(_, DropReason::TooNew(_))]));
}

#[test]
fn missing_data_is_neither_failure_nor_fault() {
    let chains = reference();
    let (from, to) = (chains.create(0, tokens(5)), chains.create(1, tokens(0)));
    chains.add(from, vec![transfer(to, tokens(1))]);
    chains.deliver(from);
    let mut transactions = chains.inbox(to);
    if let Transaction::ReceiveMessages(incoming) = &mut transactions[0] {
        let application_id = ApplicationId::new(CryptoHash::of_bytes(b"elsewhere"));
        incoming.bundle.messages[0].message = Message::User {
            application_id,
            bytes: vec![],
        };
    }
    // The bundle waits, and holds up nobody but its sender.
    let staged = chains
        .stage(to, transactions.clone(), &auto_retry())
        .unwrap();
    let dropped = &staged.dropped[0].1;
    assert!(
        matches!(dropped, DropReason::Missing(MissingData::Blob(_))),
        "{dropped:?}"
    );
    assert!(staged.rejected.is_empty());
    let error = chains
        .stage(to, transactions, &StagingPolicy::Abort)
        .err()
        .unwrap();
    assert!(
        matches!(error, BlockError::MissingData(MissingData::Blob(_))),
        "{error}"
    );
}
