//! Staging with a script in the place of a session: a message says what becomes of it.

mod guilt;
mod script;

use std::{collections::BTreeSet, time::Duration};

use resident_base::{Amount, ApplicationId, BlockHeight, CryptoHash, StreamId, Timestamp};
use resident_execution::{
    FailureReason, LimitKind, Message, MessageKind, Operation, Stop, StreamHead, SubscriberUpdate,
};

use self::script::Script;
use super::{
    Staging,
    budget::Bounds,
    candidate::{Failing, sort},
};
use crate::{
    BlockDraft, BlockError, BlockExecutionTracker, BlockOutcome, DropReason, Halt, IncomingBundle,
    MAX_SENT_BYTES, MessageAction, MessageBundle, PostedMessage, StagingPolicy, Transaction,
    records::tests::{bundle, chain},
};

/// What a transaction of the scripted chain may spend.
const TRANSACTION_FUEL: u64 = 1_000;

/// What a block of the scripted chain has room for.
const MAX_BYTES: usize = 100_000;

fn application(number: u8) -> ApplicationId {
    ApplicationId::new(CryptoHash::from([number; 32]))
}

/// A bundle from chain `origin`: messages for applications.
fn incoming(origin: u8, height: u64, messages: &[(u8, &str)]) -> Transaction {
    let post = |&(number, text): &(u8, &str)| PostedMessage {
        authenticated_owner: None,
        grant: Amount::ZERO,
        refund_grant_to: None,
        index: 0,
        kind: MessageKind::Simple,
        message: Message::User {
            application_id: application(number),
            bytes: text.into(),
        },
    };
    let messages = messages.iter().map(post).collect();
    let bundle = MessageBundle {
        messages,
        ..bundle(height, 0)
    };
    let action = MessageAction::Accept;
    Transaction::ReceiveMessages(IncomingBundle {
        origin: chain(origin),
        bundle,
        action,
    })
}

fn operation(number: u8, text: &str) -> Transaction {
    let application_id = application(number);
    Transaction::ExecuteOperation(Operation::User {
        application_id,
        bytes: text.into(),
    })
}

fn auto_retry(max_failures: u32) -> StagingPolicy {
    let never_reject_application_ids = BTreeSet::from([application(9)]);
    StagingPolicy::AutoRetry {
        max_failures,
        never_reject_application_ids,
        time_budget: None,
    }
}

/// News for an application.
fn update(number: u8, text: &str) -> Transaction {
    let subscriber = application(number);
    let head = StreamHead {
        chain_id: chain(9),
        stream_id: StreamId {
            application_id: subscriber.into(),
            stream_name: text.into(),
        },
        next_index: 1,
    };
    Transaction::UpdateStreams(SubscriberUpdate {
        subscriber,
        streams: vec![head],
    })
}

struct Report {
    transactions: Vec<Transaction>,
    failing: Failing,
    outcome: BlockOutcome,
    executions: u64,
    passes: u64,
    wasted_fuel: u64,
}

impl Report {
    /// Senders and heights of the rejected bundles.
    fn rejected(&self) -> Vec<(u8, u64)> {
        self.failing
            .rejected
            .iter()
            .map(|(incoming, _)| name(incoming))
            .collect()
    }

    /// Senders and heights of the dropped bundles.
    fn dropped(&self) -> Vec<(u8, u64)> {
        self.failing
            .dropped
            .iter()
            .map(|(incoming, _)| name(incoming))
            .collect()
    }

    /// Applications whose updates were dropped, and why.
    fn dropped_updates(&self) -> Vec<(u8, DropReason)> {
        let updates = self.failing.dropped_updates.iter();
        let number = |id: &ApplicationId| id.application_description_hash.as_bytes()[0];
        updates
            .map(|(update, reason)| (number(&update.subscriber), reason.clone()))
            .collect()
    }

    fn reasons(&self) -> Vec<DropReason> {
        self.failing
            .dropped
            .iter()
            .map(|(_, reason)| reason.clone())
            .collect()
    }
}

fn name(incoming: &IncomingBundle) -> (u8, u64) {
    (incoming.origin.0.as_bytes()[0], incoming.bundle.height.0)
}

fn stage(transactions: Vec<Transaction>, policy: &StagingPolicy) -> Result<Report, BlockError> {
    stage_with(transactions, policy, 1_000, &mut || Duration::ZERO)
}

