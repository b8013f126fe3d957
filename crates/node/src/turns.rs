//! Whose bundles are proposed in the next block, and what is remembered of those that were not decided.
//!
//! - Senders take turns, from where the last block ended ([`Turns`]). Whoever was reached too late in a block is the
//!   first of those in the next one.
//! - Of the bundles that failed behind others, over something that they shared, the one that has waited longest comes
//!   before everybody in the next block. If it gives way to others again and again, it gets a block for itself, in which
//!   it is in, rejected, or backs off; at most every other block is such a one.
//! - A bundle that needs something which is not here is tried a few times and then rejected.
//! - What fails and may not be rejected is tried again after 1, 2, 4 … turns, at most [`MAX_GAP`].
//!
//! Nothing of this is in the chain's state.

use std::collections::{BTreeMap, BTreeSet};

use resident_base::{ApplicationId, ChainId, TimeDelta, Timestamp};
use resident_chain::{
    Choice, Chooser, Cursor, DropReason, FailureCause, IncomingBundle, MAX_PASSED_OVER,
    MessageAction, MessageBundle, StagedBlock, StagingPolicy, TakenTurns, Transaction, TurnRequest,
    Turns, WaitReason, Waiting, forget_waiting, may_be_rejected, put_turns, put_waiting,
};
use resident_execution::{Executor, Fault, chain_partition};
use resident_storage::{Batch, LocalTag, partition_key};

use crate::{config::NodeConfig, error::NodeError, local::LocalNode};

/// The most turns that what failed waits before it is tried again.
pub(crate) const MAX_GAP: u64 = 1024;

/// How often a bundle is passed over before it gets a block for itself.
const MAX_PASSES: u32 = 3;

/// How many calls made no block while something waited. With the chain's height they count the turns by which what
/// failed backs off. Kept in the store, since what is to be tried again in a turn is kept there too: a node that
/// forgot how many turns there were would let it wait for as many.
const IDLE_TURNS: LocalTag = LocalTag::new(67);

/// The most bundles and updates that one call tries in vain, if that is more than one draft.
const MAX_TRIED: usize = 40_000;

/// How often a bundle is tried again because what it waited for has come, and then waits for something else.
const MAX_TRIES: u32 = 64;

/// How much of a failure's text is remembered, in bytes.
const MAX_REASON_BYTES: usize = 256;

/// How many turns what has failed so often waits before it is tried again.
pub(crate) fn gap(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(MAX_GAP.ilog2());
    1 << doublings
}

/// Whether something that is tried again in the turn `retry_at` waits. A number that is too far ahead comes from turns that
/// were counted and forgotten.
pub(crate) fn is_resting(retry_at: u64, turn: u64) -> bool {
    retry_at > turn && retry_at - turn <= MAX_GAP
}

/// What one call has done in vain so far.
pub(crate) struct Vain {
    most_fuel: u64,
    wasted_fuel: u64,
    tried: usize,
}

impl Vain {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        let failures = match config.staging {
            StagingPolicy::AutoRetry { max_failures, .. } => max_failures,
            StagingPolicy::Abort => 0,
        };
        let fuel = config.policy.limits.transaction_fuel;
        Self {
            most_fuel: fuel.saturating_mul(u64::from(failures) + 1),
            wasted_fuel: 0,
            tried: 0,
        }
    }

    /// Adds a draft. If a block comes of it, there is no other.
    pub(crate) fn add(&mut self, proposed: usize, staged: &StagedBlock) {
        self.tried += proposed;
        self.wasted_fuel = self.wasted_fuel.saturating_add(staged.wasted_fuel);
    }

    /// Whether no other draft is tried.
    pub(crate) fn is_enough(&self) -> bool {
        self.wasted_fuel > self.most_fuel || self.tried >= MAX_TRIED
    }

    pub(crate) fn has_tried(&self) -> bool {
        self.tried > 0
    }
}

