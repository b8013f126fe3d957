//! Answers from outside: recorded when a block is built, replayed when it is run again.

use std::collections::VecDeque;

use super::{Runtime, RuntimeHandle};
use crate::{FailureReason, OracleResponse, Stop};

/// How often an answer is in memory: in the record, and where it is replayed from.
const ANSWER_COPIES: usize = 2;

/// Where a transaction's answers come from.
#[derive(Debug, Default)]
pub(crate) enum Answers {
    /// The outside is asked.
    #[default]
    Live,
    /// The block has recorded them; nothing else may be used.
    Recorded(VecDeque<OracleResponse>),
}

impl Answers {
    pub(crate) fn new(recorded: Option<Vec<OracleResponse>>) -> Self {
        recorded.map_or(Self::Live, |recorded| Self::Recorded(recorded.into()))
    }

    /// Whether the outside is left alone.
    pub(super) fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded(_))
    }
}

impl RuntimeHandle {
    /// The answer to a question: the next one of the record, if there is a record, which `fits` must
    /// recognise as being about this question, or else what `ask` finds out. It becomes part of the
    /// transaction's effects, and counts towards the size of the block's outcome as it is given: a record may be
    /// no larger than what can be stored.
    pub(super) fn answer(
        &mut self,
        question: impl Fn() -> String,
        fits: impl FnOnce(&OracleResponse) -> bool,
        ask: impl FnOnce(&mut Runtime) -> Result<OracleResponse, Stop>,
    ) -> Result<OracleResponse, Stop> {
        let response = match &mut self.transaction.answers {
            Answers::Live => ask(self)?,
            Answers::Recorded(recorded) => {
                let next = recorded.pop_front();
                next.filter(fits)
                    .ok_or_else(|| FailureReason::OracleMismatch { asked: question() })?
            }
        };
        let policy = self.context.policy.clone();
        let bytes = recorded_bytes(&response);
        self.usage.outcome_bytes(bytes, &policy)?;
        self.keep(ANSWER_COPIES * bytes as usize)?;
        let responses = &mut self.transaction.effects.oracle_responses;
        responses.push(response.clone());
        Ok(response)
    }
}

/// What an answer takes of the block's record: its encoding, so that many small ones count too.
fn recorded_bytes(response: &OracleResponse) -> u64 {
    bcs::serialized_size(response).expect("answers have a BCS encoding") as u64
}
