//! The portable snapshots between transactions: small, and the same on every engine.

use matching_engine::OrderNature::{Ask, Bid};
use resident_execution::SessionKind;
use resident_testing::{PAIRS, TestChains};

use crate::market::Market;

/// A full copy of such an instance was 1.12 MB in the published figure.
const MOST_BYTES: u64 = 32 << 10;

/// All of these orders rest in the book, half of them on either side.
#[test]
fn a_book_of_a_hundred_orders_is_a_small_snapshot() {
    let market = Market::open(0);
    for trader in [1, 2] {
        let nature = [Bid, Ask][trader - 1];
        let price = |order: u64| [order, 1_000 - order][trader - 1];
        let orders: Vec<_> = (1..=50)
            .map(|order| market.insert(trader, nature, 10, price(order)))
            .collect();
        market.place(trader, &orders);
    }
    let transactions = market.inbox();
    let policy = TestChains::auto_retry(0);
    let everywhere = market
        .chains
        .stage_everywhere(market.host(), &transactions, &policy)
        .expect("good orders do not fail");
    assert_eq!(
        everywhere
            .staged
            .execution
            .executed
            .block
            .transactions
            .len(),
        100
    );
    let engine = market.engine.forget_abi();
    let sizes = PAIRS.iter().zip(&everywhere.committed);
    let sizes: Vec<_> = sizes
        .filter(|((_, session), _)| *session == SessionKind::PerTransaction)
        .map(|(_, trace)| trace.portable[&engine])
        .collect();
    assert!(
        sizes.iter().all(|size| size.snapshot_bytes < MOST_BYTES),
        "{sizes:?}"
    );
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}
