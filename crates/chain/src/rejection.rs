//! What comes of a bundle that is rejected: who gets what back.
//!
//! Nothing is executed for it and nothing is charged, so that it can always be done. No bundle that comes of a
//! rejection is larger than the rejected one, and none leads to more than two others: a tracked message
//! bounces, and what is left of its grant is refunded if that is rejected too. A refund is on its way back, as
//! tokens that bounced are: they return to their source in any case, so that no failure changes whose they are.

use resident_base::{AccountOwner, Amount, ChainId};
use resident_execution::{
    Message, MessageContext, MessageKind, OutgoingMessage, SystemMessage, TransactionEffects,
};

use crate::{IncomingBundle, PostedMessage, TransactionOutcome};

/// What the rejection of a bundle sends.
pub(crate) fn outcome(incoming: &IncomingBundle) -> TransactionOutcome {
    let messages = incoming.bundle.messages.iter();
    let effects = TransactionEffects {
        messages: messages
            .filter_map(|posted| answer(incoming, posted))
            .collect(),
        ..TransactionEffects::default()
    };
    TransactionOutcome {
        response: Vec::new(),
        effects,
    }
}

/// Tokens that came back in a bundle, which return to their source although it is rejected.
pub(crate) fn returned_tokens(
    incoming: &IncomingBundle,
) -> impl Iterator<Item = (AccountOwner, Amount)> + '_ {
    let messages = incoming.bundle.messages.iter();
    messages.filter_map(|posted| match (posted.kind, &posted.message) {
        (MessageKind::Bouncing, Message::System(SystemMessage::Credit { amount, source, .. })) => {
            Some((*source, *amount))
        }
        _ => None,
    })
}

/// Whether the bundle may be rejected only by a chain that is closed.
pub(crate) fn is_protected(incoming: &IncomingBundle) -> bool {
    let mut messages = incoming.bundle.messages.iter();
    messages.any(|posted| posted.kind == MessageKind::Protected)
}

/// What a message says to the contract that it is for.
pub(crate) fn context(incoming: &IncomingBundle, posted: &PostedMessage) -> MessageContext {
    MessageContext {
        origin: incoming.origin,
        timestamp: incoming.bundle.timestamp,
        authenticated_owner: posted.authenticated_owner,
        is_bouncing: posted.kind == MessageKind::Bouncing,
        grant: posted.grant,
        refund_grant_to: posted.refund_grant_to,
    }
}

fn answer(incoming: &IncomingBundle, posted: &PostedMessage) -> Option<OutgoingMessage> {
    match posted.kind {
        MessageKind::Tracked => Some(bounce(incoming.origin, posted)),
        _ if posted.grant == Amount::ZERO => None,
        _ => {
            let account = context(incoming, posted).refund_account();
            Some(OutgoingMessage::refund(account, posted.grant))
        }
    }
}

