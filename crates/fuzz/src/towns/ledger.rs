//! What is on its way between the chains of a town, by their blocks alone.

use std::collections::{BTreeMap, BTreeSet};

use resident_base::{Amount, ApplicationId, ChainId, StreamId};
use resident_chain::{
    Cursor, ExecutedBlock, IncomingBundle, MessageAction, PostedMessage, Transaction,
    TransactionOutcome,
};
use resident_execution::{
    Message, MessageKind, Operation, OutgoingMessage, SystemMessage, SystemOperation,
};

use super::commands::Mark;
use crate::compare::{Difference, ensure};

/// Where a bundle goes to, where it comes from, and where it stands among those of its sender.
pub(super) type Route = (ChainId, ChainId, Cursor);

/// A bundle on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    pub(super) mark: Mark,
    /// Whether it can never be rejected.
    pub(super) is_protected: bool,
    /// Payments and grants.
    pub(super) tokens: Amount,
    messages: usize,
    /// Whether the inbox has it.
    pub(super) has_arrived: bool,
    /// Calls that processed the inbox while it was there, and the first of its sender.
    pub(super) calls: u32,
}

/// A bundle that a block took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) route: Route,
    pub(super) parcel: Parcel,
    pub(super) is_accepted: bool,
}

/// What all blocks together say.
#[derive(Default)]
pub(super) struct Ledger {
    /// An application whose bundles are not rejected.
    pub(super) listed: Option<ApplicationId>,
    pub(super) parcels: BTreeMap<Route, Parcel>,
    /// Chains whose owners closed them.
    pub(super) closed: BTreeSet<ChainId>,
    /// All fees of all blocks.
    pub(super) fees: Amount,
    /// What honest messages have counted, by chain and application.
    pub(super) counted: BTreeMap<(ChainId, ApplicationId), u64>,
    /// How many events there are.
    pub(super) emitted: BTreeMap<(ChainId, StreamId), u32>,
    /// How far a subscriber on a chain was told of a stream.
    pub(super) told: BTreeMap<(ChainId, ApplicationId, ChainId, StreamId), u32>,
}

impl Ledger {
    /// Books a block. Answers with the bundles that it took.
    pub(super) fn book(&mut self, executed: &ExecutedBlock) -> Result<Vec<Taken>, Difference> {
        let ExecutedBlock { block, outcome } = executed;
        let chain = block.chain_id;
        let mut taken = Vec::new();
        for transaction in &block.transactions {
            match transaction {
                Transaction::ReceiveMessages(incoming) => taken.push(self.take(chain, incoming)?),
                Transaction::UpdateStreams(update) => {
                    for head in &update.streams {
                        let stream = (head.chain_id, head.stream_id.clone());
                        let key = (chain, update.subscriber, stream.0, stream.1);
                        self.told.insert(key, head.next_index);
                    }
                }
                Transaction::ExecuteOperation(Operation::System(SystemOperation::CloseChain)) => {
                    self.closed.insert(chain);
                }
                Transaction::ExecuteOperation(_) => {}
            }
        }
        let outcomes = outcome.transactions.iter().chain([&outcome.finalization]);
        for (index, outcome) in (0..).zip(outcomes) {
            let height = block.height;
            self.send(chain, Cursor { height, index }, outcome);
        }
        self.fees = self.fees.saturating_add(outcome.fees);
        Ok(taken)
    }

    /// Adds a bundle that no chain of the town sent.
    pub(super) fn add(&mut self, route: Route, messages: &[PostedMessage]) {
        let mut parcel = parcel(messages);
        let id = |posted: &PostedMessage| posted.message.application_id();
        let is_listed = |posted| self.listed.is_some() && id(posted) == self.listed;
        parcel.is_protected |= messages.iter().all(is_listed);
        self.parcels.insert(route, parcel);
    }

    /// What waits in the inbox of a chain.
    pub(super) fn arrived(&self, chain: ChainId) -> impl Iterator<Item = (&Route, &Parcel)> {
        let parcels = self.parcels.iter();
        parcels.filter(move |((to, ..), parcel)| *to == chain && parcel.has_arrived)
    }

