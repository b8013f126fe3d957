use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use matching_engine::{
    OrderId,
    OrderNature::{self, Ask, Bid},
    Price,
};
use resident_sdk::{
    abis::fungible::FungibleResponse, base_types::CryptoHash, bcs, util::BlockingWait,
};

use super::{
    book::{BASE, QUOTE},
    *,
};

/// The transfers that the engine made: token, paying owner, whole tokens, receiver.
type Transfers = Vec<(usize, AccountOwner, u128, Account)>;

/// An engine on the chain of the book, with tokens that note every transfer.
struct Engine {
    contract: MatchingEngineContract,
    transfers: Arc<Mutex<Transfers>>,
}

impl Engine {
    fn new() -> Self {
        Self::on_chain(chain(0))
    }

    fn on_chain(chain_id: ChainId) -> Self {
        let transfers = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&transfers);
        let tokens = [application(1), application(2)];
        let runtime = ContractRuntime::new()
            .with_application_parameters(Parameters {
                tokens,
                price_decimals: 0,
            })
            .with_application_id(application(9))
            .with_application_creator_chain_id(chain(0))
            .with_chain_id(chain_id)
            .with_authenticated_caller_id(None::<ApplicationId>)
            .with_call_application_handler(move |authenticated, token, argument| {
                assert!(authenticated);
                let token = tokens.iter().position(|id| id.forget_abi() == token);
                let transfer = bcs::from_bytes(&argument).expect("an operation of the token");
                let FungibleOperation::Transfer {
                    owner,
                    amount,
                    target_account,
                } = transfer
                else {
                    panic!("unexpected operation {transfer:?}");
                };
                let amount = whole_tokens(amount);
                let transfer = (
                    token.expect("a traded token"),
                    owner,
                    amount,
                    target_account,
                );
                log.lock().expect("not poisoned").push(transfer);
                bcs::to_bytes(&FungibleResponse::Ok).expect("a response")
            });
        let mut contract = MatchingEngineContract::load(runtime).blocking_wait();
        contract.instantiate(()).blocking_wait();
        Engine {
            contract,
            transfers,
        }
    }

    fn execute(&mut self, order: Order) -> Transfers {
        self.contract
            .runtime
            .set_authenticated_owner(Some(order.owner()));
        self.contract
            .execute_operation(Operation::ExecuteOrder { order })
            .blocking_wait();
        std::mem::take(&mut *self.transfers.lock().expect("not poisoned"))
    }

    /// Inserts an order of an owner on the engine's chain and drops the payment for it.
    fn insert(&mut self, byte: u8, nature: OrderNature, tokens: u128, price: u64) -> Transfers {
        self.execute(insert(byte, nature, tokens, price))
            .split_off(1)
    }

    fn levels(&self) -> (usize, usize) {
        let state = &self.contract.state;
        let bids = state.bids.indices().blocking_wait().expect("readable");
        let asks = state.asks.indices().blocking_wait().expect("readable");
        (bids.len(), asks.len())
    }

    fn open_orders(&self) -> BTreeMap<OrderId, u128> {
        let orders = self.contract.state.orders.index_values().blocking_wait();
        let orders = orders.expect("readable").into_iter();
        orders
            .map(|(id, order)| (id, whole_tokens(order.quantity)))
            .collect()
    }
}

fn insert(byte: u8, nature: OrderNature, tokens: u128, price: u64) -> Order {
    let quantity = Amount::from_tokens(tokens);
    Order::Insert {
        owner: owner(byte),
        nature,
        quantity,
        price: Price { price },
    }
}

fn owner(byte: u8) -> AccountOwner {
    AccountOwner::Address20([byte; 20])
}

fn chain(byte: u8) -> ChainId {
    ChainId(CryptoHash::from([byte; 32]))
}

fn application<A>(byte: u8) -> ApplicationId<A> {
    ApplicationId::<()>::new(CryptoHash::from([byte; 32])).with_abi()
}

fn whole_tokens(amount: Amount) -> u128 {
    amount.saturating_div(Amount::ONE)
}

