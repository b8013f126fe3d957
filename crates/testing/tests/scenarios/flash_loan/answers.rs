//! What comes of a block, in a form that can be compared.

use resident_base::Amount;
use resident_chain::{MessageAction, Transaction};
use resident_execution::{Failure, FailureReason, Operation};
use resident_sdk::abis::fungible::FungibleResponse;

/// The same bundle as one that the block rejects.
pub(super) fn rejected(transaction: &Transaction) -> Transaction {
    let mut rejected = transaction.clone();
    if let Transaction::ReceiveMessages(incoming) = &mut rejected {
        incoming.action = MessageAction::Reject;
    }
    rejected
}

/// What a contract said when it panicked.
pub(super) fn words(failure: &Failure) -> String {
    let FailureReason::Panic { message } = &failure.reason else {
        panic!("another reason than expected: {failure}")
    };
    message.clone()
}

pub(super) fn decode_balance(response: &[u8]) -> u128 {
    match bcs::from_bytes(response) {
        Ok(FungibleResponse::Balance(balance)) => balance.saturating_div(Amount::ONE),
        other => panic!("the token answered {other:?} when asked for a balance"),
    }
}

/// What one does with operations that are stored.
pub(super) fn operations(transactions: Vec<Transaction>) -> Vec<Operation> {
    let operation = |transaction| match transaction {
        Transaction::ExecuteOperation(operation) => operation,
        other => panic!("no operation: {other:?}"),
    };
    transactions.into_iter().map(operation).collect()
}
