//! Applications without which a chain lets its owners propose nothing.
//!
//! A chain may name applications that every block must contain an operation or a message of. That binds whoever
//! signs: a block with operations must have, for each of these applications, an operation of its own or an
//! accepted bundle with a message for it. Being called by another application does not count: what the block
//! says must show it.
//!
//! A block without operations only takes what came from outside, which its signer did not choose. It is exempt,
//! or else an inbox with nothing for these applications would wait for ever.

use std::collections::BTreeSet;

use resident_base::{ApplicationId, ApplicationPermissions, ChainId};
use resident_execution::{Executor, Operation};

use crate::{BlockError, MessageAction, Transaction};

/// Refuses the transactions of a block that lack an application that the chain demands.
pub(crate) fn check(
    executor: &Executor,
    chain_id: ChainId,
    transactions: &[Transaction],
) -> Result<(), BlockError> {
    if !transactions.iter().any(is_operation) {
        return Ok(());
    }
    let permissions = executor.read_permissions(chain_id)?;
    let applications = missing(&permissions, transactions);
    match applications.is_empty() {
        true => Ok(()),
        false => Err(BlockError::MissingApplications { applications }),
    }
}

fn missing(
    permissions: &ApplicationPermissions,
    transactions: &[Transaction],
) -> BTreeSet<ApplicationId> {
    let mut missing: BTreeSet<_> = permissions.mandatory_applications.iter().copied().collect();
    if missing.is_empty() {
        return missing;
    }
    for transaction in transactions {
        match transaction {
            Transaction::ExecuteOperation(Operation::User { application_id, .. }) => {
                missing.remove(application_id);
            }
            Transaction::ReceiveMessages(incoming) if incoming.action == MessageAction::Accept => {
                let messages = incoming.bundle.messages.iter();
                for id in messages.filter_map(|posted| posted.message.application_id()) {
                    missing.remove(&id);
                }
            }
            _ => {}
        }
    }
    missing
}

fn is_operation(transaction: &Transaction) -> bool {
    matches!(transaction, Transaction::ExecuteOperation(_))
}

#[cfg(test)]
mod tests {
    use resident_base::{Amount, CryptoHash};
    use resident_execution::{Message, MessageKind};

    use super::*;
    use crate::{IncomingBundle, PostedMessage, records::tests::bundle};

    fn id(name: &[u8]) -> ApplicationId {
        ApplicationId::new(CryptoHash::of_bytes(name))
    }

    fn operation(application_id: ApplicationId) -> Transaction {
        let bytes = Vec::new();
        Transaction::ExecuteOperation(Operation::User {
            application_id,
            bytes,
        })
    }

    fn message(application_id: ApplicationId, action: MessageAction) -> Transaction {
        let bytes = Vec::new();
        let posted = PostedMessage {
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            index: 0,
            kind: MessageKind::Simple,
            message: Message::User {
                application_id,
                bytes,
            },
        };
        let mut bundle = bundle(1, 0);
        bundle.messages = vec![posted];
        Transaction::ReceiveMessages(IncomingBundle {
            origin: ChainId::default(),
            bundle,
            action,
        })
    }

    #[test]
    fn operations_and_accepted_messages_of_the_application_itself_count() {
        let [first, second, other] = [b"1", b"2", b"3"].map(|name| id(name));
        let permissions = ApplicationPermissions {
            mandatory_applications: vec![first, second],
            ..ApplicationPermissions::default()
        };
        let accepted = |id| message(id, MessageAction::Accept);
        let rejected = |id| message(id, MessageAction::Reject);
        let table = [
            (vec![operation(other)], vec![first, second]),
            (vec![operation(other), operation(first)], vec![second]),
            (vec![operation(first), operation(second)], vec![]),
            (vec![operation(first), accepted(second)], vec![]),
            (vec![operation(first), rejected(second)], vec![second]),
            (
                vec![accepted(first), operation(second), operation(other)],
                vec![],
            ),
        ];
        for (transactions, expected) in table {
            let expected = expected.into_iter().collect();
            assert_eq!(missing(&permissions, &transactions), expected);
        }
        let nobody = ApplicationPermissions::default();
        assert!(missing(&nobody, &[operation(other)]).is_empty());
    }
}
