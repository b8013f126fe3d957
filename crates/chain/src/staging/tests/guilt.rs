//! Who is found guilty of a refusal, and how soon.

use super::*;

/// What `StagedBlock::passes` promises.
fn most_passes(guilty: u64, waiting: usize) -> u64 {
    let log = u64::from(waiting.next_power_of_two().ilog2());
    (guilty + 1) * (log + 4)
}

/// Innocent bundles from chains of their own, and guilty ones at some places among them.
fn with_guilty(count: u8, guilty: &[u8], does: &str) -> Vec<Transaction> {
    let innocent = |origin| incoming(origin, 1, &[(2, "b"), (1, "a")]);
    let guilt = |origin| incoming(origin, 1, &[(1, does)]);
    let origins = 2..2 + count;
    origins
        .map(|origin| match guilty.contains(&(origin - 2)) {
            true => guilt(origin),
            false => innocent(origin),
        })
        .collect()
}

fn names(places: &[u8]) -> Vec<(u8, u64)> {
    places.iter().map(|place| (place + 2, 1)).collect()
}

/// The guilty one used to wait, for ever, and with it whoever stood behind it.
#[test]
fn who_is_refused_alone_is_rejected_and_nobody_else() {
    for place in 0..40 {
        let staged = stage(with_guilty(40, &[place], "refuse"), &auto_retry(0)).unwrap();
        assert_eq!(staged.rejected(), names(&[place]));
        assert_eq!((staged.dropped(), staged.transactions.len()), (vec![], 40));
        assert!(staged.passes <= most_passes(1, 40), "{}", staged.passes);
    }
}

#[test]
fn any_number_of_guilty_ones_are_found_in_one_block() {
    let tables: [&[u8]; 6] = [
        &[0, 1],
        &[0, 39],
        &[7, 8, 9, 30],
        &[5, 11, 17, 23, 29, 35],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
        &[
            1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37,
        ],
    ];
    for guilty in tables {
        let staged = stage(with_guilty(40, guilty, "refuse"), &auto_retry(16)).unwrap();
        assert_eq!(staged.rejected(), names(guilty));
        assert_eq!((staged.dropped(), staged.transactions.len()), (vec![], 40));
        let most = most_passes(guilty.len() as u64, 40);
        assert!(staged.passes <= most, "{guilty:?}: {}", staged.passes);
    }
}

#[test]
fn three_hundred_guilty_ones_are_decided_in_one_block() {
    let guilty = |origin: u8, height| incoming(origin, height, &[(2, "refuse")]);
    let mut transactions: Vec<_> = (1..=30)
        .flat_map(|height| (10..20).map(move |origin| guilty(origin, height)))
        .collect();
    transactions.push(incoming(50, 1, &[(1, "a")]));
    let staged = stage(transactions, &auto_retry(16)).unwrap();
    assert_eq!((staged.rejected().len(), staged.dropped()), (300, vec![]));
    assert!(
        staged.passes <= 2 * 300 + most_passes(2, 301),
        "{}",
        staged.passes
    );
}

/// Neither is to blame alone: the later one waits, and is not refused in the next block.
#[test]
fn who_is_refused_only_with_others_waits() {
    let transactions = vec![
        incoming(2, 1, &[(1, "left")]),
        incoming(3, 1, &[(1, "a")]),
        incoming(4, 1, &[(1, "right")]),
        incoming(4, 2, &[(2, "b")]),
        incoming(5, 1, &[(1, "c")]),
    ];
    let staged = stage(transactions.clone(), &auto_retry(0)).unwrap();
    assert_eq!(staged.dropped(), [(4, 1), (4, 2)]);
    assert!(matches!(
        staged.reasons()[..],
        [DropReason::Refused(_), DropReason::AfterDropped]
    ));
    assert_eq!((staged.rejected(), staged.transactions.len()), (vec![], 3));
    let staged = stage(transactions[2..].to_vec(), &auto_retry(0)).unwrap();
    assert_eq!((staged.dropped(), staged.rejected()), (vec![], vec![]));
}

/// Somebody's earlier bundle can be what a stranger made that chain send. The later one comes first in the next block, and
/// is refused there or not.
#[test]
fn who_is_refused_because_of_its_own_earlier_one_waits() {
    let transactions = vec![
        incoming(3, 1, &[(1, "a")]),
        incoming(4, 1, &[(1, "left")]),
        incoming(4, 2, &[(1, "right")]),
        incoming(4, 3, &[(1, "b")]),
    ];
    let staged = stage(transactions.clone(), &auto_retry(0)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![], vec![(4, 2), (4, 3)])
    );
    assert_eq!(staged.transactions.len(), 2);
    let staged = stage(transactions[2..].to_vec(), &auto_retry(0)).unwrap();
    assert_eq!((staged.rejected(), staged.dropped()), (vec![], vec![]));
}

