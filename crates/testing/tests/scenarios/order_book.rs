//! Random orders of three traders, on the chain of the book and on two others, against the [model](Model).

use std::collections::VecDeque;

use matching_engine::{
    Order,
    OrderNature::{self, Ask, Bid},
};
use resident_base::Amount;
use resident_chain::{IncomingBundle, Transaction};
use resident_testing::TestChains;

use crate::{
    bundles,
    market::{FUNDS, Market, TRADERS},
    model::{BASE, MAX_STEPS, Model, QUOTE},
    random::Random,
};

/// Orders of each of the remote traders in a round.
const ORDERS: usize = 9;
const ROUNDS: usize = 6;

#[test]
fn the_book_does_what_the_model_does() {
    for (seed, price_decimals) in [(1, 0), (2, 1), (3, 2)] {
        let mut run = Run::new(seed, price_decimals);
        for _ in 0..ROUNDS {
            run.round();
        }
        let counts = run.model.counts;
        assert!(
            counts.trades > 20 && counts.partial > 5 && counts.cancelled > 0,
            "{counts:?}"
        );
        assert!(
            counts.modified > 0 && counts.refused > 5 && counts.refunds > 5,
            "{counts:?}"
        );
        run.cancel_everything();
    }
}

struct Run {
    market: Market,
    model: Model,
    random: Random,
}

impl Run {
    fn new(seed: u64, price_decimals: u16) -> Self {
        let market = Market::open(price_decimals);
        Self {
            market,
            model: Model::new(price_decimals),
            random: Random::new(seed),
        }
    }

    /// The remote traders place orders, the book's chain takes them in any order and adds its own.
    fn round(&mut self) {
        let remote: Vec<Vec<Order>> = (1..TRADERS).map(|trader| self.place(trader)).collect();
        let (transactions, refused) = self.mix(&remote);
        let policy = TestChains::auto_retry(0);
        let host = *self.market.host();
        let staged = self
            .market
            .chains
            .add_everywhere(&host, &transactions, &policy)
            .unwrap_or_else(|error| panic!("the book's block failed: {error}"))
            .staged;
        assert!(staged.dropped.is_empty(), "{:?}", staged.dropped);
        let rejected: Vec<IncomingBundle> = staged
            .rejected
            .into_iter()
            .map(|(incoming, _)| incoming)
            .collect();
        let position = |incoming: &IncomingBundle| (incoming.origin, incoming.bundle.cursor());
        let rejected: Vec<_> = rejected.iter().map(position).collect();
        let refused: Vec<_> = refused.iter().map(position).collect();
        assert_eq!(
            rejected, refused,
            "the book and the model refuse different orders"
        );
        self.market.settle();
        self.compare();
    }

    /// Places random orders of a remote trader, and gives them in their order.
    fn place(&mut self, trader: usize) -> Vec<Order> {
        let mut orders = Vec::new();
        while orders.len() < ORDERS {
            let order = self.random_order(trader, true);
            if !self.lock(trader, &order) {
                continue;
            }
            orders.push(order);
        }
        self.market.place(trader, &orders);
        orders
    }

    /// Takes an insertion's funds in the model; false if the order would fail where it is placed.
    fn lock(&mut self, trader: usize, order: &Order) -> bool {
        let Order::Insert {
            nature,
            quantity,
            price,
            ..
        } = *order
        else {
            return true;
        };
        let quantity = quantity.to_attos();
        self.model.worth(quantity, price.price) > 0
            && self.model.lock(trader, nature, quantity, price.price)
    }

    /// Bundles of both remote traders and operations of the host, shuffled but each in its order, with
    /// the bundles that the model refuses.
    fn mix(&mut self, remote: &[Vec<Order>]) -> (Vec<Transaction>, Vec<IncomingBundle>) {
        let inbox = self.market.inbox();
        let mut queues: Vec<VecDeque<(Transaction, Order)>> = Vec::new();
        for (trader, orders) in (1..).zip(remote) {
            let origin = self.market.traders[trader].id;
            let own = inbox
                .iter()
                .filter(|transaction| sent_by(transaction, origin));
            let own: VecDeque<_> = own.cloned().zip(orders.iter().copied()).collect();
            assert_eq!(own.len(), orders.len(), "one bundle per order");
            queues.push(own);
        }
        let (mut transactions, mut refused) = (Vec::new(), Vec::new());
        while queues.iter().any(|queue| !queue.is_empty()) {
            let queue = self.random.below(TRADERS as u64) as usize;
            if queue == 0 {
                transactions.extend(self.host_order());
            } else if let Some((transaction, order)) = queues[queue - 1].pop_front() {
                if !self.apply(queue, &order) {
                    refused.extend(transaction.bundle().cloned());
                }
                transactions.push(transaction);
            }
        }
        (transactions, refused)
    }

    /// An order on the chain of the book, where a bad one would fail the block.
    fn host_order(&mut self) -> Option<Transaction> {
        let order = self.random_order(0, false);
        if !self.lock(0, &order) || !self.apply(0, &order) {
            return None;
        }
        Some(bundles::operation(self.market.operation(&order)))
    }

