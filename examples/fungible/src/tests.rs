use resident_sdk::{
    abis::fungible::InitialStateBuilder,
    base_types::{ApplicationId, ChainId, CryptoHash},
    util::BlockingWait,
};

use super::*;

fn owner(byte: u8) -> AccountOwner {
    AccountOwner::Address20([byte; 20])
}

fn chain(byte: u8) -> ChainId {
    ChainId(CryptoHash::from([byte; 32]))
}

/// A token on chain 0, where owner 1 has ten tokens and signs.
fn token() -> FungibleTokenContract {
    let runtime = ContractRuntime::new()
        .with_application_parameters(Parameters::new("FUN"))
        .with_chain_id(chain(0))
        .with_authenticated_owner(Some(owner(1)))
        .with_authenticated_caller_id(None::<ApplicationId>)
        .with_message_is_bouncing(Some(false));
    let mut token = FungibleTokenContract::load(runtime).blocking_wait();
    let initial = InitialStateBuilder::default()
        .with_account(owner(1), Amount::from_tokens(10))
        .build();
    token.instantiate(initial).blocking_wait();
    token
}

fn transfer(from: u8, tokens: u128, target_account: Account) -> FungibleOperation {
    let amount = Amount::from_tokens(tokens);
    FungibleOperation::Transfer {
        owner: owner(from),
        amount,
        target_account,
    }
}

fn run(token: &mut FungibleTokenContract, operation: FungibleOperation) -> FungibleResponse {
    token.execute_operation(operation).blocking_wait()
}

fn balance(token: &mut FungibleTokenContract, byte: u8) -> Amount {
    match run(token, FungibleOperation::Balance { owner: owner(byte) }) {
        FungibleResponse::Balance(amount) => amount,
        other => panic!("unexpected response {other:?}"),
    }
}

#[test]
fn transfers_on_one_chain_move_tokens() {
    let mut token = token();
    run(&mut token, transfer(1, 3, Account::new(chain(0), owner(2))));
    assert_eq!(balance(&mut token, 1), Amount::from_tokens(7));
    assert_eq!(balance(&mut token, 2), Amount::from_tokens(3));
    assert!(token.runtime.created_send_message_requests().is_empty());
}

#[test]
fn an_emptied_account_is_removed() {
    let mut token = token();
    run(
        &mut token,
        transfer(1, 10, Account::new(chain(0), owner(2))),
    );
    let accounts = token
        .state
        .accounts
        .indices()
        .blocking_wait()
        .expect("readable");
    assert_eq!(accounts, vec![owner(2)]);
}

#[test]
fn transfers_to_another_chain_send_a_tracked_credit() {
    let mut token = token();
    run(&mut token, transfer(1, 4, Account::new(chain(9), owner(2))));
    assert_eq!(balance(&mut token, 1), Amount::from_tokens(6));
    assert_eq!(balance(&mut token, 2), Amount::ZERO);
    let requests = token.runtime.created_send_message_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].destination, chain(9));
    assert!(requests[0].is_tracked && requests[0].authenticated);
    let amount = Amount::from_tokens(4);
    let credit = Message::Credit {
        target: owner(2),
        amount,
        source: owner(1),
    };
    assert_eq!(requests[0].message, credit);
}

#[test]
fn a_credit_goes_to_its_target_and_back_to_its_source_when_it_bounces() {
    let mut token = token();
    let amount = Amount::from_tokens(5);
    let credit = Message::Credit {
        target: owner(2),
        amount,
        source: owner(3),
    };
    token.execute_message(credit.clone()).blocking_wait();
    assert_eq!(balance(&mut token, 2), amount);
    token.runtime.set_message_is_bouncing(Some(true));
    token.execute_message(credit).blocking_wait();
    assert_eq!(
        (balance(&mut token, 2), balance(&mut token, 3)),
        (amount, amount)
    );
}

#[test]
fn approved_spenders_take_up_to_their_allowance() {
    let mut token = token();
    let allowance = Amount::from_tokens(4);
    let spender = owner(2);
    run(
        &mut token,
        FungibleOperation::Approve {
            owner: owner(1),
            spender,
            allowance,
        },
    );
    token.runtime.set_authenticated_owner(Some(spender));
    let target_account = Account::new(chain(0), owner(3));
    let spend = FungibleOperation::TransferFrom {
        owner: owner(1),
        spender,
        amount: allowance,
        target_account,
    };
    run(&mut token, spend);
    assert_eq!(balance(&mut token, 3), allowance);
    assert!(
        token
            .state
            .approvals
            .indices()
            .blocking_wait()
            .expect("readable")
            .is_empty()
    );
}

#[test]
fn a_claim_asks_the_source_chain() {
    let mut token = token();
    let amount = Amount::from_tokens(1);
    let target_account = Account::new(chain(0), owner(1));
    let source_account = Account::new(chain(9), owner(1));
    run(
        &mut token,
        FungibleOperation::Claim {
            source_account,
            amount,
            target_account,
        },
    );
    let requests = token.runtime.created_send_message_requests();
    assert_eq!(requests[0].destination, chain(9));
    assert!(requests[0].authenticated && !requests[0].is_tracked);
    assert_eq!(
        requests[0].message,
        Message::Withdraw {
            owner: owner(1),
            amount,
            target_account
        }
    );
}

#[test]
fn a_withdrawal_pays_from_the_signers_account() {
    let mut token = token();
    let amount = Amount::from_tokens(1);
    let target_account = Account::new(chain(0), owner(2));
    let withdraw = Message::Withdraw {
        owner: owner(1),
        amount,
        target_account,
    };
    token.execute_message(withdraw).blocking_wait();
    assert_eq!(balance(&mut token, 2), amount);
}

#[test]
#[should_panic(expected = "insufficient balance: 10., but 11. is needed")]
fn more_than_the_balance_cannot_be_sent() {
    run(
        &mut token(),
        transfer(1, 11, Account::new(chain(0), owner(2))),
    );
}

#[test]
#[should_panic(expected = "did not authorise")]
fn only_the_signer_can_pay() {
    run(
        &mut token(),
        transfer(2, 1, Account::new(chain(0), owner(1))),
    );
}

#[test]
#[should_panic(expected = "the allowance is 0., but 1. is needed")]
fn nothing_can_be_taken_without_approval() {
    let mut token = token();
    let target_account = Account::new(chain(0), owner(1));
    let spend = FungibleOperation::TransferFrom {
        owner: owner(2),
        spender: owner(1),
        amount: Amount::from_tokens(1),
        target_account,
    };
    run(&mut token, spend);
}

#[test]
#[should_panic(expected = "the initial supply is too large")]
fn the_supply_fits_in_an_amount() {
    let initial = InitialStateBuilder::default()
        .with_account(owner(2), Amount::MAX)
        .with_account(owner(3), Amount::ONE)
        .build();
    token().instantiate(initial).blocking_wait();
}

#[test]
fn the_ticker_symbol_is_a_parameter() {
    let response = run(&mut token(), FungibleOperation::TickerSymbol);
    assert!(matches!(response, FungibleResponse::TickerSymbol(symbol) if symbol == "FUN"));
}