fn vault() -> AccountOwner {
    AccountOwner::from(application::<()>(9))
}

fn paid(token: usize, tokens: u128, byte: u8) -> (usize, AccountOwner, u128, Account) {
    (token, vault(), tokens, Account::new(chain(0), owner(byte)))
}

#[test]
fn an_order_locks_its_funds() {
    let mut engine = Engine::new();
    let account = Account::new(chain(0), vault());
    assert_eq!(
        engine.execute(insert(1, Bid, 2, 10)),
        [(QUOTE, owner(1), 20, account)]
    );
    assert_eq!(
        engine.execute(insert(2, Ask, 3, 11)),
        [(BASE, owner(2), 3, account)]
    );
    assert_eq!(engine.levels(), (1, 1));
    assert_eq!(engine.open_orders(), BTreeMap::from([(0, 2), (1, 3)]));
}

#[test]
fn an_incoming_bid_pays_the_resting_price() {
    let mut engine = Engine::new();
    assert!(engine.insert(1, Ask, 2, 10).is_empty());
    let transfers = engine.insert(2, Bid, 1, 15);
    assert_eq!(
        transfers,
        [paid(QUOTE, 10, 1), paid(BASE, 1, 2), paid(QUOTE, 5, 2)]
    );
    assert_eq!(engine.open_orders(), BTreeMap::from([(0, 1)]));
}

#[test]
fn an_incoming_ask_takes_the_best_and_oldest_bids_first() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 1, 10);
    engine.insert(2, Bid, 1, 12);
    engine.insert(3, Bid, 1, 12);
    engine.insert(4, Bid, 1, 9);
    let transfers = engine.insert(5, Ask, 4, 10);
    let expected = [
        paid(BASE, 1, 2),
        paid(BASE, 1, 3),
        paid(BASE, 1, 1),
        paid(QUOTE, 34, 5),
    ];
    assert_eq!(transfers, expected);
    assert_eq!(engine.levels(), (1, 1));
    assert_eq!(engine.open_orders(), BTreeMap::from([(3, 1), (4, 1)]));
}

#[test]
fn a_cancelled_order_is_refunded_and_skipped() {
    let mut engine = Engine::new();
    engine.insert(1, Ask, 1, 10);
    engine.insert(2, Ask, 2, 10);
    engine.insert(3, Ask, 3, 10);
    let refund = engine.execute(Order::Cancel {
        owner: owner(2),
        order_id: 1,
    });
    assert_eq!(refund, [paid(BASE, 2, 2)]);
    let transfers = engine.insert(4, Bid, 4, 10);
    assert_eq!(
        transfers,
        [paid(QUOTE, 10, 1), paid(QUOTE, 30, 3), paid(BASE, 4, 4)]
    );
    assert_eq!(engine.levels(), (0, 0));
    assert!(engine.open_orders().is_empty());
}

#[test]
fn cancelling_a_levels_last_order_removes_it() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 1, 10);
    engine.insert(1, Bid, 1, 10);
    engine.execute(Order::Cancel {
        owner: owner(1),
        order_id: 1,
    });
    assert_eq!(engine.levels(), (1, 0));
    let refund = engine.execute(Order::Cancel {
        owner: owner(1),
        order_id: 0,
    });
    assert_eq!(refund, [paid(QUOTE, 10, 1)]);
    assert_eq!(engine.levels(), (0, 0));
}

#[test]
fn a_reduced_order_is_refunded_in_part_and_keeps_its_place() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 3, 10);
    engine.insert(2, Bid, 3, 10);
    let new_quantity = Amount::from_tokens(1);
    let refund = engine.execute(Order::Modify {
        owner: owner(1),
        order_id: 0,
        new_quantity,
    });
    assert_eq!(refund, [paid(QUOTE, 20, 1)]);
    let transfers = engine.insert(3, Ask, 2, 10);
    assert_eq!(
        transfers,
        [paid(BASE, 1, 1), paid(BASE, 1, 2), paid(QUOTE, 20, 3)]
    );
}