pub(crate) async fn idle_turns(node: &LocalNode, chain: ChainId) -> Result<u64, NodeError> {
    let Some(bytes) = node.store().read(&idle_turns_key(chain)).await? else {
        return Ok(0);
    };
    let what = "the number of turns without a block";
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| NodeError::DamagedRecord { what })?;
    Ok(u64::from_le_bytes(bytes))
}

pub(crate) fn put_idle_turns(batch: &mut Batch, chain: ChainId, turns: u64) {
    batch.put(idle_turns_key(chain), turns.to_le_bytes().to_vec());
}

fn idle_turns_key(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), IDLE_TURNS, &[])
}

/// Whether something is here by now.
async fn has_come(executor: &Executor, reason: &WaitReason) -> Result<bool, Fault> {
    match reason {
        WaitReason::Blob(id) => executor.has_blob(*id).await,
        WaitReason::Event(id) => executor.has_event(id).await,
        _ => Ok(false),
    }
}

/// The bundles of one call, which may try several drafts until one has something in it.
pub(crate) struct InboxTurn {
    chain: ChainId,
    /// Counts blocks, and calls without one.
    turn: u64,
    now: Timestamp,
    /// What was sent later than this is not accepted.
    latest: Timestamp,
    missing_data_tries: u32,
    missing_data_deadline: TimeDelta,
    /// Whether a bundle was left out that waits for a later turn.
    is_anybody_resting: bool,
    turns: Turns,
    /// What the store has.
    stored_turns: Turns,
    /// Senders that cannot do any more in this call.
    tried: BTreeSet<ChainId>,
    draft: Draft,
    /// What was found out. It is written with the block, or without one at the end of the call.
    batch: Batch,
}

/// The bundles of one draft.
#[derive(Default)]
struct Draft {
    /// The place of each bundle.
    order: BTreeMap<(ChainId, Cursor), usize>,
    known: BTreeMap<ChainId, Waiting>,
    /// Senders that have lost their place in front.
    gone: Vec<ChainId>,
    /// Whether it is one bundle that was passed over too often.
    is_alone: bool,
    /// Who would be next.
    next: Option<ChainId>,
    given_up: BTreeMap<(ChainId, Cursor), WaitReason>,
}

impl InboxTurn {
    pub(crate) async fn begin(
        node: &LocalNode,
        chain: ChainId,
        turn: u64,
        now: Timestamp,
    ) -> Result<Self, NodeError> {
        let reader = node.reader(chain);
        let turns = reader.turns().await?;
        // A chain whose time is ahead already is not set any further ahead.
        let tip = reader.tip().await?.timestamp;
        let latest = now.saturating_add(node.config.max_clock_skew).max(tip);
        Ok(Self {
            chain,
            turn,
            now,
            latest,
            missing_data_tries: node.config.missing_data_tries.max(1),
            missing_data_deadline: node.config.missing_data_deadline,
            is_anybody_resting: false,
            stored_turns: turns.clone(),
            turns,
            tried: BTreeSet::new(),
            draft: Draft::default(),
            batch: Batch::new(),
        })
    }

