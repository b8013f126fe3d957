use std::collections::BTreeMap;

use netting::MAX_ENTRIES;
use resident_sdk::{
    base_types::{ApplicationId, ChainId, CryptoHash},
    util::BlockingWait,
};

use super::*;

/// An instance on chain 0, where owner 1 has a thousand tokens and signs.
fn new() -> NettingContract {
    let runtime = ContractRuntime::new()
        .with_application_parameters(())
        .with_chain_id(chain(0))
        .with_authenticated_owner(Some(owner(1)))
        .with_authenticated_caller_id(None::<ApplicationId>)
        .with_message_is_bouncing(Some(false));
    let mut contract = NettingContract::load(runtime).blocking_wait();
    let balances = BTreeMap::from([(owner(1), Amount::from_tokens(1_000))]);
    contract.instantiate(balances).blocking_wait();
    contract
}

/// The owner of a number.
fn owner(number: u16) -> AccountOwner {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    AccountOwner::Address20(bytes)
}

fn chain(byte: u8) -> ChainId {
    ChainId(CryptoHash::from([byte; 32]))
}

fn account(chain_byte: u8, number: u16) -> Account {
    Account::new(chain(chain_byte), owner(number))
}

fn transfer(
    contract: &mut NettingContract,
    source: Account,
    tokens: u128,
    target: Account,
) -> Amount {
    let operation = Operation::Transfer {
        source,
        amount: Amount::from_tokens(tokens),
        target,
    };
    contract.execute_operation(operation).blocking_wait()
}

fn balance(contract: &mut NettingContract, number: u16) -> Amount {
    let owner = owner(number);
    contract
        .execute_operation(Operation::Balance { owner })
        .blocking_wait()
}

/// What the end of the block sends.
fn sent(contract: &mut NettingContract) -> Vec<(ChainId, Message)> {
    contract.send_settlements();
    let sent = contract.runtime.created_send_message_requests().into_iter();
    sent.map(|request| {
        assert!(request.is_tracked && !request.authenticated);
        (request.destination, request.message)
    })
    .collect()
}

fn settlement(debits: &[(u16, u128)], credits: &[(u16, u128)]) -> Settlement {
    let entries = |entries: &[(u16, u128)]| {
        let entry = |(number, tokens): &(u16, u128)| (owner(*number), Amount::from_tokens(*tokens));
        entries.iter().map(entry).collect()
    };
    Settlement {
        debits: entries(debits),
        credits: entries(credits),
    }
}

#[test]
fn many_transfers_are_one_message_for_each_destination() {
    let mut contract = new();
    for number in 0..100 {
        let target = account(1 + (number % 2) as u8, 5 + number % 3);
        let left = transfer(&mut contract, account(0, 1), 2, target);
        assert_eq!(left, Amount::from_tokens(998 - 2 * u128::from(number)));
    }
    assert!(
        contract.runtime.created_send_message_requests().is_empty(),
        "nothing is sent before the end"
    );
    // A hundred numbers fall into six classes of 16 or 17, of which each moves two tokens.
    let to_first = settlement(&[(1, 100)], &[(5, 34), (6, 32), (7, 34)]);
    let to_second = settlement(&[(1, 100)], &[(5, 34), (6, 34), (7, 32)]);
    assert_eq!(
        sent(&mut contract),
        [
            (chain(1), Message::Settle(to_first)),
            (chain(2), Message::Settle(to_second))
        ]
    );
}

#[test]
fn on_the_chain_itself_a_transfer_is_done_at_once() {
    let mut contract = new();
    let left = transfer(&mut contract, account(0, 1), 10, account(0, 2));
    assert_eq!(left, Amount::from_tokens(990));
    assert_eq!(balance(&mut contract, 2), Amount::from_tokens(10));
    assert!(sent(&mut contract).is_empty());
}

#[test]
fn a_settlement_pays_the_receivers_and_bounces_to_the_payers() {
    let mut contract = new();
    let message = Message::Settle(settlement(&[(1, 4), (2, 5)], &[(3, 9)]));
    contract.execute_message(message.clone()).blocking_wait();
    assert_eq!(balance(&mut contract, 3), Amount::from_tokens(9));
    contract.runtime.set_message_is_bouncing(Some(true));
    contract.execute_message(message).blocking_wait();
    assert_eq!(balance(&mut contract, 1), Amount::from_tokens(1_004));
    assert_eq!(balance(&mut contract, 2), Amount::from_tokens(5));
    assert_eq!(balance(&mut contract, 3), Amount::from_tokens(9));
}

#[test]
fn a_transfer_from_another_chain_is_asked_for_there() {
    let mut contract = new();
    transfer(&mut contract, account(7, 1), 3, account(0, 2));
    let requests = contract.runtime.created_send_message_requests();
    assert_eq!(requests[0].destination, chain(7));
    assert!(requests[0].authenticated && !requests[0].is_tracked);
    contract
        .execute_message(Message::Pay {
            owner: owner(1),
            amount: Amount::from_tokens(3),
            target: account(7, 2),
        })
        .blocking_wait();
    assert_eq!(balance(&mut contract, 1), Amount::from_tokens(997));
}

#[test]
fn an_emptied_account_is_removed_and_the_block_stored() {
    let mut contract = new();
    transfer(&mut contract, account(0, 1), 1_000, account(0, 2));
    let context = contract.runtime.root_view_storage_context();
    contract.store().blocking_wait();
    let state = NettingState::load(context).blocking_wait();
    let state = state.expect("it was stored");
    let accounts = state.accounts.indices().blocking_wait();
    assert_eq!(accounts.expect("readable"), [owner(2)]);
}

#[test]
fn a_block_sends_to_so_many_accounts() {
    let mut contract = new();
    for number in 1..MAX_ENTRIES as u16 {
        transfer(&mut contract, account(0, 1), 1, account(3, number));
    }
    let one_more = account(3, MAX_ENTRIES as u16);
    let message = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        transfer(&mut contract, account(0, 1), 1, one_more)
    }));
    let message = message.expect_err("that is too much");
    let message = message
        .downcast_ref::<String>()
        .expect("a formatted message");
    assert!(
        message.contains("send the rest in another one"),
        "{message}"
    );
}

#[test]
#[should_panic(expected = "has 1000., but 1001. is needed")]
fn more_than_the_balance_cannot_be_sent() {
    transfer(&mut new(), account(0, 1), 1_001, account(1, 1));
}

#[test]
#[should_panic(expected = "did not authorise this transfer")]
fn only_the_signer_can_pay() {
    transfer(&mut new(), account(0, 2), 1, account(1, 1));
}

#[test]
#[should_panic(expected = "a transfer cannot be zero")]
fn nothing_is_not_sent() {
    transfer(&mut new(), account(0, 1), 0, account(1, 1));
}

#[test]
#[should_panic(expected = "the initial supply is too large")]
fn the_supply_fits_in_an_amount() {
    let balances = [(owner(2), Amount::MAX), (owner(3), Amount::ONE)];
    new().instantiate(balances.into()).blocking_wait();
}