#[test]
fn orders_placed_elsewhere_pay_there_and_are_sent_to_the_book() {
    let mut engine = Engine::on_chain(chain(7));
    let order = insert(1, Bid, 2, 10);
    let target = Account::new(chain(0), vault());
    assert_eq!(engine.execute(order), [(QUOTE, owner(1), 20, target)]);
    let requests = engine.contract.runtime.created_send_message_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].destination, chain(0));
    assert!(requests[0].authenticated && !requests[0].is_tracked);
    assert_eq!(requests[0].message, Message::ExecuteOrder { order });
    assert_eq!(engine.levels(), (0, 0));
}

#[test]
fn orders_that_arrive_are_paid_on_the_chain_they_came_from() {
    let mut engine = Engine::new();
    engine.insert(1, Ask, 1, 10);
    let runtime = &mut engine.contract.runtime;
    runtime.set_authenticated_owner(Some(owner(2)));
    runtime.set_message_origin_chain_id(Some(chain(7)));
    let message = Message::ExecuteOrder {
        order: insert(2, Bid, 1, 10),
    };
    engine.contract.execute_message(message).blocking_wait();
    let bought = (BASE, vault(), 1, Account::new(chain(7), owner(2)));
    let transfers = engine.transfers.lock().expect("not poisoned").clone();
    assert_eq!(transfers, [paid(QUOTE, 10, 1), bought]);
}

#[test]
fn the_book_outlives_the_instance() {
    let mut engine = Engine::new();
    engine.insert(1, Ask, 2, 10);
    engine.insert(2, Ask, 1, 9);
    let context = engine.contract.runtime.root_view_storage_context();
    engine.contract.store().blocking_wait();
    let mut reloaded = Engine::new();
    reloaded.contract.state = MatchingEngineState::load(context)
        .blocking_wait()
        .expect("stored");
    let transfers = reloaded.insert(3, Bid, 2, 10);
    assert_eq!(
        transfers,
        [
            paid(QUOTE, 9, 2),
            paid(QUOTE, 10, 1),
            paid(BASE, 2, 3),
            paid(QUOTE, 1, 3)
        ]
    );
    assert_eq!(reloaded.open_orders(), BTreeMap::from([(0, 1)]));
}

#[test]
fn an_order_goes_through_a_bounded_number_of_others() {
    let mut engine = Engine::new();
    for _ in 0..501 {
        engine.insert(1, Ask, 1, 10);
    }
    let transfers = engine.insert(2, Bid, 510, 10);
    assert_eq!(transfers.len(), 500 + 2);
    assert_eq!(transfers[500..], [paid(QUOTE, 100, 2), paid(BASE, 500, 2)]);
    assert_eq!(engine.levels(), (0, 1));
}

#[test]
#[should_panic(expected = "did not authorise")]
fn only_the_owner_can_order() {
    let mut engine = Engine::new();
    engine
        .contract
        .runtime
        .set_authenticated_owner(Some(owner(1)));
    let operation = Operation::ExecuteOrder {
        order: insert(2, Bid, 1, 1),
    };
    engine.contract.execute_operation(operation).blocking_wait();
}

#[test]
#[should_panic(expected = "order 0 has another owner")]
fn only_the_owner_can_cancel() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 1, 1);
    engine.execute(Order::Cancel {
        owner: owner(2),
        order_id: 0,
    });
}

#[test]
#[should_panic(expected = "there is no open order 0")]
fn filled_orders_cannot_be_cancelled() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 1, 1);
    engine.insert(2, Ask, 1, 1);
    engine.execute(Order::Cancel {
        owner: owner(1),
        order_id: 0,
    });
}

#[test]
#[should_panic(expected = "can only be reduced")]
fn an_order_cannot_grow() {
    let mut engine = Engine::new();
    engine.insert(1, Bid, 1, 1);
    let new_quantity = Amount::from_tokens(2);
    engine.execute(Order::Modify {
        owner: owner(1),
        order_id: 0,
        new_quantity,
    });
}

#[test]
#[should_panic(expected = "price of an order cannot be zero")]
fn orders_without_a_price_are_refused() {
    Engine::new().insert(1, Bid, 1, 0);
}