    /// The first bundle of every sender in the inbox of a chain.
    pub(super) fn heads(&self, chain: ChainId) -> Vec<(Route, Parcel)> {
        let mut senders = BTreeSet::new();
        let first = |((_, from, _), _): &(&Route, &Parcel)| senders.insert(*from);
        let heads = self.arrived(chain).filter(first);
        heads.map(|(route, parcel)| (*route, *parcel)).collect()
    }

    /// All tokens on their way.
    pub(super) fn tokens(&self) -> Amount {
        sum(self.parcels.values())
    }

    /// The tokens on their way from or to a chain.
    pub(super) fn tokens_around(&self, chain: ChainId) -> Amount {
        let parcels = self.parcels.iter();
        let around = parcels.filter(|((to, from, _), _)| *to == chain || *from == chain);
        sum(around.map(|(_, parcel)| parcel))
    }

    fn take(&mut self, chain: ChainId, incoming: &IncomingBundle) -> Result<Taken, Difference> {
        let route = (chain, incoming.origin, incoming.bundle.cursor());
        let Some(parcel) = self.parcels.remove(&route) else {
            return Err(format!(
                "a block takes the bundle {route:?}, which is not on its way"
            ));
        };
        let expected = self::parcel(&incoming.bundle.messages);
        ensure(
            (expected.messages, expected.tokens) == (parcel.messages, parcel.tokens),
            || format!("the bundle {route:?} is not what was sent"),
        )?;
        let is_accepted = incoming.action == MessageAction::Accept;
        if is_accepted {
            for posted in &incoming.bundle.messages {
                if let Some(id) = counts(posted) {
                    *self.counted.entry((chain, id)).or_default() += 1;
                }
            }
        }
        Ok(Taken {
            route,
            parcel,
            is_accepted,
        })
    }

    fn send(&mut self, chain: ChainId, cursor: Cursor, outcome: &TransactionOutcome) {
        for event in &outcome.effects.events {
            let key = (chain, event.stream_id.clone());
            self.emitted.insert(key, event.index + 1);
        }
        let mut bundles = BTreeMap::<ChainId, Vec<PostedMessage>>::new();
        for message in &outcome.effects.messages {
            let bundle = bundles.entry(message.destination).or_default();
            bundle.push(post(message));
        }
        for (destination, messages) in bundles {
            self.add((destination, chain, cursor), &messages);
        }
    }
}

fn sum<'a>(parcels: impl Iterator<Item = &'a Parcel>) -> Amount {
    let tokens = parcels.map(|parcel| parcel.tokens);
    tokens.fold(Amount::ZERO, Amount::saturating_add)
}

fn post(message: &OutgoingMessage) -> PostedMessage {
    PostedMessage {
        authenticated_owner: message.authenticated_owner,
        grant: message.grant,
        refund_grant_to: message.refund_grant_to,
        index: 0,
        kind: message.kind,
        message: message.message.clone(),
    }
}

fn parcel(messages: &[PostedMessage]) -> Parcel {
    let tokens = messages.iter().map(tokens);
    Parcel {
        mark: messages.iter().map(mark).max().unwrap_or(Mark::Hostile),
        is_protected: messages
            .iter()
            .any(|posted| posted.kind == MessageKind::Protected),
        tokens: tokens.fold(Amount::ZERO, Amount::saturating_add),
        messages: messages.len(),
        has_arrived: false,
        calls: 0,
    }
}

fn tokens(posted: &PostedMessage) -> Amount {
    match &posted.message {
        Message::System(SystemMessage::Credit { amount, .. }) => {
            posted.grant.saturating_add(*amount)
        }
        Message::User { .. } => posted.grant,
    }
}

/// What comes back does nothing, or fails.
fn mark(posted: &PostedMessage) -> Mark {
    match &posted.message {
        Message::System(_) => Mark::Honest,
        Message::User { .. } if posted.kind == MessageKind::Bouncing => Mark::Hostile,
        Message::User { bytes, .. } => Mark::of(bytes),
    }
}

/// For which application an honest message counts one, if it does.
fn counts(posted: &PostedMessage) -> Option<ApplicationId> {
    match &posted.message {
        Message::User {
            application_id,
            bytes,
        } if posted.kind != MessageKind::Bouncing && bytes.starts_with(b"T\0+") => {
            Some(*application_id)
        }
        _ => None,
    }
}
