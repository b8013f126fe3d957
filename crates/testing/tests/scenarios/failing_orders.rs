//! Rolled back = never ran, with the order book: failures in the middle of calls between applications.

use matching_engine::{
    Order,
    OrderNature::{Ask, Bid},
};
use resident_chain::Transaction;
use resident_execution::Failure;
use resident_testing::TestChains;

use crate::{
    bundles::assert_leaves_no_trace,
    market::{Market, bundle},
    model::{BASE, QUOTE},
};

/// Good orders of two traders wait in the inbox: three asks, and bids that meet two of them.
fn market() -> Market {
    let market = Market::open(0);
    market.place(1, &[5, 6, 7].map(|price| market.insert(1, Ask, 10, price)));
    market.place(2, &[5, 6].map(|price| market.insert(2, Bid, 10, price)));
    market
}

/// The asks, then these bundles, then the bids, and a last good bundle of each stranger.
fn around(market: &Market, bad: &[Transaction]) -> (Vec<Transaction>, Vec<usize>) {
    let is_ask = |transaction: &&Transaction| {
        transaction
            .bundle()
            .is_some_and(|incoming| incoming.origin == market.traders[1].id)
    };
    let inbox = market.inbox();
    let (asks, bids): (Vec<_>, Vec<_>) = inbox.iter().partition(is_ask);
    assert_eq!((asks.len(), bids.len()), (3, 2));
    let mut transactions: Vec<Transaction> = asks.into_iter().cloned().collect();
    transactions.extend(bad.iter().cloned());
    transactions.extend(bids.into_iter().cloned());
    for origin in [7, 8] {
        let credit = market.credit(QUOTE, market.owner(0), 1);
        transactions.push(bundle(market, origin, 100, 0, vec![credit]));
    }
    (transactions, (3..3 + bad.len()).collect())
}

fn check(market: &Market, bad: &[Transaction]) -> Vec<Failure> {
    let (transactions, failing) = around(market, bad);
    let policy = TestChains::auto_retry(8);
    let with = assert_leaves_no_trace(
        &market.chains,
        market.host(),
        &transactions,
        &failing,
        &policy,
    );
    with.staged
        .rejected
        .into_iter()
        .map(|(_, failure)| failure)
        .collect()
}

#[test]
fn a_panic_in_the_middle_of_a_nested_call() {
    let market = market();
    // The bid meets all asks, so the book is changed already when the engine cannot pay the sellers.
    let unfunded = market.unfunded(&market.insert(0, Bid, 30, 9));
    let failures = check(&market, &[bundle(&market, 7, 1, 0, vec![unfunded])]);
    assert_eq!(
        failures[0].application_id,
        Some(market.tokens[QUOTE].forget_abi())
    );
    assert!(
        failures[0].to_string().contains("insufficient balance"),
        "{}",
        failures[0]
    );
}

#[test]
fn a_failure_after_some_of_the_nested_calls_passed() {
    let market = market();
    // Enough to pay the first seller, but not the second: the first call is to be undone, too.
    let engine = resident_base::AccountOwner::from(market.engine.forget_abi());
    let messages = vec![
        market.credit(QUOTE, engine, 55),
        market.unfunded(&market.insert(0, Bid, 30, 9)),
    ];
    let failures = check(&market, &[bundle(&market, 7, 1, 0, messages)]);
    assert!(
        failures[0].to_string().contains("insufficient balance"),
        "{}",
        failures[0]
    );
}

#[test]
fn broken_rules_alone_and_in_a_row() {
    let market = market();
    let owner = market.owner(0);
    let cancel = |order_id| market.unfunded(&Order::Cancel { owner, order_id });
    let unsigned = market.unfunded(&market.insert(1, Ask, 1, 5));
    let bad = [
        bundle(&market, 7, 1, 0, vec![cancel(99)]),
        bundle(&market, 8, 1, 0, vec![cancel(0)]),
        bundle(&market, 7, 2, 0, vec![unsigned]),
        bundle(
            &market,
            7,
            3,
            0,
            vec![market.credit(BASE, owner, 10), cancel(1)],
        ),
        bundle(
            &market,
            8,
            2,
            0,
            vec![market.credit(BASE, owner, u128::MAX)],
        ),
    ];
    let reasons: Vec<_> = check(&market, &bad)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "there is no open order 99",
        "order 0 has another owner",
        "did not authorise its order",
        "order 1 has another owner",
        "too large",
    ];
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_bundle_that_loads_applications_first_and_fails() {
    let market = market();
    // Nothing can be bought yet, so the order rests without funds; it fails as the engine is told to
    // pay them back.
    let cancel = market.unfunded(&Order::Cancel {
        owner: market.owner(0),
        order_id: 0,
    });
    let messages = vec![market.unfunded(&market.insert(0, Bid, 30, 9)), cancel];
    let (mut transactions, _) = around(&market, &[]);
    transactions.insert(0, bundle(&market, 7, 1, 0, messages));
    let policy = TestChains::auto_retry(8);
    let with = assert_leaves_no_trace(&market.chains, market.host(), &transactions, &[0], &policy);
    let failure = &with.staged.rejected[0].1;
    assert_eq!(
        failure.application_id,
        Some(market.tokens[QUOTE].forget_abi())
    );
    // Engine and token came alive for the failing bundle, and once more for the others.
    let trace = &with.staging[0];
    assert_eq!((trace.loads, trace.stores, trace.instantiations), (3, 3, 5));
}
