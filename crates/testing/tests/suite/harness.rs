//! The harness itself: one small scenario through everything it offers.

use counter::CounterAbi;
use matching_engine::{MatchingEngineAbi, Operation, Order, OrderNature, Price};
use resident_base::{AccountOwner, Amount};
use resident_testing::{PAIRS, TestChains};

#[test]
fn a_counter_counts_everywhere() {
    for pair in PAIRS {
        let chains = TestChains::new(pair);
        let alice = chains.open_root(1);
        let counter = chains.create_counter(&alice, 40).with_abi::<CounterAbi>();
        let increment = counter::Operation::Increment { value: 2 };
        assert_eq!(chains.ask(&alice, counter, &increment), 42);
        assert_eq!(chains.call(&alice, counter, &increment), 42);
        assert_eq!(chains.call(&alice, counter, &increment), 44);
        let wrong = TestChains::raw_operation(counter, vec![7]);
        let error = chains.try_run(&alice, vec![wrong]).unwrap_err();
        assert!(
            error.to_string().starts_with("transaction 0 failed"),
            "{error}"
        );
        assert_eq!(chains.call(&alice, counter, &increment), 46);
    }
}

#[test]
fn an_order_from_another_chain_meets_one_here() {
    let mut blocks = Vec::new();
    for pair in PAIRS {
        let chains = TestChains::new(pair);
        let host = chains.open_root(1);
        let user = chains.open_child(&host, 2);
        let supply = [(host.owner, Amount::from_tokens(100))];
        let tokens = ["BASE", "QUOTE"].map(|symbol| chains.create_fungible(&host, symbol, supply));
        let engine = chains
            .create_matching_engine(&host, tokens)
            .with_abi::<MatchingEngineAbi>();
        let [base, quote] = tokens;
        let ten = Amount::from_tokens(10);
        chains.run(&host, vec![TestChains::transfer(&host, quote, ten, &user)]);
        chains.deliver(&host);
        chains.process_inbox(&user, &TestChains::auto_retry(0));
        assert_eq!(chains.token_balance(&user, quote, user.owner), ten);

        chains.call(&host, engine, &insert(host.owner, OrderNature::Ask, 3));
        chains.call(&user, engine, &insert(user.owner, OrderNature::Bid, 5));
        assert_eq!(chains.deliver(&user), 1);
        let staged = chains.process_inbox(&host, &TestChains::auto_retry(0));
        assert!(staged.rejected.is_empty() && staged.dropped.is_empty());
        chains.deliver(&host);
        chains.process_inbox(&user, &TestChains::auto_retry(0));
        assert_eq!(chains.token_balance(&user, base, user.owner), Amount::ONE);
        assert_eq!(
            chains.token_balance(&user, quote, user.owner),
            Amount::from_tokens(7)
        );
        assert_eq!(
            chains.token_balance(&host, quote, host.owner),
            Amount::from_tokens(93)
        );
        blocks.push(staged.execution.executed);
    }
    assert!(blocks.windows(2).all(|pair| pair[0] == pair[1]));
}

fn insert(owner: AccountOwner, nature: OrderNature, price: u64) -> Operation {
    let price = Price { price };
    Operation::ExecuteOrder {
        order: Order::Insert {
            owner,
            nature,
            quantity: Amount::ONE,
            price,
        },
    }
}