    /// The bundles of the next draft. None if nobody is left who was not tried in this call.
    pub(crate) async fn bundles(
        &mut self,
        node: &LocalNode,
    ) -> Result<Vec<Transaction>, NodeError> {
        let mut judge = Judge {
            config: &node.config,
            turn: self.turn,
            now: self.now,
            latest: self.latest,
            proposed: BTreeSet::new(),
            early: Vec::new(),
            overdue: BTreeMap::new(),
            given_up: BTreeMap::new(),
            is_anybody_resting: false,
        };
        let is_alone = self.gives_a_block_to_one();
        let request = TurnRequest {
            limit: if is_alone { 1 } else { node.config.max_bundles },
            turns: &self.turns,
            skip: &self.tried,
        };
        let taken = node
            .reader(self.chain)
            .take_turns(&request, &mut judge)
            .await?;
        let Judge {
            early,
            overdue,
            mut given_up,
            is_anybody_resting,
            ..
        } = judge;
        self.is_anybody_resting |= is_anybody_resting;
        let TakenTurns {
            mut bundles,
            known,
            gone,
            next,
            stale,
        } = taken;
        self.batch.append(stale);
        for (origin, cursor, sent) in early {
            self.tried.insert(origin);
            self.remember(origin, cursor, known.get(&origin), WaitReason::Time(sent));
        }
        for incoming in &mut bundles {
            // What has come since the last try is not given up on.
            let reason = overdue.get(&key(incoming));
            if let Some(reason) = reason
                && incoming.bundle.timestamp <= self.latest
                && has_come(&node.executor, reason).await?
            {
                incoming.action = MessageAction::Accept;
                given_up.remove(&key(incoming));
            }
        }
        let places = bundles.iter().enumerate();
        self.draft = Draft {
            order: places
                .map(|(place, incoming)| (key(incoming), place))
                .collect(),
            known,
            gone,
            is_alone,
            next,
            given_up,
        };
        Ok(bundles
            .into_iter()
            .map(Transaction::ReceiveMessages)
            .collect())
    }

    /// Whether the draft has a single bundle, and nothing else may be in the block.
    pub(crate) fn is_alone(&self) -> bool {
        self.draft.is_alone
    }

    pub(crate) fn is_anybody_resting(&self) -> bool {
        self.is_anybody_resting
    }

    fn gives_a_block_to_one(&self) -> bool {
        let first = self.turns.passed_over.first();
        let has_waited =
            |(origin, times): &(ChainId, u32)| *times >= MAX_PASSES && !self.tried.contains(origin);
        !self.turns.was_alone && first.is_some_and(has_waited)
    }

    /// Those who got no answer from outside are not tried again in this call: nobody is asked the same twice.
    pub(crate) fn skip_unanswered(&mut self, staged: &StagedBlock) {
        let is_unanswered = |reason: &DropReason| {
            matches!(reason, DropReason::Failed(failure)
                if FailureCause::of(failure) == FailureCause::Unanswered)
        };
        let dropped = staged.dropped.iter();
        let unanswered = dropped.filter(|(_, reason)| is_unanswered(reason));
        self.tried
            .extend(unanswered.map(|(incoming, _)| incoming.origin));
    }

    /// Notes what became of the draft.
    ///
    /// `is_behind_news`: whether news were before the bundles, and may have used up what one of them needs.
    pub(crate) fn note(
        &mut self,
        staged: &StagedBlock,
        never_reject: &BTreeSet<ApplicationId>,
        is_behind_news: bool,
    ) {
        let block = &staged.execution.executed.block;
        let included: Vec<_> = block
            .transactions
            .iter()
            .filter_map(Transaction::bundle)
            .collect();
        let first_place = included
            .iter()
            .filter_map(|incoming| self.place(incoming))
            .min();
        self.forget_decided(&included);
        let mut left = Left::default();
        for (incoming, reason) in &staged.dropped {
            let (origin, cursor) = key(incoming);
            let is_first = match reason {
                // That depends on what came behind it, too.
                DropReason::Refused(_) => included.is_empty(),
                _ => first_place.is_none_or(|first| self.place(incoming) < Some(first)),
            };
            let is_first = is_first && !is_behind_news;
            let is_rejectable = may_be_rejected(&incoming.bundle, never_reject);
            match reason {
                DropReason::AfterDropped => {}
                DropReason::Missing(data) => self.remember_known(origin, cursor, data.into()),
                DropReason::TooNew(sent) => {
                    self.remember_known(origin, cursor, WaitReason::Time(*sent));
                }
                DropReason::Failed(failure) | DropReason::Refused(failure) => {
                    // Nothing was before it that could have used up what it needs.
                    if is_first || !is_rejectable {
                        let text = shortened(&failure.to_string());
                        self.remember_known(origin, cursor, WaitReason::Failure(text));
                    }
                    if is_rejectable {
                        left.passed_over.push(origin);
                    }
                }
                _ => left.cut.push(origin),
            }
        }
        self.tried
            .extend(self.draft.order.keys().map(|(origin, _)| *origin));
        self.move_on(&left);
    }