#[test]
fn what_may_not_be_rejected_waits_when_it_is_refused() {
    let transactions = vec![
        incoming(2, 1, &[(1, "a")]),
        update(1, "refuse"),
        incoming(3, 1, &[(9, "refuse")]),
        incoming(3, 2, &[(1, "b")]),
        operation(2, "c"),
    ];
    let staged = stage(transactions, &auto_retry(0)).unwrap();
    let [(1, DropReason::Refused(_))] = staged.dropped_updates()[..] else {
        panic!("{:?}", staged.dropped_updates());
    };
    assert_eq!(staged.dropped(), [(3, 1), (3, 2)]);
    assert_eq!((staged.rejected(), staged.transactions.len()), (vec![], 2));
}

/// Tomorrow there may be tokens.
#[test]
fn nobody_is_rejected_because_the_chain_cannot_pay() {
    let transactions = vec![
        incoming(2, 1, &[(1, "unpaid")]),
        incoming(3, 1, &[(2, "a")]),
    ];
    let staged = stage(transactions, &auto_retry(0)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![], vec![(2, 1)])
    );
    assert_eq!(staged.transactions.len(), 1);
}

#[test]
fn a_refusal_that_no_bundle_caused_fails_the_block() {
    let transactions = vec![operation(1, "refuse"), incoming(2, 1, &[(2, "a")])];
    let result = stage(transactions, &auto_retry(9));
    let Err(BlockError::Refused { application_id, .. }) = result else {
        panic!("the block is refused")
    };
    assert_eq!(application_id, application(1));
    // Two bundles touched the application; without them it still refuses.
    let bundles = [incoming(2, 1, &[(1, "a")]), incoming(3, 1, &[(1, "a")])];
    let transactions = [vec![operation(1, "refuse")], bundles.to_vec()].concat();
    for max_failures in [0, 9] {
        assert!(matches!(
            stage(transactions.clone(), &auto_retry(max_failures)),
            Err(BlockError::Refused { .. })
        ));
    }
}

/// An operation and a bundle that do not go together: the bundle waits.
#[test]
fn an_operation_does_not_give_way() {
    let transactions = vec![
        incoming(2, 1, &[(1, "left")]),
        operation(1, "right"),
        incoming(3, 1, &[(1, "a")]),
    ];
    let staged = stage(transactions, &auto_retry(0)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![(2, 1)], vec![])
    );
    assert_eq!(staged.transactions.len(), 3);
}

/// The block may send ten messages, and one application wants to send two more at the end. Wherever the
/// greedy one stands, it is the one that gives way.
#[test]
fn who_used_the_most_gives_way_whatever_the_order() {
    let honest = [
        incoming(2, 1, &[(1, "last2")]),
        incoming(3, 1, &[(2, "send1")]),
        incoming(4, 1, &[(2, "a")]),
    ];
    // The first of a block is spared, unless it used more than all others together, as here.
    for place in 0..=honest.len() {
        let mut transactions = honest.to_vec();
        transactions.insert(place, incoming(5, 1, &[(3, "send8")]));
        let staged = stage(transactions, &auto_retry(0)).unwrap();
        assert_eq!(
            (staged.rejected(), staged.dropped()),
            (vec![], vec![(5, 1)])
        );
        assert_eq!(staged.transactions.len(), 3);
    }
    // What an application sends at the end counts for those who made it do so.
    for place in 0..=honest.len() {
        let mut transactions = honest.to_vec();
        transactions.insert(place, incoming(5, 1, &[(3, "last8")]));
        let staged = stage(transactions, &auto_retry(0)).unwrap();
        assert_eq!(
            (staged.rejected(), staged.dropped()),
            (vec![], vec![(5, 1)])
        );
    }
}

/// Or each would take the place of the one before, and give way in its turn.
#[test]
fn the_room_that_is_made_is_not_for_the_next_in_line() {
    let mut transactions = vec![incoming(2, 1, &[(1, "last2")])];
    transactions.extend((3..20).map(|origin| incoming(origin, 1, &[(2, "send3")])));
    let staged = stage(transactions, &auto_retry(20)).unwrap();
    assert_eq!((staged.rejected().len(), staged.dropped().len()), (0, 15));
    assert_eq!((staged.transactions.len(), staged.passes), (3, 3));
}

