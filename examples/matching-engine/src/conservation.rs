//! Nothing is created and nothing is stranded: after every order the engine holds exactly what the
//! open orders have locked, whatever was rounded on the way.

use matching_engine::{
    OrderNature::{Ask, Bid},
    Price,
    pricing::Pricing,
};
use resident_sdk::{
    ContractRuntime,
    base_types::{Account, AccountOwner, Amount, ChainId, CryptoHash},
    util::BlockingWait,
    views::View,
};

use crate::{
    MatchingEngineContract,
    book::{Payment, locked_token},
    state::{MatchingEngineState, OpenOrder},
};

/// A small reproducible generator (an xorshift with its usual constants).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct Book {
    state: MatchingEngineState,
    pricing: Pricing,
    held: [Amount; 2],
}

impl Book {
    fn new(price_decimals: u16) -> Self {
        let context = ContractRuntime::<MatchingEngineContract>::new().root_view_storage_context();
        let state = MatchingEngineState::load(context)
            .blocking_wait()
            .expect("readable");
        let pricing = Pricing::new(price_decimals).expect("few decimals");
        Book {
            state,
            pricing,
            held: [Amount::ZERO; 2],
        }
    }

    fn insert(&mut self, order: OpenOrder) {
        let OpenOrder {
            nature,
            quantity,
            price,
            ..
        } = order;
        let Ok(locked) = self.pricing.check(nature, quantity, price) else {
            return;
        };
        self.held[locked_token(nature)].saturating_add_assign(locked);
        let payments = self.state.insert(order, self.pricing).blocking_wait();
        self.pay(payments);
    }

    fn shrink(&mut self, random: &mut Random) {
        let orders = self
            .state
            .orders
            .index_values()
            .blocking_wait()
            .expect("readable");
        let Some((id, order)) = orders.get(random.below(20) as usize) else {
            return;
        };
        let owner = order.account.owner;
        let left = Amount::from_attos(u128::from(order.quantity) / 3);
        let payment = if left == Amount::ZERO {
            self.state.cancel(owner, *id, self.pricing).blocking_wait()
        } else {
            self.state
                .modify(owner, *id, left, self.pricing)
                .blocking_wait()
        };
        self.pay(payment);
    }

    fn pay(&mut self, payments: impl IntoIterator<Item = Payment>) {
        for Payment { token, amount, .. } in payments {
            assert!(amount != Amount::ZERO);
            self.held[token]
                .try_sub_assign(amount)
                .expect("the engine holds what it pays");
        }
    }

    fn locked(&self) -> [Amount; 2] {
        let mut locked = [Amount::ZERO; 2];
        for (_, order) in self
            .state
            .orders
            .index_values()
            .blocking_wait()
            .expect("readable")
        {
            let amount = match order.nature {
                Bid => self
                    .pricing
                    .worth(order.quantity, order.price)
                    .expect("checked"),
                Ask => order.quantity,
            };
            locked[locked_token(order.nature)].saturating_add_assign(amount);
        }
        locked
    }
}

fn random_order(random: &mut Random) -> OpenOrder {
    let nature = if random.below(2) == 0 { Bid } else { Ask };
    let owner = AccountOwner::Address20([random.below(5) as u8; 20]);
    let price = Price {
        price: 90 + random.below(20),
    };
    let quantity = Amount::from_attos(u128::from(random.below(50)));
    let account = Account::new(ChainId(CryptoHash::from([0; 32])), owner);
    OpenOrder {
        nature,
        price,
        quantity,
        account,
    }
}

#[test]
fn the_engine_holds_what_open_orders_have_locked() {
    for price_decimals in [0, 1, 2, 3] {
        let mut book = Book::new(price_decimals);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..500 {
            book.insert(random_order(&mut random));
            if random.below(3) == 0 {
                book.shrink(&mut random);
            }
            assert_eq!(book.held, book.locked());
        }
        assert!(*book.state.next_order_id.get() > 300);
    }
}
