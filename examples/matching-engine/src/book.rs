//! What orders do to the book. Nothing here moves tokens: every function answers with the
//! payments that follow.

use matching_engine::{
    OrderId, OrderNature,
    pricing::{Pricing, crosses},
};
use resident_sdk::{
    base_types::{Account, AccountOwner, Amount},
    views::MapView,
};

use crate::state::{LevelKey, LevelView, Levels, MatchingEngineState, OpenOrder};

/// The index of the base token.
pub(crate) const BASE: usize = 0;
/// The index of the quote token.
pub(crate) const QUOTE: usize = 1;

/// How many resting orders, cancelled ones included, an incoming order can go through. What is
/// then left of it returns to its owner, for a book full of tiny orders may not make a large
/// order too expensive to execute.
const MAX_STEPS: u32 = 500;

/// Tokens that leave the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Payment {
    /// [`BASE`] or [`QUOTE`].
    pub(crate) token: usize,
    /// How much, never zero.
    pub(crate) amount: Amount,
    /// To whom.
    pub(crate) account: Account,
}

impl MatchingEngineState {
    /// Matches a checked order, and lets what is left of it wait. The incoming order's owner is
    /// paid once per token, a resting order's owner once per trade.
    pub(crate) async fn insert(&mut self, order: OpenOrder, pricing: Pricing) -> Vec<Payment> {
        let mut incoming = Incoming::new(order, pricing);
        match order.nature {
            OrderNature::Bid => incoming.go_through(&mut self.asks, &mut self.orders).await,
            OrderNature::Ask => incoming.go_through(&mut self.bids, &mut self.orders).await,
        }
        let id = *self.next_order_id.get();
        self.next_order_id.set(id + 1);
        if incoming.is_active() {
            self.rest(id, incoming.order).await;
        }
        incoming.into_payments()
    }

    /// Removes an order. Answers with what it had still locked.
    pub(crate) async fn cancel(
        &mut self,
        owner: AccountOwner,
        id: OrderId,
        pricing: Pricing,
    ) -> Option<Payment> {
        let mut order = *self.order_of(owner, id).await;
        self.orders.remove(&id).expect("orders can be written");
        match order.nature {
            OrderNature::Bid => forget(&mut self.bids, &order).await,
            OrderNature::Ask => forget(&mut self.asks, &order).await,
        }
        reduce(&mut order, Amount::ZERO, pricing)
    }

    /// Makes an order smaller. Answers with what it no longer locks.
    pub(crate) async fn modify(
        &mut self,
        owner: AccountOwner,
        id: OrderId,
        new_quantity: Amount,
        pricing: Pricing,
    ) -> Option<Payment> {
        assert!(
            new_quantity != Amount::ZERO,
            "the new quantity cannot be zero; cancel the order instead"
        );
        let order = self.order_of(owner, id).await;
        reduce(order, new_quantity, pricing)
    }

    /// The open order with this id, which must be the owner's.
    async fn order_of(&mut self, owner: AccountOwner, id: OrderId) -> &mut OpenOrder {
        let order = self.orders.get_mut(&id).await.expect("orders can be read");
        let order = order.unwrap_or_else(|| panic!("there is no open order {id}"));
        assert!(order.account.owner == owner, "order {id} has another owner");
        order
    }

    async fn rest(&mut self, id: OrderId, order: OpenOrder) {
        self.orders
            .insert(&id, order)
            .expect("orders can be written");
        match order.nature {
            OrderNature::Bid => enqueue(&mut self.bids, id, &order).await,
            OrderNature::Ask => enqueue(&mut self.asks, id, &order).await,
        }
    }
}

/// Lowers an order's quantity and says what that releases.
fn reduce(order: &mut OpenOrder, quantity: Amount, pricing: Pricing) -> Option<Payment> {
    let released = pricing.released(order.nature, order.price, order.quantity, quantity);
    let amount = released.unwrap_or_else(|error| panic!("{error}"));
    order.quantity = quantity;
    payment(locked_token(order.nature), amount, order.account)
}

/// The token that an order of this nature pays with.
pub(crate) fn locked_token(nature: OrderNature) -> usize {
    match nature {
        OrderNature::Bid => QUOTE,
        OrderNature::Ask => BASE,
    }
}

fn payment(token: usize, amount: Amount, account: Account) -> Option<Payment> {
    (amount != Amount::ZERO).then_some(Payment {
        token,
        amount,
        account,
    })
}

