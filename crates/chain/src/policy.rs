//! What becomes of an incoming bundle that fails while a block is being built.

use std::{collections::BTreeSet, time::Duration};

use resident_base::{ApplicationId, Timestamp};
use resident_execution::{Failure, FailureReason, Message, MessageKind, MissingData};

use crate::MessageBundle;

/// How staging treats bundles and stream updates that fail. An operation that fails always fails the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingPolicy {
    /// Any failing bundle or update fails the block.
    Abort,
    /// Leave failing bundles out, or reject them, and go on. A failing update of streams is left out: its
    /// events stay where they are and its application can be told of them in a later block.
    AutoRetry {
        /// How many bundles may fail because the block has no room left for them, or because the world outside
        /// does not answer. One more, and all remaining bundles are dropped. Those that fail on their own,
        /// whatever else is in the block, are not counted; but all that fail together may spend no more
        /// fuel than so many transactions and one.
        max_failures: u32,
        /// Bundles that concern these applications only are never rejected.
        never_reject_application_ids: BTreeSet<ApplicationId>,
        /// After this time, over all attempts, the remaining bundles are dropped once the block has a
        /// transaction, and nobody looks any further for those that make an application refuse.
        time_budget: Option<Duration>,
    },
}

/// What the policy needs to know about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureSummary {
    /// Whose failure it is.
    pub cause: FailureCause,
    /// Whether the bundle may be rejected.
    pub may_be_rejected: bool,
}

impl StagingPolicy {
    pub(crate) const fn max_failures(&self) -> u32 {
        match self {
            Self::Abort => 0,
            Self::AutoRetry { max_failures, .. } => *max_failures,
        }
    }

    pub(crate) const fn time_budget(&self) -> Option<Duration> {
        match self {
            Self::Abort => None,
            Self::AutoRetry { time_budget, .. } => *time_budget,
        }
    }
}

/// Whose failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// The bundle's own: in no block would it end otherwise.
    Own,
    /// Others used up what it would have needed.
    Crowded,
    /// The world outside did not answer.
    Unanswered,
}

impl FailureCause {
    /// Sorts a failure.
    pub fn of(failure: &Failure) -> Self {
        match failure.reason {
            _ if !failure.may_pass_later() => Self::Own,
            FailureReason::Crowded(_) => Self::Crowded,
            _ => Self::Unanswered,
        }
    }
}

/// What the policy needs to know about the block so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Transactions in the block so far, without the failing one.
    pub transactions: usize,
    /// Failures before this one that were not the bundle's own.
    pub limit_failures: u32,
    /// How many of those are tolerated.
    pub max_failures: u32,
}

/// What becomes of a failing bundle, after it has been rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It enters the block as rejected.
    Reject,
    /// It waits for a later block, and so do the later ones of its sender.
    DropSender,
    /// It waits for a later block, and so do all remaining bundles.
    DropRemaining,
}

/// Why a bundle or an update was left out of the block. A bundle stays in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It failed.
    Failed(Failure),
    /// An earlier bundle of the same sender was dropped.
    AfterDropped,
    /// Something that it needs is not here: fetch it, and the bundle can be tried again.
    Missing(MissingData),
    /// Too many bundles had failed for want of room.
    TooManyFailures,
    /// Building the block took too long.
    TimeBudget,
    /// Bundles that failed, or the search for one that made an application refuse, had spent as much fuel as
    /// may be spent in vain.
    FuelBudget,
    /// The block would have become larger than [`MAX_BLOCK_BYTES`](crate::MAX_BLOCK_BYTES).
    BlockFull,
    /// It was sent at this time, after the time of the block.
    TooNew(Timestamp),
    /// An application refuses the block, for this reason, with the bundle and not without it; or has no room
    /// left, and this is the one that used the most. The application does not refuse if the bundle is alone, or
    /// the bundle may not be rejected.
    Refused(Failure),
}

