//! An account that did not exist is an entry of the state, and paid for as one.

use resident_base::{Account, AccountOwner, Amount, CryptoHash, Resources};
use resident_chain::{BlockOutcome, StagingPolicy, Transaction};
use resident_execution::{Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::bundles;

fn owner(number: u32) -> AccountOwner {
    AccountOwner::Address32(CryptoHash::of_bytes(&number.to_le_bytes()))
}

fn transfer(from: AccountOwner, to: Account, attos: u128) -> Transaction {
    bundles::operation(Operation::System(SystemOperation::Transfer {
        owner: from,
        recipient: to,
        amount: Amount::from_attos(attos),
    }))
}

fn add(chains: &TestChains, chain: &TestChain, transactions: &[Transaction]) -> BlockOutcome {
    let added = chains.add_everywhere(chain, transactions, &StagingPolicy::Abort);
    added.unwrap().staged.execution.executed.outcome
}

/// Writes, bytes written and fuel.
fn written(used: &Resources) -> (u64, u64, u64) {
    (used.write_operations, used.bytes_to_write, used.wasm_fuel)
}

#[test]
fn a_transfer_to_somebody_new_is_a_write() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let give = |numbers: std::ops::Range<u32>| -> Vec<Transaction> {
        let to = |number| Account::new(chain.id, owner(number));
        let transfers = numbers.map(|number| transfer(AccountOwner::CHAIN, to(number), 1));
        transfers.collect()
    };
    // The first block also writes what the chain begins with.
    chains.run(&chain, Vec::new());
    let (writes, bytes, fuel) = written(&add(&chains, &chain, &give(0..10)).resources);
    // A key of a tag, a variant and a hash, and an amount.
    assert_eq!((writes, bytes), (10, 10 * (2 + 32 + 16)));
    assert!(fuel >= 10 * 2_000, "{fuel}");
    let (writes, bytes, again) = written(&add(&chains, &chain, &give(0..10)).resources);
    assert_eq!((writes, bytes), (0, 0), "they exist now");
    assert!(again < fuel, "{again} against {fuel}");
}

#[test]
fn so_is_one_that_arrives() {
    let chains = TestChains::new(PAIRS[0]);
    let (sender, receiver) = (chains.open_root(1), chains.open_root(2));
    for (expected, account) in [
        ((1, 50), Account::new(receiver.id, owner(1))),
        ((0, 0), Account::new(receiver.id, owner(1))),
        ((0, 0), Account::chain(receiver.id)),
    ] {
        let sent = [transfer(AccountOwner::CHAIN, account, 3)];
        add(&chains, &sender, &sent);
        chains.deliver(&sender);
        let outcome = add(&chains, &receiver, &chains.inbox_transactions(&receiver));
        let (writes, bytes, _) = written(&outcome.resources);
        assert_eq!((writes, bytes), expected);
    }
}