fn stage_with(
    transactions: Vec<Transaction>,
    policy: &StagingPolicy,
    max_transactions: usize,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<Report, BlockError> {
    let timestamp = Timestamp::from(1_000);
    let draft = BlockDraft {
        chain_id: chain(1),
        timestamp,
        authenticated_owner: None,
        transactions,
    };
    let mut start = || Ok(BlockExecutionTracker::new(Script::default(), MAX_BYTES));
    let bounds = Bounds {
        max_transactions,
        transaction_fuel: TRANSACTION_FUEL,
        block_fuel: 100 * TRANSACTION_FUEL,
    };
    let staged = Staging::new(draft, policy, bounds, clock).run(&mut start)?;
    let mut transactions = Vec::new();
    let failing = sort(staged.candidates, &mut transactions);
    Ok(Report {
        transactions,
        failing,
        outcome: staged.tracked.outcome,
        executions: staged.executions,
        passes: staged.passes,
        wasted_fuel: staged.wasted_fuel,
    })
}

#[test]
fn a_failing_bundle_leaves_no_trace_but_its_rejection() {
    let good = || {
        vec![
            operation(1, "a"),
            incoming(2, 1, &[(1, "b")]),
            incoming(3, 2, &[(2, "c")]),
        ]
    };
    let mut with_bad = good();
    with_bad.insert(2, incoming(3, 1, &[(1, "d"), (2, "fail"), (1, "e")]));
    let staged = stage(with_bad, &auto_retry(0)).unwrap();
    let expected = stage(good(), &auto_retry(0)).unwrap();
    assert_eq!(staged.rejected(), [(3, 1)]);
    assert_eq!(staged.dropped(), []);
    assert_eq!(staged.outcome.state_hash, expected.outcome.state_hash);
    assert_eq!(staged.outcome.transactions.len(), 4);
    assert_eq!(
        staged.transactions[2].bundle().unwrap().action,
        MessageAction::Reject
    );
    // One run of each, and the rejection.
    assert_eq!((staged.executions, expected.executions), (5, 3));
}

#[test]
fn a_bundle_without_room_waits_with_the_later_ones_of_its_sender() {
    let transactions = vec![
        incoming(2, 1, &[(1, "a")]),
        incoming(3, 1, &[(1, "crowded")]),
        incoming(3, 2, &[(1, "b")]),
        incoming(2, 2, &[(1, "c")]),
    ];
    let staged = stage(transactions, &auto_retry(5)).unwrap();
    assert_eq!(staged.dropped(), [(3, 1), (3, 2)]);
    assert!(matches!(
        staged.reasons()[..],
        [DropReason::Failed(_), DropReason::AfterDropped]
    ));
    assert_eq!(staged.rejected(), []);
    assert_eq!(staged.transactions.len(), 2);
}

/// It used to wait for a block in which it came first, and to be one of the few failures that are tolerated.
#[test]
fn a_bundle_that_no_block_has_room_for_is_rejected_wherever_it_stands() {
    let transactions = [
        incoming(2, 1, &[(1, "a")]),
        incoming(3, 1, &[(1, "limit")]),
        incoming(4, 1, &[(1, "endless")]),
        incoming(3, 2, &[(1, "b")]),
    ];
    for first in [0, 1, 2] {
        let staged = stage(transactions[first..].to_vec(), &auto_retry(0)).unwrap();
        assert!(staged.rejected().ends_with(&[(4, 1)]));
        assert_eq!(
            (staged.rejected().len(), staged.dropped()),
            ([2, 2, 1][first], vec![])
        );
        assert_eq!(staged.transactions.len(), 4 - first);
    }
}

#[test]
fn after_too_many_without_room_only_operations_go_on() {
    let transactions = vec![
        operation(1, "a"),
        incoming(2, 1, &[(1, "crowded")]),
        incoming(3, 1, &[(1, "crowded")]),
        incoming(4, 1, &[(1, "b")]),
        operation(1, "c"),
    ];
    let staged = stage(transactions.clone(), &auto_retry(1)).unwrap();
    assert_eq!(staged.dropped(), [(2, 1), (3, 1), (4, 1)]);
    assert_eq!(staged.reasons()[2], DropReason::TooManyFailures);
    assert_eq!(staged.transactions, [operation(1, "a"), operation(1, "c")]);
    assert_eq!(
        stage(transactions, &auto_retry(2)).unwrap().dropped(),
        [(2, 1), (3, 1)]
    );
}

/// Seventeen bundles that never ended used to keep everybody behind them waiting. Now only so much fuel is spent in
/// vain that somebody has to wait.
#[test]
fn what_fails_may_spend_only_so_much() {
    let burners = |count: u8, does: &str| -> Vec<_> {
        let burners = (10..10 + count).map(|origin| incoming(origin, 1, &[(1, does)]));
        burners.chain([incoming(200, 1, &[(1, "a")])]).collect()
    };
    let staged = stage(burners(17, "endless"), &auto_retry(16)).unwrap();
    assert_eq!((staged.rejected().len(), staged.dropped()), (17, vec![]));
    let staged = stage(burners(100, "endless"), &auto_retry(16)).unwrap();
    assert_eq!(staged.rejected().len(), 18);
    assert!(staged.reasons().contains(&DropReason::FuelBudget));
    // Who needs little does not wait for them.
    assert_eq!(staged.dropped().len(), 100 - 18);
    // Half of the fuel each, twice as many.
    let staged = stage(burners(100, "burn"), &auto_retry(16)).unwrap();
    assert_eq!(staged.rejected().len(), 35);
}

#[test]
fn who_passed_does_not_wait_for_others_that_burn() {
    let mut transactions = vec![
        incoming(2, 1, &[(1, "a")]),
        incoming(3, 1, &[(2, "refuse")]),
        incoming(4, 1, &[(1, "b")]),
    ];
    transactions.extend((10..30).map(|origin| incoming(origin, 1, &[(1, "endless")])));
    let staged = stage(transactions, &auto_retry(16)).unwrap();
    // Two are not tried, and two not a second time, without the one that refused.
    assert_eq!(
        (staged.rejected().len(), staged.dropped().len()),
        (1 + 16, 2 + 2)
    );
    assert_eq!(staged.transactions.len(), 2 + 1 + 16);
}

/// The last one fails because of the first, which is not in the block: it used to be rejected for what never happened.
#[test]
fn nobody_is_rejected_for_what_is_undone() {
    for (fails, origin) in [("list", 4), ("list", 3)] {
        let transactions = vec![
            incoming(2, 1, &[(1, "a")]),
            incoming(3, 1, &[(1, "bloat"), (2, "refuse")]),
            incoming(origin, 2, &[(1, fails)]),
        ];
        let staged = stage(transactions, &auto_retry(16)).unwrap();
        assert_eq!(
            (staged.rejected(), staged.dropped()),
            (vec![(3, 1)], vec![])
        );
    }
    // Nor made to wait, if it may not be rejected.
    let transactions = vec![
        incoming(3, 1, &[(9, "bloat"), (2, "refuse")]),
        incoming(4, 1, &[(9, "list")]),
        incoming(4, 2, &[(1, "a")]),
    ];
    let staged = stage(transactions, &auto_retry(16)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![(3, 1)], vec![])
    );
    // What stays in the block counts.
    let transactions = vec![
        incoming(2, 1, &[(1, "bloat")]),
        incoming(3, 1, &[(2, "refuse")]),
        incoming(4, 1, &[(1, "list")]),
    ];
    let staged = stage(transactions, &auto_retry(16)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![(3, 1), (4, 1)], vec![])
    );
}

