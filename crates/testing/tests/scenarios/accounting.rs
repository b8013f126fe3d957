//! Loaded once, stored once; and what each session does for it.

use matching_engine::OrderNature::{Ask, Bid};
use resident_execution::SessionKind;
use resident_testing::{PAIRS, TestChains};

use crate::market::Market;

/// The book and its two tokens.
const APPLICATIONS: u64 = 3;

#[test]
fn every_application_is_loaded_once_and_stored_once() {
    let market = Market::open(0);
    let prices = [1, 2, 3, 4, 5, 6];
    market.place(1, &prices.map(|price| market.insert(1, Ask, 1, price)));
    market.place(2, &prices.map(|price| market.insert(2, Bid, 1, price)));
    let inbox = market.inbox();
    assert_eq!(inbox.len(), 12);
    let policy = TestChains::auto_retry(0);
    let staged = market
        .chains
        .add_everywhere(market.host(), &inbox, &policy)
        .unwrap();
    assert!(staged.staged.rejected.is_empty());

    for (index, (_, session)) in PAIRS.into_iter().enumerate() {
        let (staging, committed) = (&staged.staging[index], &staged.committed[index]);
        for trace in [staging, committed] {
            assert_eq!(
                (trace.loads, trace.stores),
                (APPLICATIONS, APPLICATIONS),
                "{trace:?}"
            );
            assert_eq!(trace.entries, staged.staging[0].entries);
            assert_eq!(trace.host_calls, staged.staging[0].host_calls);
        }
        match session {
            SessionKind::Persistent => {
                assert_eq!(staging.instantiations, APPLICATIONS);
                assert!(
                    staging.snapshots > 0,
                    "a checkpoint of what a bundle may change"
                );
                assert_eq!(staging.restores, 0, "nothing failed");
                assert_eq!(committed.instantiations, APPLICATIONS);
                assert_eq!((committed.snapshots, committed.restores), (0, 0));
            }
            SessionKind::PerTransaction => {
                assert!(staging.instantiations >= 2 * 12);
                // Every instance but the first of each application is restored.
                assert_eq!(staging.restores, staging.instantiations - APPLICATIONS);
                assert_eq!(staging.instantiations, committed.instantiations);
            }
        }
    }
}

#[test]
fn a_failing_bundle_costs_one_restore_of_what_it_touched() {
    let market = Market::open(0);
    market.place(
        1,
        &[market.insert(1, Ask, 10, 5), market.insert(1, Ask, 10, 6)],
    );
    let owner = market.owner(0);
    let cancel = matching_engine::Order::Cancel {
        owner,
        order_id: 77,
    };
    let messages = vec![market.unfunded(&cancel)];
    let mut transactions = market.inbox();
    transactions.insert(1, crate::market::bundle(&market, 7, 1, 0, messages));
    let policy = TestChains::auto_retry(0);
    let staged = market
        .chains
        .stage_everywhere(market.host(), &transactions, &policy)
        .unwrap();
    assert_eq!(staged.staged.rejected.len(), 1);
    for (index, (_, session)) in PAIRS.into_iter().enumerate() {
        let trace = &staged.staging[index];
        assert_eq!(
            (trace.loads, trace.stores),
            (2, 2),
            "the book and the base token"
        );
        if session == SessionKind::Persistent {
            assert_eq!((trace.restores, trace.instantiations), (1, 2), "{trace:?}");
        }
    }
}