async fn enqueue<K: LevelKey>(levels: &mut Levels<K>, id: OrderId, order: &OpenOrder) {
    let level = levels.load_entry_mut(&K::new(order.price)).await;
    level.expect("levels can be read").queue.push_back(id);
}

/// Notes that an order of a level was cancelled, and removes the level if it was the last.
async fn forget<K: LevelKey>(levels: &mut Levels<K>, order: &OpenOrder) {
    let key = K::new(order.price);
    let level = levels
        .load_entry_mut(&key)
        .await
        .expect("levels can be read");
    *level.cancelled.get_mut() += 1;
    if level.is_empty() {
        levels.remove_entry(&key).expect("levels can be written");
    }
}

/// The key of the best level.
async fn best<K: LevelKey>(levels: &Levels<K>) -> Option<K> {
    let mut best = None;
    let visited = levels.for_each_index_while(|key| {
        best = Some(key);
        Ok(false)
    });
    visited.await.expect("levels can be read");
    best
}

/// An order on its way through the other side of the book.
struct Incoming {
    order: OpenOrder,
    pricing: Pricing,
    steps_left: u32,
    /// What the order's owner gets, by token.
    received: [Amount; 2],
    payments: Vec<Payment>,
}

impl Incoming {
    fn new(order: OpenOrder, pricing: Pricing) -> Self {
        let received = [Amount::ZERO; 2];
        Incoming {
            order,
            pricing,
            steps_left: MAX_STEPS,
            received,
            payments: Vec::new(),
        }
    }

    /// Whether something is left to trade, and steps to find a partner.
    fn is_active(&self) -> bool {
        self.order.quantity != Amount::ZERO && self.steps_left > 0
    }

    async fn go_through<K: LevelKey>(
        &mut self,
        levels: &mut Levels<K>,
        orders: &mut MapView<OrderId, OpenOrder>,
    ) {
        while self.is_active() {
            let Some(key) = best(levels).await else {
                return;
            };
            if !crosses(self.order.nature, self.order.price, key.price()) {
                return;
            }
            let level = levels
                .load_entry_mut(&key)
                .await
                .expect("levels can be read");
            self.go_through_level(level, orders).await;
            if level.is_empty() {
                levels.remove_entry(&key).expect("levels can be written");
            }
        }
    }

    async fn go_through_level(
        &mut self,
        level: &mut LevelView,
        orders: &mut MapView<OrderId, OpenOrder>,
    ) {
        while self.is_active() {
            let Some(id) = level.queue.front().await.expect("queues can be read") else {
                return;
            };
            self.steps_left -= 1;
            match orders.get_mut(&id).await.expect("orders can be read") {
                None => *level.cancelled.get_mut() -= 1,
                Some(resting) => {
                    self.trade(resting);
                    if resting.quantity != Amount::ZERO {
                        continue;
                    }
                    orders.remove(&id).expect("orders can be written");
                }
            }
            level.queue.delete_front();
        }
    }

    fn trade(&mut self, resting: &mut OpenOrder) {
        let nature = self.order.nature;
        let trade = self
            .pricing
            .trade(nature, self.order.offer(), resting.offer());
        let trade = trade.expect("both orders were checked when they were inserted");
        self.order.quantity = self.order.quantity.saturating_sub(trade.quantity);
        resting.quantity = resting.quantity.saturating_sub(trade.quantity);
        match nature {
            OrderNature::Bid => {
                self.receive(BASE, trade.quantity);
                self.receive(QUOTE, trade.refund);
                self.payments
                    .extend(payment(QUOTE, trade.payment, resting.account));
            }
            OrderNature::Ask => {
                self.receive(QUOTE, trade.payment);
                self.payments
                    .extend(payment(BASE, trade.quantity, resting.account));
                self.payments
                    .extend(payment(QUOTE, trade.refund, resting.account));
            }
        }
    }

    fn receive(&mut self, token: usize, amount: Amount) {
        let received = self.received[token].try_add_assign(amount);
        received.expect("a token's supply fits in an amount");
    }

    /// What everybody gets. An order that ran out of steps does not wait in the book.
    fn into_payments(mut self) -> Vec<Payment> {
        if self.steps_left == 0 {
            self.payments
                .extend(reduce(&mut self.order, Amount::ZERO, self.pricing));
        }
        for token in [BASE, QUOTE] {
            self.payments
                .extend(payment(token, self.received[token], self.order.account));
        }
        self.payments
    }
}
