//! A transaction of a draft, and what becomes of it.

use resident_base::ChainId;
use resident_execution::{Failure, SubscriberUpdate};

use crate::{DropReason, IncomingBundle, MessageAction, Transaction};

/// Stays where it is while the block is built, so that messages are never moved or copied.
pub(super) struct Candidate {
    pub(super) transaction: Transaction,
    pub(super) fate: Fate,
    /// What the draft wants to be done with it, if it is a bundle.
    proposed: Option<MessageAction>,
    standing: Standing,
    /// Whether that is settled only because of how it failed behind others, all of whom were accepted.
    is_provisional: bool,
    /// Whether one of those turned out not to be in the block, so that it is tried again.
    is_reopened: bool,
}

/// What became of it in the latest pass.
pub(super) enum Fate {
    /// It is in the block as proposed.
    Included,
    /// It is a bundle that failed, and is in the block as rejected.
    Rejected(Failure),
    /// It is a bundle or an update, and not in the block.
    Dropped(DropReason),
}

/// What is settled about it for all further passes.
enum Standing {
    /// Nothing: it is tried.
    Open,
    /// It is a bundle that enters the block as rejected, without being tried again.
    Rejected(Failure),
    /// It is a bundle or an update that stays out.
    Removed,
}

impl Candidate {
    pub(super) fn new(transaction: Transaction) -> Self {
        let proposed = transaction.bundle().map(|incoming| incoming.action);
        Self {
            transaction,
            fate: Fate::Included,
            proposed,
            standing: Standing::Open,
            is_provisional: false,
            is_reopened: false,
        }
    }

    /// The sender, if this is a bundle.
    pub(super) fn origin(&self) -> Option<ChainId> {
        self.transaction.bundle().map(|incoming| incoming.origin)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open)
    }

    /// The failure of a bundle that is rejected for good.
    pub(super) fn settled_failure(&self) -> Option<&Failure> {
        match &self.standing {
            Standing::Rejected(failure) => Some(failure),
            Standing::Open | Standing::Removed => None,
        }
    }

    /// Leaves it out in all further passes, unless something else is settled already.
    pub(super) fn remove(&mut self, reason: DropReason) {
        if self.is_open() {
            self.standing = Standing::Removed;
            self.drop(reason);
        }
    }

    /// Rejects it in all further passes, unless something else is settled already.
    pub(super) fn reject_for_good(&mut self, failure: Failure) {
        if self.is_open() {
            self.standing = Standing::Rejected(failure);
        }
    }

    /// Rejects it in all further passes in which everybody stays whom it failed behind.
    pub(super) fn reject_for_now(&mut self, failure: Failure) {
        self.reject_for_good(failure);
        self.is_provisional = true;
    }

    /// Leaves it out in all further passes in which everybody stays whom it failed behind.
    pub(super) fn remove_for_now(&mut self, reason: DropReason) {
        self.remove(reason);
        self.is_provisional = true;
    }

    /// Somebody whom it may have failed behind is not in the block after all, so that its failure proves nothing.
    pub(super) fn reopen(&mut self) {
        if std::mem::take(&mut self.is_provisional) {
            self.standing = Standing::Open;
            self.is_reopened = true;
        }
    }

    pub(super) fn is_reopened(&self) -> bool {
        self.is_reopened
    }

    /// Turns a bundle that failed into a rejected one.
    pub(super) fn reject(&mut self, failure: Failure) {
        self.set_action(Some(MessageAction::Reject));
        self.fate = Fate::Rejected(failure);
    }

    /// Leaves the bundle out, for now.
    pub(super) fn drop(&mut self, reason: DropReason) {
        self.set_action(self.proposed);
        self.fate = Fate::Dropped(reason);
    }

    /// Forgets the last pass.
    pub(super) fn reset(&mut self) {
        if !matches!(self.standing, Standing::Removed) {
            self.set_action(self.proposed);
            self.fate = Fate::Included;
        }
    }

    fn set_action(&mut self, action: Option<MessageAction>) {
        if let (Transaction::ReceiveMessages(incoming), Some(action)) =
            (&mut self.transaction, action)
        {
            incoming.action = action;
        }
    }
}

/// What is not in the block as proposed.
#[derive(Default)]
pub(super) struct Failing {
    pub(super) rejected: Vec<(IncomingBundle, Failure)>,
    pub(super) dropped: Vec<(IncomingBundle, DropReason)>,
    pub(super) dropped_updates: Vec<(SubscriberUpdate, DropReason)>,
}

/// Moves what is in the block into `transactions`, and answers what failed.
pub(super) fn sort(candidates: Vec<Candidate>, transactions: &mut Vec<Transaction>) -> Failing {
    let mut failing = Failing::default();
    for Candidate {
        transaction, fate, ..
    } in candidates
    {
        match (fate, transaction) {
            (Fate::Rejected(failure), Transaction::ReceiveMessages(incoming)) => {
                failing.rejected.push((incoming.clone(), failure));
                transactions.push(Transaction::ReceiveMessages(incoming));
            }
            (Fate::Dropped(reason), Transaction::ReceiveMessages(incoming)) => {
                failing.dropped.push((incoming, reason));
            }
            (Fate::Dropped(reason), Transaction::UpdateStreams(update)) => {
                failing.dropped_updates.push((update, reason));
            }
            (_, transaction) => transactions.push(transaction),
        }
    }
    failing
}