fn bounce(origin: ChainId, posted: &PostedMessage) -> OutgoingMessage {
    OutgoingMessage {
        destination: origin,
        authenticated_owner: posted.authenticated_owner,
        grant: posted.grant,
        refund_grant_to: posted.refund_grant_to,
        kind: MessageKind::Bouncing,
        message: posted.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use resident_base::{Account, ApplicationId};

    use super::*;
    use crate::{
        MessageAction, MessageBundle,
        records::tests::{bundle, chain},
    };

    fn rejected(messages: Vec<PostedMessage>) -> IncomingBundle {
        let bundle = MessageBundle {
            messages,
            ..bundle(1, 0)
        };
        IncomingBundle {
            origin: chain(2),
            bundle,
            action: MessageAction::Reject,
        }
    }

    fn posted(kind: MessageKind, grant: u128, message: Message) -> PostedMessage {
        PostedMessage {
            authenticated_owner: Some(AccountOwner::Reserved(3)),
            grant: Amount::from_attos(grant),
            refund_grant_to: None,
            index: 0,
            kind,
            message,
        }
    }

    fn user() -> Message {
        Message::User {
            application_id: ApplicationId::default(),
            bytes: vec![1],
        }
    }

    fn credit() -> Message {
        Message::System(SystemMessage::Credit {
            target: AccountOwner::Reserved(4),
            amount: Amount::from_attos(9),
            source: AccountOwner::Reserved(5),
        })
    }

    #[test]
    fn answers_follow_the_table() {
        use MessageKind::{Bouncing, Protected, Simple, Tracked};
        // kind, grant => whether it bounces, whether the grant is refunded
        let table = [
            (Simple, 0, false, false),
            (Simple, 7, false, true),
            (Tracked, 0, true, false),
            (Tracked, 7, true, false),
            (Bouncing, 0, false, false),
            (Bouncing, 7, false, true),
            (Protected, 0, false, false),
            (Protected, 7, false, true),
        ];
        for (kind, grant, bounces, refunds) in table {
            let sent = posted(kind, grant, user());
            let messages = outcome(&rejected(vec![sent.clone()])).effects.messages;
            let expected: Vec<_> = [
                bounces.then(|| bounce(chain(2), &sent)),
                refunds.then(|| OutgoingMessage::refund(Account::chain(chain(2)), sent.grant)),
            ]
            .into_iter()
            .flatten()
            .collect();
            assert_eq!(messages, expected, "{kind:?} with {grant}");
        }
    }

    #[test]
    fn what_bounces_carries_everything() {
        let mut sent = posted(MessageKind::Tracked, 7, user());
        sent.refund_grant_to = Some(Account::new(chain(6), AccountOwner::Reserved(8)));
        let incoming = rejected(vec![sent.clone()]);
        let messages = outcome(&incoming).effects.messages;
        let [bounce] = &messages[..] else {
            panic!("one message bounces: {messages:?}")
        };
        assert_eq!(
            (bounce.destination, bounce.kind),
            (chain(2), MessageKind::Bouncing)
        );
        assert_eq!(bounce.authenticated_owner, sent.authenticated_owner);
        assert_eq!(
            (bounce.grant, bounce.refund_grant_to),
            (sent.grant, sent.refund_grant_to)
        );
        assert_eq!(bounce.message, sent.message);
    }

    #[test]
    fn tokens_that_bounce_return_to_their_source() {
        let sent = |kind| posted(kind, 0, credit());
        let incoming = rejected(vec![
            sent(MessageKind::Bouncing),
            sent(MessageKind::Tracked),
            sent(MessageKind::Simple),
            posted(MessageKind::Bouncing, 0, user()),
        ]);
        let tokens: Vec<_> = returned_tokens(&incoming).collect();
        assert_eq!(tokens, [(AccountOwner::Reserved(5), Amount::from_attos(9))]);
    }

    /// So that a bundle that fits the sender's block also comes through all that may follow.
    #[test]
    fn no_bundle_grows_by_being_rejected() {
        let refund_grant_to = Some(Account::new(
            chain(6),
            AccountOwner::from(ApplicationId::<()>::default()),
        ));
        let size = |message: &PostedMessage| bcs::serialized_size(message).unwrap();
        for kind in [
            MessageKind::Simple,
            MessageKind::Tracked,
            MessageKind::Bouncing,
        ] {
            for (grant, refund_grant_to) in [(0, None), (7, None), (7, refund_grant_to)] {
                for message in [user(), credit()] {
                    let mut sent = posted(kind, grant, message);
                    sent.authenticated_owner = None;
                    sent.refund_grant_to = refund_grant_to;
                    for answer in outcome(&rejected(vec![sent.clone()])).effects.messages {
                        let posted = crate::outbox::post(&answer, 0);
                        assert!(size(&posted) <= size(&sent), "{answer:?}");
                        let bytes = bcs::serialized_size(&answer).unwrap();
                        assert!(bytes <= 2 * size(&sent), "{answer:?}");
                    }
                }
            }
        }
    }
}