/// What spent its fuel before it found something missing used to be free, however many did so, and in each pass.
#[test]
fn what_finds_something_missing_may_spend_only_so_much() {
    let lacking = |count: u8| -> Vec<_> {
        let lacking = (10..10 + count).map(|origin| incoming(origin, 1, &[(1, "lack")]));
        lacking.chain([incoming(200, 1, &[(1, "a")])]).collect()
    };
    let staged = stage(lacking(150), &auto_retry(16)).unwrap();
    let is_missing = |reason: &&DropReason| matches!(reason, DropReason::Missing(_));
    let reasons = staged.reasons();
    let missing = reasons.iter().filter(is_missing).count();
    // Half of a transaction's fuel each.
    assert_eq!((missing, reasons.len()), (35, 150));
    assert_eq!(staged.transactions, [incoming(200, 1, &[(1, "a")])]);
    // Nor is it tried again because somebody else refuses.
    let mut transactions = vec![incoming(4, 1, &[(2, "a")])];
    transactions.extend(lacking(20));
    transactions.extend((210..230).map(|origin| incoming(origin, 1, &[(2, "refuse")])));
    let staged = stage(transactions, &auto_retry(16)).unwrap();
    assert_eq!((staged.rejected().len(), staged.dropped().len()), (20, 20));
    assert_eq!(staged.wasted_fuel, 20 * TRANSACTION_FUEL / 2);
}