    /// What to write with the block, or instead of one.
    pub(crate) fn take_batch(&mut self) -> Batch {
        if self.turns != self.stored_turns {
            put_turns(&mut self.batch, self.chain, &self.turns);
            self.stored_turns = self.turns.clone();
        }
        std::mem::take(&mut self.batch)
    }

    /// Bundles in the block that are rejected because they have waited long enough, or the owner said so.
    pub(crate) fn given_up(&self, staged: &StagedBlock) -> Vec<(IncomingBundle, WaitReason)> {
        let bundles = &staged.execution.executed.block.transactions;
        let bundles = bundles.iter().filter_map(Transaction::bundle);
        let rejected = bundles.filter(|incoming| incoming.action == MessageAction::Reject);
        rejected
            .filter_map(|incoming| {
                let reason = self.draft.given_up.get(&key(incoming))?;
                Some((incoming.clone(), reason.clone()))
            })
            .collect()
    }

    fn place(&self, incoming: &IncomingBundle) -> Option<usize> {
        self.draft.order.get(&key(incoming)).copied()
    }

    /// Nothing is remembered of what has left the inbox.
    fn forget_decided(&mut self, included: &[&IncomingBundle]) {
        for incoming in included {
            let (origin, cursor) = key(incoming);
            let is_about_it = |known: &Waiting| {
                known.given_up.unwrap_or(known.cursor).max(known.cursor) <= cursor
            };
            if self.draft.known.get(&origin).is_some_and(is_about_it) {
                self.draft.known.remove(&origin);
                forget_waiting(&mut self.batch, self.chain, origin);
            }
        }
        let decided: BTreeSet<_> = included.iter().map(|incoming| incoming.origin).collect();
        let places = &mut self.turns.passed_over;
        places.retain(|(origin, _)| !decided.contains(origin));
    }

    fn remember_known(&mut self, origin: ChainId, cursor: Cursor, reason: WaitReason) {
        let known = self.draft.known.get(&origin).cloned();
        self.remember(origin, cursor, known.as_ref(), reason);
    }

    /// One more try in vain. What may come at any time is tried in each turn; what failed backs off.
    fn remember(
        &mut self,
        origin: ChainId,
        cursor: Cursor,
        known: Option<&Waiting>,
        reason: WaitReason,
    ) {
        let same = known.filter(|known| known.cursor == cursor);
        let since = same.map_or(self.now, |known| known.since);
        let mut tries = same.map_or(0, |known| known.tries).saturating_add(1);
        if self.now.delta_since(since) >= self.missing_data_deadline {
            // It was tried after its deadline, too.
            tries = tries.max(self.missing_data_tries);
        }
        let failures = match reason {
            WaitReason::Failure(_) => tries,
            _ => tries.saturating_sub(self.missing_data_tries),
        };
        let waiting = Waiting {
            cursor,
            reason,
            tries,
            since,
            retry_at: self.turn + gap(failures),
            given_up: known.and_then(|known| known.given_up),
        };
        put_waiting(&mut self.batch, self.chain, origin, &waiting);
    }

