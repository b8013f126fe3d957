//! Bundles that exceed a limit, with real contracts: they wait, and nothing is lost.

use std::collections::BTreeSet;

use matching_engine::OrderNature::{Ask, Bid};
use resident_base::{Amount, ChainId};
use resident_chain::{Cursor, IncomingBundle, Transaction};
use resident_execution::{FailureReason, Operation, ResourcePolicy};
use resident_testing::{PAIRS, TestChains};

use crate::{bundles::stranger, gadget, market::Market};

/// The same chains with other limits from now on.
fn with_limits(market: &Market, change: impl FnOnce(&mut ResourcePolicy)) -> Market {
    let mut policy = ResourcePolicy::default();
    change(&mut policy);
    let chains = TestChains::with_store(PAIRS[0], market.chains.store().clone());
    Market {
        chains: chains.with_policy(policy),
        ..*market
    }
}

fn cursors<'a>(bundles: impl Iterator<Item = &'a IncomingBundle>) -> BTreeSet<(ChainId, Cursor)> {
    bundles
        .map(|incoming| (incoming.origin, incoming.bundle.cursor()))
        .collect()
}

#[test]
fn what_does_not_fit_a_block_waits_for_the_next_ones() {
    let market = Market::open(0);
    for trader in [1, 2] {
        let transfer = |amount| -> Operation {
            let (chain, host) = (&market.traders[trader], market.host());
            TestChains::transfer(chain, market.tokens[0], Amount::from_attos(amount), host)
        };
        market
            .chains
            .run(&market.traders[trader], (1..=8).map(transfer).collect());
        market.chains.deliver(&market.traders[trader]);
    }
    let policy = TestChains::auto_retry(3);
    let all = market.inbox();
    assert_eq!(all.len(), 16);
    let fuel_of = |bundles: &[Transaction]| {
        let staged = market
            .chains
            .stage_everywhere(market.host(), bundles, &policy);
        let staged = staged.unwrap().staged;
        assert!(staged.rejected.is_empty() && staged.dropped.is_empty());
        staged.execution.executed.outcome.resources.wasm_fuel
    };
    // Each block loads the token anew.
    let (one, whole) = (fuel_of(&all[..1]), fuel_of(&all));
    let fuel = one + (whole - one) * 2 / 3;
    let before = market.balance(0, 0);

    let market = with_limits(&market, |policy| policy.limits.block_fuel = fuel);
    let mut blocks = 0;
    loop {
        let waiting = market.inbox();
        if waiting.is_empty() {
            break;
        }
        blocks += 1;
        let staged = market
            .chains
            .add_everywhere(market.host(), &waiting, &policy)
            .unwrap()
            .staged;
        assert!(
            staged.rejected.is_empty(),
            "a full block is no reason to reject"
        );
        let executed = &staged.execution.executed;
        assert!(executed.outcome.resources.wasm_fuel <= fuel);
        assert!(
            !executed.block.transactions.is_empty(),
            "every block gets on"
        );
        let dropped = cursors(staged.dropped.iter().map(|(incoming, _)| incoming));
        let inbox = market.inbox();
        assert!(dropped == cursors(inbox.iter().filter_map(Transaction::bundle)));
        assert!(blocks <= 16);
    }
    assert!((2..=4).contains(&blocks), "{blocks} blocks");
    assert_eq!(market.balance(0, 0), before + 2 * (1..=8).sum::<u128>());
}

/// A hundred and fifty asks make a bid for all of them too expensive.
fn market_with_a_large_order() -> Market {
    let market = Market::open(0);
    let ask = market.operation(&market.insert(0, Ask, 1, 2));
    market.chains.run(market.host(), vec![ask; 150]);
    market.place(1, &[market.insert(1, Bid, 1, 1)]);
    market.place(
        2,
        &[market.insert(2, Bid, 150, 2), market.insert(2, Bid, 1, 1)],
    );
    let policy = TestChains::auto_retry(0);
    let fuel_of = |transactions: &[Transaction]| {
        let staged = market
            .chains
            .stage_everywhere(market.host(), transactions, &policy)
            .unwrap();
        staged.staged.execution.report.transactions[0]
            .resources
            .wasm_fuel
    };
    let inbox = market.inbox();
    let origin = market.traders[2].id;
    let of_trader =
        |transaction: &&Transaction| transaction.bundle().is_some_and(|b| b.origin == origin);
    let large = inbox.iter().find(of_trader);
    let large = large.expect("it was delivered").clone();
    let small = inbox.iter().find(|transaction| !of_trader(transaction));
    let small = small.expect("it was delivered").clone();
    let fuel = u64::midpoint(fuel_of(&[small]), fuel_of(&[large]));
    with_limits(&market, |policy| policy.limits.transaction_fuel = fuel)
}

/// It used to wait until it came first, and cost its fuel in every block until then.
#[test]
fn a_bundle_out_of_fuel_is_rejected_wherever_it_stands() {
    let market = market_with_a_large_order();
    let small = market.traders[1].id;
    let mut inbox = market.inbox();
    inbox.sort_by_key(|transaction| {
        transaction.bundle().map(|incoming| incoming.origin) != Some(small)
    });
    let policy = TestChains::auto_retry(0);
    let staged = market
        .chains
        .add_everywhere(market.host(), &inbox, &policy)
        .unwrap()
        .staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (1, 0));
    assert!(staged.rejected[0].1.is_limit());
    assert!(market.inbox().is_empty());
    // The token's credit was in the rejected bundle; the small order is in the book.
    assert_eq!(market.held(1), 1 + 1);
}

#[test]
fn a_chain_that_cannot_pay_rejects_and_goes_on() {
    let free = TestChains::new(PAIRS[0]);
    let host = free.open_root(1);
    let [gadget] = gadget::create(&free, &host);
    let poor = free.open_child(&host, 2);
    let mut policy = ResourcePolicy::default();
    policy.prices.fuel = Amount::from_attos(1);
    let chains = TestChains::with_store(PAIRS[0], free.store().clone()).with_policy(policy);
    let bundles = [1, 2].map(|height| gadget::message(gadget, stranger(1), height, &[b"bw"]));
    let policy = TestChains::auto_retry(1);
    let staged = chains
        .add_everywhere(&poor, &bundles, &policy)
        .unwrap()
        .staged;
    assert_eq!(staged.rejected.len(), 2);
    for (_, failure) in &staged.rejected {
        assert!(
            matches!(failure.reason, FailureReason::InsufficientBalance { .. }),
            "{failure}"
        );
    }
    let outcome = &staged.execution.executed.outcome;
    assert_eq!(
        (outcome.fees, outcome.resources.wasm_fuel),
        (Amount::ZERO, 0)
    );
    // Where nothing costs anything, the next bundle passes.
    let next = gadget::message(gadget, stranger(1), 3, &[b"bw"]);
    let staged = free.add_everywhere(&poor, &[next], &policy).unwrap().staged;
    assert!(staged.rejected.is_empty());
}