/// Every pass used to run it again.
#[test]
fn what_burns_is_run_once_whoever_refuses_the_block() {
    let mut transactions = vec![
        incoming(2, 1, &[(1, "burn")]),
        incoming(3, 1, &[(9, "burn")]),
    ];
    transactions.extend((10..40).map(|origin| incoming(origin, 1, &[(2, "refuse")])));
    transactions.push(incoming(50, 1, &[(1, "a")]));
    // Otherwise the fuel would not be enough.
    let staged = stage(transactions, &auto_retry(0)).unwrap();
    assert_eq!(
        (staged.rejected().len(), staged.dropped()),
        (31, vec![(3, 1)])
    );
    assert_eq!(staged.transactions.len(), 32);
}

#[test]
fn a_bundle_that_may_not_be_rejected_waits() {
    let transactions = vec![
        incoming(3, 1, &[(9, "fail")]),
        incoming(3, 2, &[(1, "b")]),
        incoming(4, 1, &[(9, "fail"), (1, "c")]),
    ];
    let staged = stage(transactions, &auto_retry(0)).unwrap();
    assert_eq!(staged.dropped(), [(3, 1), (3, 2)]);
    assert_eq!(staged.rejected(), [(4, 1)]);
}

#[test]
fn a_failing_operation_fails_the_block() {
    let result = stage(
        vec![operation(1, "a"), operation(1, "fail")],
        &auto_retry(9),
    );
    assert!(matches!(
        result,
        Err(BlockError::TransactionFailed { index: 1, .. })
    ));
    let result = stage(vec![incoming(2, 1, &[(1, "fault")])], &auto_retry(9));
    assert!(result.is_err_and(|error| error.is_fault()));
}

#[test]
fn a_failing_update_is_left_out_and_holds_up_nobody() {
    let transactions = |middle: &[Transaction]| {
        let (first, last) = (incoming(2, 1, &[(1, "a")]), incoming(2, 2, &[(1, "b")]));
        [&[first], middle, &[last]].concat()
    };
    let bad = [update(1, "fail"), update(2, "news"), update(3, "crowded")];
    let staged = stage(transactions(&bad), &auto_retry(1)).unwrap();
    let expected = stage(transactions(&bad[1..2]), &auto_retry(1)).unwrap();
    assert_eq!(staged.transactions, expected.transactions);
    assert_eq!(staged.outcome, expected.outcome);
    let [(1, DropReason::Failed(_)), (3, DropReason::Failed(_))] = staged.dropped_updates()[..]
    else {
        panic!("{:?}", staged.dropped_updates());
    };
    assert_eq!((staged.rejected(), staged.dropped()), (vec![], vec![]));
    // Even as the first of the block: there is nobody to reject it to.
    let staged = stage(vec![update(1, "limit")], &auto_retry(0)).unwrap();
    assert_eq!(
        (staged.transactions.len(), staged.dropped_updates().len()),
        (0, 1)
    );
    let result = stage(vec![update(1, "fail")], &StagingPolicy::Abort);
    assert!(matches!(
        result,
        Err(BlockError::TransactionFailed { index: 0, .. })
    ));
}

#[test]
fn updates_wait_for_room_as_bundles_do() {
    let transactions = vec![update(1, "a"), update(2, "b"), operation(1, "c")];
    let staged = stage_with(transactions, &auto_retry(0), 2, &mut || Duration::ZERO);
    assert!(matches!(staged, Err(BlockError::TooLarge { .. })));
    let transactions = vec![operation(1, "c"), update(1, "a"), update(2, "b")];
    let staged = stage_with(transactions, &auto_retry(0), 2, &mut || Duration::ZERO);
    let dropped = staged.unwrap().dropped_updates();
    assert_eq!(dropped, [(2, DropReason::BlockFull)]);
}

#[test]
fn abort_fails_the_block_for_any_bundle() {
    let result = stage(vec![incoming(2, 1, &[(1, "fail")])], &StagingPolicy::Abort);
    assert!(matches!(
        result,
        Err(BlockError::TransactionFailed { index: 0, .. })
    ));
    let result = stage(
        vec![incoming(2, 1, &[(1, "refuse")])],
        &StagingPolicy::Abort,
    );
    assert!(matches!(result, Err(BlockError::Refused { .. })));
    let result = stage(vec![incoming(2, 2_000, &[])], &StagingPolicy::Abort);
    assert!(matches!(result, Err(BlockError::TimestampTooEarly { .. })));
}

/// Bundles that share a checkpoint with a failing one are executed again. However the failing ones are
/// placed, that is less than what passed.
#[test]
fn what_is_executed_again_is_bounded_by_what_passed() {
    for period in 2..30 {
        let transactions: Vec<_> = (1..=60)
            .map(|index| {
                let does = if index % period == 0 { "fail" } else { "a" };
                incoming(2, index, &[(1, does)])
            })
            .collect();
        let staged = stage(transactions, &auto_retry(0)).unwrap();
        let failing = 60 / period;
        assert_eq!(staged.rejected().len() as u64, failing);
        let passed = 60 - failing;
        let once = passed + 2 * failing;
        assert!(staged.executions >= once);
        assert!(staged.executions < once + passed, "every {period}th fails");
    }
}

