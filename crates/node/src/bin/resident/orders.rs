//! Which orders the users place, and what must come of them.

use std::collections::BTreeMap;

use matching_engine::{Operation, Order, OrderId, OrderNature, Price};
use resident_base::{AccountOwner, Amount};

/// Prices go from one to this, and then from one again.
const HIGHEST_PRICE: u64 = 50;

/// How much each order trades.
pub(crate) const QUANTITY: Amount = Amount::ONE;

/// No book has an order with this id.
const NO_ORDER: OrderId = OrderId::MAX;

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlannedOrder {
    pub(crate) nature: OrderNature,
    pub(crate) price: u64,
    /// Asks for something that the user's chain lets pass and the engine's chain must reject.
    pub(crate) is_broken: bool,
}

/// What the book and the users must have in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// How many pairs of orders met.
    pub(crate) trades: u64,
    /// What the asks earned, in whole quote tokens.
    pub(crate) earned: u64,
}

/// First the bids at prices 1, 2, 3 …, then as many asks at the same prices, or one less. Every
/// `fail_every`th of all orders is broken.
pub(crate) fn plan(orders: u32, fail_every: Option<u32>) -> Vec<PlannedOrder> {
    let bids = orders.div_ceil(2);
    let order = |number: u32| {
        let is_bid = number < bids;
        let position = if is_bid { number } else { number - bids };
        PlannedOrder {
            nature: if is_bid {
                OrderNature::Bid
            } else {
                OrderNature::Ask
            },
            price: u64::from(position) % HIGHEST_PRICE + 1,
            is_broken: fail_every.is_some_and(|every| (number + 1).is_multiple_of(every)),
        }
    };
    (0..orders).map(order).collect()
}

impl PlannedOrder {
    /// What the user signs.
    pub(crate) fn operation(&self, owner: AccountOwner) -> Operation {
        // A cancellation moves no funds, so only the engine's chain finds out that it is of nothing.
        let order = if self.is_broken {
            Order::Cancel {
                owner,
                order_id: NO_ORDER,
            }
        } else {
            let price = Price { price: self.price };
            Order::Insert {
                owner,
                nature: self.nature,
                quantity: QUANTITY,
                price,
            }
        };
        Operation::ExecuteOrder { order }
    }
}

/// The order book in a few lines of plain Rust: bids arrive first, each ask meets the highest bid
/// that accepts its price, and they trade at the bid's.
pub(crate) fn expected(plan: &[PlannedOrder]) -> Expected {
    let mut bids = BTreeMap::<u64, u64>::new();
    let mut expected = Expected::default();
    for order in plan.iter().filter(|order| !order.is_broken) {
        match order.nature {
            OrderNature::Bid => *bids.entry(order.price).or_default() += 1,
            OrderNature::Ask => {
                let Some(mut best) = bids.last_entry().filter(|best| *best.key() >= order.price)
                else {
                    continue;
                };
                expected.trades += 1;
                expected.earned += best.key();
                *best.get_mut() -= 1;
                if *best.get() == 0 {
                    best.remove();
                }
            }
        }
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_orders_make_twenty_five_trades() {
        let plan = plan(100, None);
        let prices: Vec<_> = plan.iter().map(|order| order.price).collect();
        assert_eq!(prices, (1..=50).chain(1..=50).collect::<Vec<_>>());
        // The bids from 50 down to 26 are hit.
        assert_eq!(
            expected(&plan),
            Expected {
                trades: 25,
                earned: (26..=50).sum()
            }
        );
    }

    #[test]
    fn every_nth_order_is_broken_and_not_traded() {
        let plan = plan(4, Some(2));
        let broken: Vec<_> = plan.iter().map(|order| order.is_broken).collect();
        assert_eq!(broken, [false, true, false, true]);
        assert_eq!(
            expected(&plan),
            Expected {
                trades: 1,
                earned: 1
            }
        );
    }

    #[test]
    fn prices_begin_again_after_the_highest() {
        let plan = plan(201, None);
        assert_eq!(plan[49].price, 50);
        assert_eq!(plan[50].price, 1);
        assert_eq!(
            plan.iter()
                .filter(|order| order.nature == OrderNature::Bid)
                .count(),
            101
        );
        assert_eq!((plan[101].nature, plan[101].price), (OrderNature::Ask, 1));
    }
}
