//! Random blocks, and what survives of them.

use std::collections::BTreeMap;

use resident_base::{Amount, ApplicationId, BlockHeight, ChainId, CryptoHash, Timestamp};
use resident_chain::{
    BlockOutcome, ExecutedBlock, IncomingBundle, MessageAction, MessageBundle, PostedMessage,
    Transaction,
};
use resident_execution::{Message, MessageKind, Operation};

use crate::{
    random::Random,
    script::{Style, call_application, script},
};

/// Transactions of one block.
const MAX_TRANSACTIONS: u64 = 16;
/// Chains that send.
const SENDERS: u64 = 4;

/// An application, and what it may be told.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) id: ApplicationId,
    pub(super) style: Style,
}

/// Makes blocks. Heights of bundles go on from block to block.
pub(super) struct Blocks {
    applications: Vec<Member>,
    /// How many of a hundred messages are likely to fail.
    failing_percent: u64,
    height: u64,
}

impl Blocks {
    pub(super) fn new(applications: Vec<Member>, random: &mut Random) -> Self {
        Blocks {
            applications,
            failing_percent: random.choose(&[3, 15, 40]),
            height: 0,
        }
    }

    pub(super) fn next(&mut self, random: &mut Random) -> Vec<Transaction> {
        let count = 2 + random.below(MAX_TRANSACTIONS - 1);
        (0..count)
            .map(|_| match random.percent(20) {
                true => self.operation(random),
                false => self.bundle(random),
            })
            .collect()
    }

    /// Operations should pass: one that fails fails the block.
    fn operation(&self, random: &mut Random) -> Transaction {
        let (application_id, bytes) = self.message(random, 1);
        Transaction::ExecuteOperation(Operation::User {
            application_id,
            bytes,
        })
    }

    fn bundle(&mut self, random: &mut Random) -> Transaction {
        self.height += 1;
        let height = self.height;
        let messages = 1 + random.below(2) as u32;
        let messages = (0..messages)
            .map(|index| {
                let (application_id, bytes) = self.message(random, self.failing_percent);
                PostedMessage {
                    authenticated_owner: None,
                    grant: Amount::ZERO,
                    refund_grant_to: None,
                    index,
                    kind: kind(random),
                    message: Message::User {
                        application_id,
                        bytes,
                    },
                }
            })
            .collect();
        let bundle = MessageBundle {
            height: BlockHeight(height),
            timestamp: Timestamp::from(height),
            block_hash: CryptoHash::of_bytes(&height.to_le_bytes()),
            transaction_index: 0,
            messages,
        };
        let origin = ChainId(CryptoHash::of_bytes(&[random.below(SENDERS) as u8]));
        Transaction::ReceiveMessages(IncomingBundle {
            origin,
            bundle,
            action: MessageAction::Accept,
        })
    }

    /// What an application is told, which may include what it tells another one.
    fn message(&self, random: &mut Random, failing_percent: u64) -> (ApplicationId, Vec<u8>) {
        let member = random.choose(&self.applications);
        let style = |member: Member| Style {
            failing_percent,
            refusing_percent: failing_percent / 10,
            ..member.style
        };
        let mut bytes = script(random, style(member));
        let alone = self.applications.len() == 1;
        if random.percent(if alone { 8 } else { 40 }) {
            let callee = self.callee(member, random);
            let id: [u64; 4] = callee.id.application_description_hash.into();
            let told = script(random, style(callee));
            // A script that ends early must not swallow the call.
            bytes.truncate(bytes.len() & !63);
            bytes.extend(call_application(id, &told));
        }
        (member.id, bytes)
    }

    /// Mostly another application: one that is already running refuses to be called.
    fn callee(&self, caller: Member, random: &mut Random) -> Member {
        let callee = random.choose(&self.applications);
        if callee.id == caller.id && random.percent(80) {
            return random.choose(&self.applications);
        }
        callee
    }
}

/// A block without what was rejected.
pub(super) struct Survivors {
    pub(super) transactions: Vec<Transaction>,
    /// The outcome as it has to be, but perhaps for the state's hash.
    pub(super) outcome: BlockOutcome,
    /// Whether the cursors of all senders come out the same, which are part of the hashed state:
    /// rejecting a bundle moves its sender's, too.
    pub(super) same_cursors: bool,
}

pub(super) fn survivors(executed: &ExecutedBlock) -> Survivors {
    let mut outcome = executed.outcome.clone();
    let mut transactions = executed.block.transactions.clone();
    let is_rejected = |transaction: &Transaction| {
        let bundle = transaction.bundle();
        bundle.is_some_and(|incoming| incoming.action == MessageAction::Reject)
    };
    let mut latest = BTreeMap::new();
    for transaction in &transactions {
        if let Some(incoming) = transaction.bundle() {
            latest.insert(incoming.origin, is_rejected(transaction));
        }
    }
    let mut each = executed.block.transactions.iter();
    outcome
        .transactions
        .retain(|_| each.next().is_some_and(|it| !is_rejected(it)));
    transactions.retain(|it| !is_rejected(it));
    Survivors {
        transactions,
        outcome,
        same_cursors: latest.values().all(|rejected| !rejected),
    }
}

fn kind(random: &mut Random) -> MessageKind {
    match random.below(10) {
        0 => MessageKind::Protected,
        1..=4 => MessageKind::Tracked,
        _ => MessageKind::Simple,
    }
}