/// Whoever comes first pays for what all need, such as loading an application. It is no reason to let the first give way,
/// and then the next, until nobody is left.
#[test]
fn who_pays_for_all_does_not_give_way() {
    for senders in [1, 2] {
        let mut transactions = vec![incoming(2, 1, &[(1, "last3"), (1, "join")])];
        transactions.extend((2..9).map(|height| incoming(2, height, &[(1, "join")])));
        if senders == 2 {
            transactions.extend((1..9).map(|height| incoming(3, height, &[(1, "join")])));
        }
        let staged = stage(transactions, &auto_retry(20)).unwrap();
        assert_eq!(staged.rejected(), []);
        assert!(staged.dropped().iter().all(|name| *name != (2, 1)));
        assert!(
            (1..=2).contains(&staged.transactions.len()),
            "{:?}",
            staged.dropped()
        );
    }
}

/// It takes all there is and wants more: no block has room for it, so it is rejected, and what it left no room for is
/// in the block.
#[test]
fn who_takes_all_and_wants_more_is_rejected() {
    let transactions = vec![
        incoming(5, 1, &[(3, "send9"), (3, "last4")]),
        incoming(2, 1, &[(1, "send2")]),
        incoming(3, 1, &[(2, "send1")]),
        operation(1, "send1"),
    ];
    let staged = stage(transactions, &auto_retry(3)).unwrap();
    assert_eq!(
        (staged.rejected(), staged.dropped()),
        (vec![(5, 1)], vec![])
    );
    assert_eq!(staged.transactions.len(), 4);
}

/// Time for nothing but the first pass: what is left is one bundle, whose case is decided.
#[test]
fn without_time_to_search_one_bundle_is_decided() {
    let mut policy = auto_retry(0);
    if let StagingPolicy::AutoRetry { time_budget, .. } = &mut policy {
        *time_budget = Some(Duration::from_millis(1));
    }
    for guilty in [0, 3] {
        let transactions = with_guilty(20, &[guilty, 7], "refuse");
        // The clock is asked before each bundle but the first, and then before each further pass.
        let mut asked = 0;
        let mut clock = || {
            asked += 1;
            Duration::from_millis(if asked < 20 { 0 } else { 2 })
        };
        let staged = stage_with(transactions, &policy, 1_000, &mut clock).unwrap();
        assert_eq!(staged.transactions.len(), 1);
        assert_eq!(staged.rejected().len(), usize::from(guilty == 0));
        assert_eq!(staged.dropped().len(), 19);
        assert!(staged.passes <= 3);
    }
}

/// Time for a part of the search: whoever was found innocent by then is in the block.
#[test]
fn who_was_found_innocent_stays_when_time_runs_out() {
    let mut policy = auto_retry(0);
    if let StagingPolicy::AutoRetry { time_budget, .. } = &mut policy {
        *time_budget = Some(Duration::from_millis(1));
    }
    let transactions = with_guilty(32, &[31], "refuse");
    let mut asked = 0;
    let mut clock = || {
        asked += 1;
        Duration::from_millis(if asked < 31 + 3 { 0 } else { 2 })
    };
    let staged = stage_with(transactions, &policy, 1_000, &mut clock).unwrap();
    assert!((16..31).contains(&staged.transactions.len()));
    assert!(
        staged
            .reasons()
            .iter()
            .all(|reason| *reason == DropReason::TimeBudget)
    );
}

/// Whatever waits, a block decides something, takes nobody before an earlier one of its sender, and is found in
/// a bounded number of passes.
#[test]
fn whatever_waits_something_is_decided() {
    const WORDS: [&str; 13] = [
        "a", "b", "fail", "refuse", "left", "right", "limit", "burn", "endless", "send3", "last4",
        "send9", "join",
    ];
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..400 {
        let mut heights = [0; 8];
        let transactions: Vec<_> = (0..1 + random(30))
            .map(|_| {
                let origin = random(8) as usize;
                heights[origin] += 1;
                let word = WORDS[random(13) as usize];
                let number = 1 + random(3) as u8;
                incoming(
                    2 + origin as u8,
                    heights[origin],
                    &[(number, "a"), (number, word)],
                )
            })
            .collect();
        let mut policy = auto_retry(random(4) as u32);
        let time = random(60);
        if let StagingPolicy::AutoRetry { time_budget, .. } = &mut policy {
            *time_budget = (round % 2 == 1).then(|| Duration::from_millis(time));
        }
        let mut now = Duration::ZERO;
        let mut clock = || {
            now += Duration::from_millis(1);
            now
        };
        let waiting = transactions.len();
        let staged = stage_with(transactions, &policy, 1_000, &mut clock)
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(!staged.transactions.is_empty(), "round {round}");
        let guilty = staged.rejected().len() + staged.reasons().len();
        assert!(
            staged.passes <= most_passes(guilty as u64, waiting),
            "round {round}"
        );
        for (origin, height) in staged.dropped() {
            let later = |transaction: &Transaction| {
                let (found, at) = name(transaction.bundle().unwrap());
                found == origin && at > height
            };
            assert!(!staged.transactions.iter().any(later), "round {round}");
        }
    }
}
