//! What the finalizations of a block's applications use, and whether there is room for it.

use std::collections::BTreeMap;

use resident_base::ApplicationId;
use serde::Serialize;

use super::FinalizationRoom;
use crate::{Failure, FailureReason, LimitKind, Stop, TransactionEffects, runtime::Share};

/// The finalization of a block, application by application.
pub(super) struct Finalization {
    room: FinalizationRoom,
    finalized: Vec<Finalized>,
    /// Encoded bytes of the messages so far.
    message_bytes: usize,
    /// Encoded bytes of all effects so far.
    bytes: usize,
    /// How many effects of each kind have been counted: messages, events, blobs, answers.
    counted: [usize; 4],
}

/// What one application's finalization used.
struct Finalized {
    id: ApplicationId,
    share: Share,
    message_bytes: usize,
    bytes: usize,
}

impl Finalization {
    pub(super) fn new(room: FinalizationRoom) -> Self {
        Self {
            room,
            finalized: Vec::new(),
            message_bytes: 0,
            bytes: 0,
            counted: [0; 4],
        }
    }

    /// Adds what an application's finalization used, and the effects that it added to those before.
    pub(super) fn add(
        &mut self,
        id: ApplicationId,
        share: Share,
        effects: &TransactionEffects,
    ) -> Result<(), Stop> {
        let [messages, events, blobs, answers] = self.counted;
        let message_bytes = encoded_size(&effects.messages[messages..]);
        let bytes = message_bytes
            + encoded_size(&effects.events[events..])
            + encoded_size(&effects.blobs[blobs..])
            + encoded_size(&effects.oracle_responses[answers..]);
        self.counted = [
            effects.messages.len(),
            effects.events.len(),
            effects.blobs.len(),
            effects.oracle_responses.len(),
        ];
        self.message_bytes += message_bytes;
        self.bytes += bytes;
        self.finalized.push(Finalized {
            id,
            share,
            message_bytes,
            bytes,
        });
        let room = self.room;
        if self.message_bytes > room.message_bytes {
            return Err(full(message_bytes > room.message_bytes, SENT));
        }
        if self.bytes > room.bytes {
            return Err(full(bytes > room.most_bytes, LimitKind::OutcomeBytes));
        }
        Ok(())
    }

    /// If the block had no room left for something, how much of it each application used.
    pub(super) fn shares(&self, stop: &Stop) -> BTreeMap<ApplicationId, u64> {
        let Stop::Failure(Failure {
            reason: FailureReason::Crowded(kind),
            ..
        }) = stop
        else {
            return BTreeMap::new();
        };
        let used = |finalized: &Finalized| match *kind {
            SENT => finalized.share.of(SENT).max(finalized.message_bytes as u64),
            LimitKind::OutcomeBytes => finalized.bytes as u64,
            kind => finalized.share.of(kind),
        };
        let finalized = self.finalized.iter();
        finalized
            .map(|finalized| (finalized.id, used(finalized)))
            .collect()
    }
}

/// What bounds the messages of a finalization.
const SENT: LimitKind = LimitKind::MessageBytes;

fn full(is_own: bool, kind: LimitKind) -> Stop {
    match is_own {
        true => FailureReason::Limit(kind),
        false => FailureReason::Crowded(kind),
    }
    .into()
}

fn encoded_size(values: &(impl Serialize + ?Sized)) -> usize {
    bcs::serialized_size(values).expect("effects have a BCS encoding")
}