    fn apply(&mut self, trader: usize, order: &Order) -> bool {
        match *order {
            Order::Insert {
                nature,
                quantity,
                price,
                ..
            } => {
                self.model
                    .insert(trader, nature, quantity.to_attos(), price.price);
                true
            }
            Order::Cancel { order_id, .. } => self.model.cancel(trader, order_id),
            Order::Modify {
                order_id,
                new_quantity,
                ..
            } => self.model.modify(trader, order_id, new_quantity.to_attos()),
        }
    }

    /// Insertions mostly; orders that are gone, of others, or not there yet, if they may be bad.
    fn random_order(&mut self, trader: usize, may_be_bad: bool) -> Order {
        let owner = self.market.owner(trader);
        if self.random.percent(65) {
            let nature = if self.random.percent(50) { Bid } else { Ask };
            return self.random_insert(trader, nature);
        }
        let order_id = self.random_id(trader, may_be_bad);
        if self.random.percent(50) {
            return Order::Cancel { owner, order_id };
        }
        let new_quantity = Amount::from_attos(self.random.below(40).into());
        Order::Modify {
            owner,
            order_id,
            new_quantity,
        }
    }

    fn random_insert(&mut self, trader: usize, nature: OrderNature) -> Order {
        let price = 90 + self.random.below(20);
        let quantity = 1 + self.random.below(60);
        self.market.insert(trader, nature, quantity.into(), price)
    }

    fn random_id(&mut self, trader: usize, may_be_bad: bool) -> u64 {
        let own = self
            .model
            .open
            .iter()
            .filter(|(_, order)| order.trader == trader);
        let own: Vec<u64> = own.map(|(id, _)| *id).collect();
        if own.is_empty() || (may_be_bad && self.random.percent(40)) {
            return self.random.below(self.model.next_id() + 3);
        }
        own[self.random.below(own.len() as u64) as usize]
    }

    /// Everybody's money, and that of the book, and that it is all there is.
    fn compare(&self) {
        for token in [BASE, QUOTE] {
            let mut sum = self.market.held(token);
            assert_eq!(
                sum,
                self.model.held(token),
                "held by the book of token {token}"
            );
            for trader in 0..TRADERS {
                let balance = self.market.balance(token, trader);
                assert_eq!(
                    balance, self.model.balances[token][trader],
                    "trader {trader}, token {token}"
                );
                sum += balance;
            }
            assert_eq!(
                sum,
                FUNDS * TRADERS as u128,
                "tokens came into being, or were lost"
            );
        }
    }

    /// Every order that the model has open is there, and returns all that it has locked.
    fn cancel_everything(&mut self) {
        let open: Vec<_> = self
            .model
            .open
            .iter()
            .map(|(id, order)| (*id, order.trader))
            .collect();
        assert!(!open.is_empty());
        for trader in 0..TRADERS {
            let owner = self.market.owner(trader);
            let own = open.iter().filter(|(_, other)| *other == trader);
            let orders: Vec<_> = own
                .map(|(order_id, _)| Order::Cancel {
                    owner,
                    order_id: *order_id,
                })
                .collect();
            if !orders.is_empty() {
                self.market.place(trader, &orders);
            }
            assert!(orders.iter().all(|order| self.apply(trader, order)));
        }
        let host = *self.market.host();
        let inbox = self.market.inbox();
        let policy = resident_chain::StagingPolicy::Abort;
        self.market
            .chains
            .add_everywhere(&host, &inbox, &policy)
            .expect("all of them are open");
        self.market.settle();
        self.compare();
        assert_eq!((self.market.held(BASE), self.market.held(QUOTE)), (0, 0));
    }
}

fn sent_by(transaction: &Transaction, origin: resident_base::ChainId) -> bool {
    transaction
        .bundle()
        .is_some_and(|incoming| incoming.origin == origin)
}

#[test]
fn an_order_goes_through_a_bounded_number_of_others() {
    let market = Market::open(0);
    let mut model = Model::new(0);
    let many = u64::from(MAX_STEPS) + 5;
    let mut operations = Vec::new();
    for _ in 0..many {
        assert!(model.lock(0, Ask, 1, 2));
        model.insert(0, Ask, 1, 2);
        operations.push(market.operation(&market.insert(0, Ask, 1, 2)));
    }
    // Cancelled orders are steps, too.
    let owner = market.owner(0);
    for order_id in 10..20 {
        assert!(model.cancel(0, order_id));
        operations.push(market.operation(&Order::Cancel { owner, order_id }));
    }
    market.chains.run(market.host(), operations);

    assert!(model.lock(1, Bid, 1_000, 3));
    model.insert(1, Bid, 1_000, 3);
    market.place(1, &[market.insert(1, Bid, 1_000, 3)]);
    let policy = TestChains::auto_retry(0);
    let inbox = market.inbox();
    let staged = market
        .chains
        .add_everywhere(market.host(), &inbox, &policy)
        .unwrap();
    assert!(staged.staged.rejected.is_empty());
    market.settle();
    assert_eq!(model.open.len(), 5);
    assert_eq!(market.held(BASE), 5);
    assert_eq!(
        market.held(QUOTE),
        0,
        "what is left of the order returns to its owner"
    );
    for (token, trader) in [(BASE, 0), (BASE, 1), (QUOTE, 0), (QUOTE, 1)] {
        assert_eq!(market.balance(token, trader), model.balances[token][trader]);
    }
}
