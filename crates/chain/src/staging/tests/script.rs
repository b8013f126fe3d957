//! A chain that does what its messages say, in the place of a session.

use std::collections::{BTreeMap, BTreeSet};

use resident_base::{AccountOwner, Amount, ApplicationId, BlobId, BlobType, CryptoHash, Resources};
use resident_execution::{
    Action, Failure, FailureReason, Fault, FinalizationRoom, LimitKind, Message, MessageKind,
    MissingData, Operation, OracleResponse, OutgoingMessage, Refusal, SessionOutcome, Stop, Trace,
    TransactionEffects, TransactionReport,
};
use resident_storage::{Batch, Statistics};

use super::{TRANSACTION_FUEL, application};
use crate::{MAX_SENT_BYTES, TransactionRunner, records::tests::chain};

/// How many messages a scripted block may send.
const MAX_MESSAGES: u64 = 10;

/// The state of the scripted chain: what was said, in order, and the chain's records.
#[derive(Clone, Default)]
pub(super) struct Script {
    said: Vec<u8>,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    touched: BTreeSet<ApplicationId>,
    refusing: BTreeSet<ApplicationId>,
    /// Applications that refuse because nobody can pay for them.
    unpaid: BTreeSet<ApplicationId>,
    /// What applications were told of two things that do not go together.
    halves: BTreeSet<(ApplicationId, Vec<u8>)>,
    /// Applications that send a message when the block ends, and how many.
    last_words: BTreeMap<ApplicationId, u64>,
    /// Applications that somebody has joined, which costs the first one more.
    joined: BTreeSet<ApplicationId>,
    /// Messages of the running transaction, and of all of them.
    sent: (u64, u64),
    /// Fuel that was spent, whatever became of it.
    spent: u64,
    /// The most that a transaction may spend.
    fuel_limit: Option<u64>,
    /// Applications that have become so large that they are endless.
    bloated: BTreeSet<ApplicationId>,
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
            b"fail" => return Err(failure(application_id, FailureReason::NotSigned)),
            b"burn" => {
                self.spend(application_id, TRANSACTION_FUEL / 2)?;
                return Err(failure(application_id, FailureReason::NotSigned));
            }
            b"endless" => return Err(self.endless(application_id)),
            b"bloat" => drop(self.bloated.insert(application_id)),
            b"list" if self.bloated.contains(&application_id) => {
                return Err(self.endless(application_id));
            }
            b"lack" => {
                self.spend(application_id, TRANSACTION_FUEL / 2)?;
                let hash = CryptoHash::of_bytes(b"nobody has it");
                let id = BlobId::new(BlobType::Data, hash);
                return Err(MissingData::Blob(id).into());
            }
            b"limit" => return Err(failure(application_id, FailureReason::Limit(MESSAGES))),
            b"crowded" => return Err(failure(application_id, FailureReason::Crowded(MESSAGES))),
            b"fault" => return Err(Fault::Misuse("so it was asked").into()),
            b"refuse" => drop(self.refusing.insert(application_id)),
            b"unpaid" => drop(self.unpaid.insert(application_id)),
            b"left" | b"right" => drop(self.halves.insert((application_id, bytes.clone()))),
            [b's', b'e', b'n', b'd', count] => self.send(application_id, count - b'0')?,
            [b'l', b'a', b's', b't', count] => {
                self.last_words
                    .insert(application_id, (count - b'0').into());
            }
            b"join" => {
                let count = if self.joined.insert(application_id) {
                    6
                } else {
                    1
                };
                self.send(application_id, count)?;
            }
            _ => {}
        }
        Ok(bytes)
    }

    fn endless(&mut self, application_id: ApplicationId) -> Stop {
        match self.spend(application_id, TRANSACTION_FUEL) {
            Ok(()) => failure(application_id, FailureReason::Limit(LimitKind::Fuel)),
            Err(stop) => stop,
        }
    }

    fn spend(&mut self, application_id: ApplicationId, fuel: u64) -> Result<(), Stop> {
        let most = self.fuel_limit.unwrap_or(TRANSACTION_FUEL);
        self.spent += fuel.min(most);
        match fuel > most {
            true => {
                let reason = FailureReason::Crowded(LimitKind::Fuel);
                Err(failure(application_id, reason))
            }
            false => Ok(()),
        }
    }

    fn send(&mut self, application_id: ApplicationId, count: u8) -> Result<(), Stop> {
        self.sent.0 += u64::from(count);
        self.sent.1 += u64::from(count);
        match self.sent {
            (_, 0..=MAX_MESSAGES) => Ok(()),
            (0..=MAX_MESSAGES, _) => Err(failure(application_id, FailureReason::Crowded(MESSAGES))),
            _ => Err(failure(application_id, FailureReason::Limit(MESSAGES))),
        }
    }

    /// Lets every application that has last words say them.
    fn end(&mut self) -> Result<(), Box<Refusal>> {
        let mut shares = BTreeMap::new();
        for (application_id, count) in std::mem::take(&mut self.last_words) {
            self.sent.0 = 0;
            shares.insert(application_id, count);
            if let Err(stop) = self.send(application_id, u8::try_from(count).unwrap_or(u8::MAX)) {
                return Err(refusal(application_id, stop, shares));
            }
        }
        let is_torn = |id: &&ApplicationId| {
            let half = |word: &[u8]| self.halves.contains(&(**id, word.to_vec()));
            half(b"left") && half(b"right")
        };
        let torn = self.halves.iter().map(|(id, _)| id).find(is_torn);
        let refusing = self.refusing.first().or(torn);
        match refusing.or(self.unpaid.first()).copied() {
            None => Ok(()),
            Some(id) => {
                let is_unpaid = refusing.is_none();
                let stop = failure(id, FailureReason::NotSigned);
                let mut refusal = refusal(id, stop, shares);
                refusal.is_unpaid = is_unpaid;
                Err(refusal)
            }
        }
    }
}

const MESSAGES: LimitKind = LimitKind::Messages;

fn refusal(
    application_id: ApplicationId,
    stop: Stop,
    shares: BTreeMap<ApplicationId, u64>,
) -> Box<Refusal> {
    Box::new(Refusal {
        application_id,
        stop,
        is_unpaid: false,
        shares,
    })
}

impl TransactionRunner for Script {
    type Checkpoint = Self;

    fn begin_transaction(&mut self, _: Option<Vec<OracleResponse>>) {
        self.touched.clear();
        self.sent.0 = 0;
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
        let spent = self.spent;
        *self = to.clone();
        self.spent = spent;
        Ok(())
    }

    fn touched_applications(&self) -> &BTreeSet<ApplicationId> {
        &self.touched
    }

    fn finalize(
        &mut self,
        _: Option<Vec<OracleResponse>>,
        _: FinalizationRoom,
    ) -> Result<TransactionEffects, Box<Refusal>> {
        self.end().map(|()| TransactionEffects::default())
    }

    fn spent_fuel(&self) -> u64 {
        self.spent
    }

    fn limit_fuel(&mut self, fuel: Option<u64>) {
        self.fuel_limit = fuel;
    }

    fn take_report(&mut self) -> TransactionReport {
        let resources = Resources {
            messages: self.sent.0,
            ..Resources::default()
        };
        TransactionReport {
            resources,
            ..TransactionReport::default()
        }
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