    fn move_on(&mut self, left: &Left) {
        let front = self.turns.passed_over.first().map(|(origin, _)| *origin);
        let cut = left.cut.iter().find(|origin| Some(**origin) != front);
        if let Some(next) = cut.or(self.draft.next.as_ref()) {
            self.turns.next = Some(*next);
        }
        let places = &mut self.turns.passed_over;
        places.retain(|(origin, _)| {
            let is_left = left.passed_over.contains(origin) || left.cut.contains(origin);
            is_left || !(self.tried.contains(origin) || self.draft.gone.contains(origin))
        });
        for origin in &left.passed_over {
            match places.iter().position(|(other, _)| other == origin) {
                Some(place) => places[place].1 = places[place].1.saturating_add(1),
                None if places.len() < MAX_PASSED_OVER => places.push((*origin, 1)),
                None => {}
            }
        }
        self.turns.was_alone = self.draft.is_alone;
    }
}

/// Senders of bundles that are not in the block though they could be in another one.
#[derive(Default)]
struct Left {
    /// They failed where others had used up something.
    passed_over: Vec<ChainId>,
    /// The block ended before them.
    cut: Vec<ChainId>,
}

/// What becomes of a bundle when its turn comes.
struct Judge<'a> {
    config: &'a NodeConfig,
    turn: u64,
    now: Timestamp,
    latest: Timestamp,
    /// Senders of bundles that are proposed.
    proposed: BTreeSet<ChainId>,
    /// First bundles of their senders that were sent too far in the future.
    early: Vec<(ChainId, Cursor, Timestamp)>,
    /// What has waited long enough for this, unless it is here by now.
    overdue: BTreeMap<(ChainId, Cursor), WaitReason>,
    /// What is proposed to be rejected, and what it waited for.
    given_up: BTreeMap<(ChainId, Cursor), WaitReason>,
    is_anybody_resting: bool,
}

impl Judge<'_> {
    /// Whether what the bundle waits for has had the time to come.
    fn has_waited_enough(&self, bundle: &MessageBundle, waiting: &Waiting) -> bool {
        let is_missing = match waiting.reason {
            WaitReason::Blob(_) | WaitReason::Event(_) | WaitReason::Compiled(_) => true,
            WaitReason::Time(_) => bundle.timestamp > self.latest,
            WaitReason::Failure(_) | WaitReason::Nothing => false,
        };
        let waited = self.now.delta_since(waiting.since);
        is_missing
            && waiting.tries >= self.config.missing_data_tries.max(1)
            && waited >= self.config.missing_data_patience
    }
}

impl Chooser for Judge<'_> {
    fn is_resting(&mut self, cursor: Cursor, known: &Waiting) -> bool {
        let is_resting = known.cursor == cursor
            && known.given_up < Some(cursor)
            && is_resting(known.retry_at, self.turn);
        self.is_anybody_resting |= is_resting;
        is_resting
    }

    fn choose(
        &mut self,
        origin: ChainId,
        bundle: &MessageBundle,
        known: Option<&Waiting>,
    ) -> Choice {
        let cursor = bundle.cursor();
        let is_given_up = known.is_some_and(|known| known.given_up >= Some(cursor));
        let same = known.filter(|known| known.cursor == cursor);
        let never_reject = self.config.never_reject();
        let is_over = same.is_some_and(|known| self.has_waited_enough(bundle, known))
            && may_be_rejected(bundle, never_reject);
        if is_over || is_given_up && may_be_rejected(bundle, &BTreeSet::new()) {
            let reason = same.map_or(WaitReason::Nothing, |known| known.reason.clone());
            if !is_given_up && same.is_some_and(|known| known.tries < MAX_TRIES) {
                self.overdue.insert((origin, cursor), reason.clone());
            }
            self.given_up.insert((origin, cursor), reason);
            self.proposed.insert(origin);
            return Choice::Propose(MessageAction::Reject);
        }
        if bundle.timestamp > self.latest {
            if !self.proposed.contains(&origin) {
                self.early.push((origin, cursor, bundle.timestamp));
            }
            return Choice::Wait;
        }
        self.proposed.insert(origin);
        Choice::Propose(MessageAction::Accept)
    }
}

fn key(incoming: &IncomingBundle) -> (ChainId, Cursor) {
    (incoming.origin, incoming.bundle.cursor())
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(MAX_REASON_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