/// Not even the first of a block may send more than what its receiver can reject.
#[test]
fn a_transaction_that_sends_too_much_fails() {
    for transaction in [operation(1, "large"), incoming(2, 1, &[(1, "large")])] {
        // There would be room for it.
        let mut tracker = BlockExecutionTracker::new(Script::default(), 2 * MAX_SENT_BYTES);
        let Err(Halt::Stop(Stop::Failure(failure))) = tracker.execute(&transaction, None) else {
            panic!("it may not be sent")
        };
        assert_eq!(
            failure.reason,
            FailureReason::Limit(LimitKind::MessageBytes)
        );
    }
}

#[test]
fn a_closed_chain_rejects_without_executing() {
    let transactions = vec![
        incoming(2, 1, &[(1, "Closed from here on")]),
        incoming(3, 1, &[(9, "fail")]),
        incoming(2, 2, &[(1, "a")]),
    ];
    for policy in [auto_retry(0), StagingPolicy::Abort] {
        let staged = stage(transactions.clone(), &policy).unwrap();
        assert_eq!(staged.rejected(), [(3, 1), (2, 2)]);
        assert_eq!((staged.dropped(), staged.executions), (vec![], 3));
    }
}

#[test]
fn a_bundle_comes_once_and_in_order() {
    for second in [1, 2] {
        let transactions = vec![
            incoming(2, 2, &[]),
            incoming(3, 1, &[]),
            incoming(2, second, &[]),
        ];
        let result = stage(transactions, &auto_retry(9));
        let Err(BlockError::BundleOutOfOrder {
            origin,
            last,
            found,
        }) = result
        else {
            panic!("the bundle is out of order")
        };
        assert_eq!(origin, chain(2));
        assert_eq!(
            (last.height, found.height),
            (BlockHeight(2), BlockHeight(second))
        );
    }
}

#[test]
fn what_does_not_fit_waits() {
    let bundles = |count| {
        (1..=count)
            .map(|height| incoming(2, height, &[(1, "a")]))
            .collect()
    };
    let staged = stage_with(bundles(5), &auto_retry(0), 3, &mut || Duration::ZERO).unwrap();
    assert_eq!(staged.dropped(), [(2, 4), (2, 5)]);
    assert_eq!(staged.reasons()[0], DropReason::BlockFull);
    // About a hundred and sixty bytes each, of a hundred thousand.
    let staged = stage(bundles(1_000), &auto_retry(0)).unwrap();
    assert!(
        (400..800).contains(&staged.transactions.len()),
        "{}",
        staged.transactions.len()
    );
    let staged = stage(
        vec![incoming(2, 2_000, &[]), incoming(3, 1, &[])],
        &auto_retry(0),
    )
    .unwrap();
    assert_eq!(
        staged.reasons(),
        [DropReason::TooNew(Timestamp::from(2_000))]
    );
}

#[test]
fn out_of_time_drops_the_remaining_bundles_but_not_all() {
    let mut policy = auto_retry(0);
    if let StagingPolicy::AutoRetry { time_budget, .. } = &mut policy {
        *time_budget = Some(Duration::from_millis(2));
    }
    let bundles: Vec<_> = (1..=5)
        .map(|height| incoming(2, height, &[(1, "a")]))
        .collect();
    let mut now = Duration::ZERO;
    let mut clock = || {
        now += Duration::from_millis(1);
        now
    };
    let staged = stage_with(bundles.clone(), &policy, 100, &mut clock).unwrap();
    assert_eq!(staged.dropped(), [(2, 4), (2, 5)]);
    assert_eq!(staged.reasons()[0], DropReason::TimeBudget);
    let staged = stage_with(bundles, &policy, 100, &mut || Duration::MAX).unwrap();
    assert_eq!(staged.transactions.len(), 1);
}

#[test]
fn what_the_draft_rejects_is_rejected_without_being_run() {
    let mut transaction = incoming(2, 1, &[(1, "fault")]);
    if let Transaction::ReceiveMessages(incoming) = &mut transaction {
        incoming.action = MessageAction::Reject;
    }
    let staged = stage(vec![transaction.clone()], &auto_retry(0)).unwrap();
    assert_eq!(staged.transactions, [transaction]);
    assert_eq!(staged.rejected(), []);
}
