//! The record of who used what: it adds up to the outcome, and failing bundles are not in it.

use matching_engine::OrderNature::{Ask, Bid};
use resident_base::{Amount, Resources};
use resident_chain::{ExecutionReport, StagingPolicy, Transaction};
use resident_execution::{ResourcePolicy, TransactionReport};
use resident_testing::{PAIRS, StagedEverywhere, TestChains};

use crate::{
    bundles::stranger,
    gadget,
    market::{self, Market},
};

/// Sums over every part of the report: fuel, reads, writes, and messages.
fn sums(report: &ExecutionReport) -> [u64; 4] {
    report.all().fold([0; 4], |sums, part| {
        let used = counts(&part.resources);
        [0, 1, 2, 3].map(|index| sums[index] + used[index])
    })
}

fn counts(used: &Resources) -> [u64; 4] {
    [
        used.wasm_fuel,
        used.read_operations,
        used.bytes_to_write,
        used.messages,
    ]
}

fn assert_adds_up(staged: &StagedEverywhere) {
    let execution = &staged.staged.execution;
    let (report, outcome) = (&execution.report, &execution.executed.outcome);
    assert_eq!(report.transactions.len(), outcome.transactions.len());
    assert_eq!(sums(report), counts(&outcome.resources));
    assert_eq!(report.fees(), outcome.fees);
    for part in report.all() {
        let fuel: u64 = part.by_application.values().map(|report| report.fuel).sum();
        assert_eq!(fuel, part.resources.wasm_fuel, "fuel is somebody's");
    }
    let totals = report.by_application();
    for trace in &staged.committed {
        let host_calls: u64 = totals.values().map(|report| report.host_calls).sum();
        let entries: u64 = totals.values().map(|report| report.entries).sum();
        assert_eq!((host_calls, entries), (trace.host_calls, trace.entries));
    }
}

#[test]
fn reports_add_up_and_failing_bundles_are_not_in_them() {
    let market = Market::open(0);
    let prices = [1, 2, 3, 4];
    market.place(1, &prices.map(|price| market.insert(1, Ask, 1, price)));
    market.place(2, &prices.map(|price| market.insert(2, Bid, 1, price)));
    let mut policy = ResourcePolicy::default();
    policy.prices.fuel = Amount::from_attos(3);
    policy.prices.message = Amount::from_attos(1_000);
    policy.prices.byte_written = Amount::from_attos(5);
    let chains = TestChains::with_store(PAIRS[0], market.chains.store().clone());
    let chains = chains.with_policy(policy);
    let policy = TestChains::auto_retry(0);
    let inbox = market.inbox();
    let good = chains
        .stage_everywhere(market.host(), &inbox, &policy)
        .unwrap();
    assert!(good.staged.rejected.is_empty());
    assert_adds_up(&good);
    let book = &good.staged.execution.report.by_application()[&market.engine.forget_abi()];
    assert!(book.entries > 8 && book.fuel > 0, "{book:?}");

    // An order without funds changes a lot before it fails.
    let failing = market.unfunded(&market.insert(1, Bid, 7, 9));
    let mut with_failing = inbox;
    with_failing.insert(3, market::bundle(&market, 9, 1, 1, vec![failing]));
    let staged = chains.stage_everywhere(market.host(), &with_failing, &policy);
    let staged = staged.unwrap();
    assert_eq!(staged.staged.rejected.len(), 1);
    assert_adds_up(&staged);
    let mut report = staged.staged.execution.report;
    assert_eq!(report.transactions.remove(3), TransactionReport::default());
    assert_eq!(report, good.staged.execution.report);
}

/// What an application spends is the same whether it is called or entered by itself.
#[test]
fn an_application_is_not_charged_with_what_it_calls() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [outer, inner] = gadget::create(&chains, &chain);
    let work = [b'b'; 100];
    let stage = |transaction: Transaction| {
        let policy = StagingPolicy::Abort;
        let staged = chains
            .stage_everywhere(&chain, &[transaction], &policy)
            .unwrap();
        assert_adds_up(&staged);
        staged.staged.execution.report.transactions[0]
            .by_application
            .clone()
    };
    let alone = stage(gadget::operation(inner, &work));
    let called = stage(gadget::operation(outer, &gadget::call(inner, &work)));
    // But for what an operation costs by itself, and its bytes.
    let action = 10_000 + 8 * work.len() as u64;
    assert_eq!(alone[&inner].fuel, called[&inner].fuel + action);
    assert_eq!((alone[&inner].entries, alone[&inner].host_calls), (1, 0));
    assert_eq!((called[&inner].entries, called[&inner].host_calls), (1, 0));
    assert_eq!((called[&outer].entries, called[&outer].host_calls), (1, 1));
    let idle = stage(gadget::operation(outer, &gadget::call(inner, b"")));
    let lengths = work.len() as u64;
    let difference = called[&outer].fuel - idle[&outer].fuel;
    assert!(
        difference <= 16 * lengths,
        "only for the longer argument: {difference}"
    );

    let message = gadget::message(outer, stranger(1), 1, &[b"b", &gadget::call(inner, b"w")]);
    let both = stage(message);
    assert_eq!((both[&outer].entries, both[&inner].entries), (2, 1));
    assert_eq!((both[&outer].host_calls, both[&inner].host_calls), (1, 1));
}
