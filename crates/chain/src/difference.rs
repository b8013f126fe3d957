//! Where two outcomes differ first, in words.

use std::fmt::Debug;

use resident_base::Resources;

use crate::{BlockError, BlockOutcome, TransactionOutcome};

/// The longest that either side is quoted, in characters.
const MAX_QUOTED: usize = 200;

/// Names the first difference between two outcomes; none if they are equal.
///
/// What comes first in the block is compared first, the state hash last: it differs whenever anything
/// does, and says the least.
pub fn first_difference(expected: &BlockOutcome, found: &BlockOutcome) -> Option<String> {
    let transactions = expected
        .transactions
        .iter()
        .zip(&found.transactions)
        .enumerate();
    transactions
        .into_iter()
        .find_map(|(index, (expected, found))| {
            within(
                &format!("transaction {index}"),
                transaction(expected, found),
            )
        })
        .or_else(|| {
            count(
                "transactions",
                expected.transactions.len(),
                found.transactions.len(),
            )
        })
        .or_else(|| {
            within(
                "finalization",
                transaction(&expected.finalization, &found.finalization),
            )
        })
        .or_else(|| {
            within(
                "resources",
                resources(&expected.resources, &found.resources),
            )
        })
        .or_else(|| value("fees", &expected.fees, &found.fees))
        .or_else(|| value("state hash", &expected.state_hash, &found.state_hash))
}

/// Refuses any outcome but the expected one.
pub(crate) fn check(expected: &BlockOutcome, found: &BlockOutcome) -> Result<(), BlockError> {
    match first_difference(expected, found) {
        Some(difference) => Err(BlockError::OutcomeMismatch { difference }),
        None => Ok(()),
    }
}

fn transaction(expected: &TransactionOutcome, found: &TransactionOutcome) -> Option<String> {
    let (old, new) = (&expected.effects, &found.effects);
    value("response", &expected.response, &found.response)
        .or_else(|| list("message", &old.messages, &new.messages))
        .or_else(|| list("event", &old.events, &new.events))
        .or_else(|| list("blob", &old.blobs, &new.blobs))
        .or_else(|| {
            list(
                "oracle response",
                &old.oracle_responses,
                &new.oracle_responses,
            )
        })
}

/// Compares every field: destructuring fails to compile when one is added.
fn resources(expected: &Resources, found: &Resources) -> Option<String> {
    macro_rules! compare {
        ($($field:ident),* $(,)?) => {{
            let Resources { $($field),* } = expected;
            None$(.or_else(|| value(stringify!($field), $field, &found.$field)))*
        }};
    }
    compare!(
        wasm_fuel,
        evm_fuel,
        read_operations,
        write_operations,
        bytes_runtime,
        bytes_to_read,
        bytes_to_write,
        blobs_to_read,
        blobs_to_publish,
        blob_bytes_to_read,
        blob_bytes_to_publish,
        messages,
        message_size,
        storage_size_delta,
        service_as_oracle_queries,
        http_requests,
    )
}

fn list<T: PartialEq + Debug>(what: &str, expected: &[T], found: &[T]) -> Option<String> {
    let pairs = expected.iter().zip(found).enumerate();
    pairs
        .into_iter()
        .find_map(|(index, (expected, found))| value(&format!("{what} {index}"), expected, found))
        .or_else(|| count(&format!("{what}s"), expected.len(), found.len()))
}

fn count(what: &str, expected: usize, found: usize) -> Option<String> {
    (expected != found).then(|| format!("{found} {what} instead of {expected}"))
}

fn value<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("{what}: {} instead of {}", quote(found), quote(expected)))
}

fn within(what: &str, difference: Option<String>) -> Option<String> {
    difference.map(|difference| format!("{what}: {difference}"))
}

fn quote(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use resident_base::{AccountOwner, Amount, CryptoHash};
    use resident_execution::{
        Message, MessageKind, OutgoingMessage, SystemMessage, TransactionEffects,
    };

    use super::*;
    use crate::records::tests::chain;

    fn outcome() -> BlockOutcome {
        let credit = SystemMessage::Credit {
            target: AccountOwner::Reserved(1),
            amount: Amount::from_tokens(2),
            source: AccountOwner::Reserved(3),
        };
        let message = OutgoingMessage::new(chain(2), MessageKind::Simple, Message::System(credit));
        let effects = TransactionEffects {
            messages: vec![message],
            ..Default::default()
        };
        let transaction = TransactionOutcome {
            response: vec![1],
            effects,
        };
        BlockOutcome {
            state_hash: CryptoHash::of_bytes(b"state"),
            transactions: vec![transaction.clone(), transaction],
            finalization: TransactionOutcome::default(),
            resources: Resources::default(),
            fees: Amount::ZERO,
        }
    }

    fn difference(change: impl FnOnce(&mut BlockOutcome)) -> String {
        let mut found = outcome();
        change(&mut found);
        first_difference(&outcome(), &found).expect("the outcomes differ")
    }

    #[test]
    fn equal_outcomes_do_not_differ() {
        assert_eq!(first_difference(&outcome(), &outcome()), None);
    }

    #[test]
    fn differences_are_named() {
        let response = difference(|outcome| outcome.transactions[1].response = vec![2]);
        assert_eq!(response, "transaction 1: response: [2] instead of [1]");
        let kind = difference(|outcome| {
            outcome.transactions[1].effects.messages[0].kind = MessageKind::Tracked;
        });
        assert!(
            kind.starts_with("transaction 1: message 0: OutgoingMessage"),
            "{kind}"
        );
        let messages = difference(|outcome| outcome.transactions[0].effects.messages.clear());
        assert_eq!(messages, "transaction 0: 0 messages instead of 1");
        let fewer = difference(|outcome| drop(outcome.transactions.pop()));
        assert_eq!(fewer, "1 transactions instead of 2");
        let fuel = difference(|outcome| outcome.resources.wasm_fuel = 7);
        assert_eq!(fuel, "resources: wasm_fuel: 7 instead of 0");
        let end = difference(|outcome| outcome.finalization.response.push(1));
        assert_eq!(end, "finalization: response: [1] instead of []");
    }

    #[test]
    fn the_first_difference_is_the_one_named() {
        let first = difference(|outcome| {
            outcome.state_hash = CryptoHash::of_bytes(b"other");
            outcome.fees = Amount::from_tokens(1);
            outcome.transactions.truncate(1);
            outcome.transactions[0].response = vec![9; 10_000];
        });
        assert!(first.starts_with("transaction 0: response"), "{first}");
        assert!(first.len() < 2_000);
        let hash = difference(|outcome| outcome.state_hash = CryptoHash::of_bytes(b"other"));
        assert!(hash.starts_with("state hash"), "{hash}");
    }
}
