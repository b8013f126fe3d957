//! A chain that does what its messages say, in the place of a session.

use std::collections::{BTreeMap, BTreeSet};

use resident_base::{AccountOwner, Amount, ApplicationId, CryptoHash, Resources};
use resident_execution::{
    Action, Failure, FailureReason, Fault, LimitKind, Message, MessageKind, Operation,
    OracleResponse, OutgoingMessage, Refusal, SessionOutcome, Stop, Trace, TransactionEffects,
    TransactionReport,
};
use resident_storage::{Batch, Statistics};

use super::application;
use crate::{MAX_SENT_BYTES, TransactionRunner, records::tests::chain};

/// The state of the scripted chain: what was said, in order, and the chain's records.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) said: Vec<u8>,
    pub(super) records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) touched: BTreeSet<ApplicationId>,
    pub(super) refusing: Option<ApplicationId>,
}

pub(super) fn failure(application_id: ApplicationId, reason: FailureReason) -> Stop {
    Stop::Failure(Failure {
        application_id: Some(application_id),
        reason,
    })
}

impl Script {
    fn say(&mut self, application_id: ApplicationId, bytes: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.touched.insert(application_id);
        self.said.extend(&bytes);
        match bytes.as_slice() {
            b"fail" => Err(failure(application_id, FailureReason::NotSigned)),
            b"limit" => Err(failure(
                application_id,
                FailureReason::Limit(LimitKind::Messages),
            )),
            b"fault" => Err(Fault::Misuse("so it was asked").into()),
            b"refuse" => {
                self.refusing = Some(application_id);
                Ok(bytes)
            }
            _ => Ok(bytes),
        }
    }
}

impl TransactionRunner for Script {
    type Checkpoint = Self;

    fn begin_transaction(&mut self, _: Option<Vec<OracleResponse>>) {
        self.touched.clear();
    }

    fn run(&mut self, action: Action) -> Result<Vec<u8>, Stop> {
        if let Action::ProcessStreams(update) = action {
            let name = update.streams[0].stream_id.stream_name.0.clone();
            return self.say(update.subscriber, name);
        }
        let (Action::Operation(Operation::User {
            application_id,
            bytes,
        })
        | Action::Message {
            message:
                Message::User {
                    application_id,
                    bytes,
                },
            ..
        }) = action
        else {
            return Err(Fault::Misuse("the script knows user actions only").into());
        };
        self.say(application_id, bytes)
    }

    fn end_transaction(&mut self) -> Result<TransactionEffects, Stop> {
        let mut effects = TransactionEffects::default();
        if self.said.ends_with(b"large") {
            let message = Message::User {
                application_id: application(1),
                bytes: vec![0; MAX_SENT_BYTES],
            };
            let kind = MessageKind::Simple;
            effects
                .messages
                .push(OutgoingMessage::new(chain(3), kind, message));
        }
        Ok(effects)
    }

    fn checkpoint(&mut self) -> Result<Self, Fault> {
        Ok(self.clone())
    }

    fn roll_back(&mut self, to: &Self) -> Result<(), Fault> {
        *self = to.clone();
        Ok(())
    }

    fn touched_applications(&self) -> &BTreeSet<ApplicationId> {
        &self.touched
    }

    fn finalize(
        &mut self,
        _: Option<Vec<OracleResponse>>,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        match self.refusing {
            Some(application_id) => {
                let stop = failure(application_id, FailureReason::NotSigned);
                Err(Box::new(Refusal {
                    application_id,
                    stop,
                }))
            }
            None => Ok(TransactionEffects::default()),
        }
    }

    fn take_report(&mut self) -> TransactionReport {
        TransactionReport::default()
    }

    fn is_closed(&self) -> bool {
        self.said.contains(&b'C')
    }

    fn return_tokens(&mut self, _: AccountOwner, _: Amount) -> Result<(), Fault> {
        Ok(())
    }

    fn read_system(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.records.get(key).cloned())
    }

    fn write_system(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), Fault> {
        self.records.insert(key.to_vec(), value);
        Ok(())
    }

    fn finish(self) -> Result<SessionOutcome, Fault> {
        let state = [self.said, bcs::to_bytes(&self.records).unwrap()].concat();
        Ok(SessionOutcome {
            state_hash: CryptoHash::of_bytes(&state),
            batch: Batch::new(),
            blobs: Vec::new(),
            resources: Resources::default(),
            fees: Amount::ZERO,
            trace: Trace::default(),
            statistics: Statistics::default(),
        })
    }
}