/// The policy of [`StagingPolicy::AutoRetry`].
///
/// What fails on its own would fail again: it is rejected wherever it stands, so that it does not hold up its
/// sender's later ones for ever. What others left no room for is tried again in a later block. What
/// the world outside does not answer is tried again too, unless it is the first of the block.
pub fn decide(failure: &FailureSummary, progress: &Progress) -> Verdict {
    let may_pass_later = match failure.cause {
        FailureCause::Own => false,
        FailureCause::Crowded => true,
        FailureCause::Unanswered => progress.transactions > 0,
    };
    if may_pass_later && progress.limit_failures >= progress.max_failures {
        Verdict::DropRemaining
    } else if may_pass_later || !failure.may_be_rejected {
        Verdict::DropSender
    } else {
        Verdict::Reject
    }
}

/// Whether a bundle may be rejected: it may not if one of its messages is protected, or if all of them
/// are for applications on the list.
pub fn may_be_rejected(bundle: &MessageBundle, never_reject: &BTreeSet<ApplicationId>) -> bool {
    let is_protected = bundle
        .messages
        .iter()
        .any(|posted| posted.kind == MessageKind::Protected);
    let is_listed = |message: &Message| match message {
        Message::System(_) => false,
        Message::User { application_id, .. } => never_reject.contains(application_id),
    };
    let all_listed = !bundle.messages.is_empty()
        && bundle
            .messages
            .iter()
            .all(|posted| is_listed(&posted.message));
    !is_protected && !all_listed
}

#[cfg(test)]
mod tests {
    use resident_base::{Amount, CryptoHash};

    use super::*;
    use crate::{PostedMessage, records::tests::bundle};

    #[test]
    fn verdicts_follow_the_table() {
        use FailureCause::{Crowded, Own, Unanswered};
        use Verdict::{DropRemaining, DropSender, Reject};
        // cause, may be rejected, transactions before, limit failures before => verdict (of at most 2)
        let table = [
            (Own, true, 0, 0, Reject),
            (Own, true, 5, 0, Reject),
            (Own, true, 5, 2, Reject),
            (Own, false, 0, 0, DropSender),
            (Own, false, 5, 0, DropSender),
            (Own, false, 5, 2, DropSender),
            (Crowded, true, 0, 0, DropSender),
            (Crowded, true, 1, 0, DropSender),
            (Crowded, true, 1, 1, DropSender),
            (Crowded, true, 1, 2, DropRemaining),
            (Crowded, false, 1, 1, DropSender),
            (Crowded, false, 1, 2, DropRemaining),
            (Unanswered, true, 0, 0, Reject),
            (Unanswered, false, 0, 0, DropSender),
            (Unanswered, true, 1, 0, DropSender),
            (Unanswered, true, 1, 2, DropRemaining),
            (Unanswered, false, 1, 2, DropRemaining),
        ];
        for (cause, may_be_rejected, transactions, limit_failures, verdict) in table {
            let failure = FailureSummary {
                cause,
                may_be_rejected,
            };
            let progress = Progress {
                transactions,
                limit_failures,
                max_failures: 2,
            };
            assert_eq!(
                decide(&failure, &progress),
                verdict,
                "{failure:?} {progress:?}"
            );
        }
    }

    #[test]
    fn protected_and_listed_bundles_may_not_be_rejected() {
        let listed = ApplicationId::new(CryptoHash::of_bytes(b"listed"));
        let other = ApplicationId::new(CryptoHash::of_bytes(b"other"));
        let list = BTreeSet::from([listed]);
        let post = |kind, application_id| PostedMessage {
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            index: 0,
            kind,
            message: Message::User {
                application_id,
                bytes: vec![],
            },
        };
        let rejectable = |messages| {
            may_be_rejected(
                &MessageBundle {
                    messages,
                    ..bundle(1, 0)
                },
                &list,
            )
        };
        let simple = MessageKind::Simple;
        assert!(rejectable(vec![]));
        assert!(rejectable(vec![post(simple, other)]));
        assert!(rejectable(vec![post(simple, listed), post(simple, other)]));
        assert!(!rejectable(vec![
            post(simple, listed),
            post(simple, listed)
        ]));
        assert!(!rejectable(vec![
            post(simple, other),
            post(MessageKind::Protected, other)
        ]));
    }
}
