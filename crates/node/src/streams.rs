//! New events on the streams that a chain's applications follow.
//!
//! What an application has seen is part of its chain's state, and how many events there are is part of the
//! state of the emitting chain. So what is new need not be remembered: whatever lies between the two numbers, also
//! after the node was stopped.
//!
//! Applications take turns, from where the last block ended. One that fails is told less at a time, and is
//! told again after 1, 2, 4 … turns; in n turns it runs at most `2 + log2(n)` times for that, and once more for each
//! halving of what it is told.

use std::collections::{BTreeMap, BTreeSet};

use resident_base::{AccountSecretKey, ApplicationId, ChainId, CryptoHash};
use resident_chain::{DropReason, StagedBlock, Transaction};
use resident_execution::{Executor, NewsBounds, SubscriberUpdate, chain_partition};
use resident_storage::{Batch, LocalTag, partition_key, wait};
use serde::{Deserialize, Serialize};

use crate::{
    error::NodeError,
    local::LocalNode,
    propose::CommittedBlock,
    turns::{gap, is_resting},
};

/// How an application has failed on its news, by its id.
const FAILING: LocalTag = LocalTag::new(65);

/// The application that is told of its news first.
const NEXT: LocalTag = LocalTag::new(66);

/// The most applications that one block tells of news.
const MAX_TOLD: usize = 64;

/// The most streams that one block tells of.
const MAX_STREAMS: usize = 10_000;

/// The most streams that one application is told of at a time.
const MAX_STREAMS_OF_ONE: usize = 1_000;

/// How often one call tries to tell of news until something is in the block. With [`MAX_TOLD`] this bounds what failing
/// applications can cost in a call.
const MAX_DRAFTS: u32 = 4;

/// The most applications that are looked at for a draft. If nothing is new for any of them, the next call goes on
/// behind them.
const MAX_ASKED: usize = 4_096;

/// After so many subscriptions no other application is looked at for a draft, either. Without that, strangers whose
/// applications follow thousands of streams without news would make every call read millions of records.
const MAX_LOOKED_AT: usize = 65_536;

/// Subscribers that are read at a time.
const PAGE: usize = 256;

impl LocalNode {
    /// Tells the chain's applications, in a new block, of new events on the streams that they follow, as
    /// far as the emitting chains are on this node. Answers with nothing if there are none, or if every
    /// application whose turn it is fails when it is told of them. [`process_inbox`](Self::process_inbox) does this too.
    pub async fn process_streams(
        &self,
        chain: ChainId,
        signer: &AccountSecretKey,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        self.take_turn(chain, signer, false).await
    }
}

/// What is remembered of an application that fails on its news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    /// How often it has failed since it last passed.
    failures: u32,
    /// The turn in which it is told again.
    retry_at: u64,
    /// How many events it is told of then.
    max_events: u32,
}

/// The news of one call, which may try several drafts until one has something in it.
pub(crate) struct NewsTurn {
    chain: ChainId,
    turn: u64,
    max_events: u32,
    next: Option<ApplicationId>,
    drafts_left: u32,
    /// Applications that cannot do any more in this call.
    tried: BTreeSet<ApplicationId>,
    /// What is known of those that were found, and what is new about it.
    failing: BTreeMap<ApplicationId, Failing>,
    /// The applications of the draft with the number of events that they are told of, and who would be next.
    draft: BTreeMap<ApplicationId, u32>,
    draft_next: Option<ApplicationId>,
    /// Whether an application was left out that has failed.
    is_anybody_resting: bool,
    batch: Batch,
}

/// What was found for a draft.
struct Found {
    /// With the number of events in each.
    updates: Vec<(SubscriberUpdate, u32)>,
    failing: BTreeMap<ApplicationId, Failing>,
    next: Option<ApplicationId>,
    is_anybody_resting: bool,
}

impl NewsTurn {
    pub(crate) async fn begin(
        node: &LocalNode,
        chain: ChainId,
        turn: u64,
    ) -> Result<Self, NodeError> {
        let next = node.store().read(&next_key(chain)).await?;
        Ok(Self {
            chain,
            turn,
            max_events: node.config.max_new_events.max(1),
            next: next.map(|bytes| decode(&bytes)).transpose()?,
            drafts_left: MAX_DRAFTS,
            tried: BTreeSet::new(),
            failing: BTreeMap::new(),
            draft: BTreeMap::new(),
            draft_next: None,
            is_anybody_resting: false,
            batch: Batch::new(),
        })
    }

    /// What is new for those whose turn it is, as the transactions of a block: one for each application.
    pub(crate) async fn updates(
        &mut self,
        node: &LocalNode,
    ) -> Result<Vec<Transaction>, NodeError> {
        self.draft.clear();
        self.draft_next = None;
        if self.drafts_left == 0 {
            return Ok(Vec::new());
        }
        let search = Search {
            executor: node.executor.clone(),
            chain: self.chain,
            turn: self.turn,
            max_events: self.max_events,
            tried: self.tried.clone(),
            retries: self.failing.clone(),
            found: Found {
                updates: Vec::new(),
                failing: BTreeMap::new(),
                next: None,
                is_anybody_resting: false,
            },
            streams_left: MAX_STREAMS,
            asked_left: MAX_ASKED,
            looks_left: MAX_LOOKED_AT,
        };
        let next = self.next;
        let found = node.pool.run(move || search.run(next)).await??;
        self.failing.extend(found.failing);
        self.draft_next = found.next;
        self.is_anybody_resting |= found.is_anybody_resting;
        let counts = found.updates.iter();
        self.draft
            .extend(counts.map(|(update, events)| (update.subscriber, *events)));
        match self.draft.is_empty() {
            true => self.move_on(self.draft_next),
            false => self.drafts_left -= 1,
        }
        let updates = found.updates.into_iter();
        Ok(updates
            .map(|(update, _)| Transaction::UpdateStreams(update))
            .collect())
    }

    /// Nothing became of the draft: its block is not used.
    pub(crate) fn put_off(&mut self) {
        if !self.draft.is_empty() {
            self.draft.clear();
            self.drafts_left += 1;
        }
    }

    /// As [`put_off`](Self::put_off), and those that failed on their own are not told the same again in this call.
    pub(crate) fn put_off_after(&mut self, staged: &StagedBlock) {
        let mut has_failed = false;
        for (update, reason) in &staged.dropped_updates {
            if let DropReason::Failed(failure) = reason
                && !failure.may_pass_later()
            {
                self.fail(update, failure.is_limit());
                has_failed = true;
            }
        }
        match has_failed {
            true => self.draft.clear(),
            false => self.put_off(),
        }
    }

    /// Notes what became of the draft.
    pub(crate) fn note(&mut self, staged: &StagedBlock) {
        let mut waiting: BTreeSet<_> = self.draft.keys().copied().collect();
        let mut cut = None;
        for (update, reason) in &staged.dropped_updates {
            let subscriber = update.subscriber;
            waiting.remove(&subscriber);
            match reason {
                // Others left no room, which says nothing about this one.
                DropReason::Failed(failure) if failure.may_pass_later() => {
                    self.tried.insert(subscriber);
                    cut.get_or_insert(subscriber);
                }
                DropReason::Failed(failure) => self.fail(update, failure.is_limit()),
                DropReason::Refused(_) | DropReason::Missing(_) => self.fail(update, false),
                _ => {
                    self.tried.insert(subscriber);
                    cut.get_or_insert(subscriber);
                }
            }
        }
        for passed in waiting {
            self.pass(passed);
        }
        self.move_on(cut.or(self.draft_next));
    }

    pub(crate) fn is_anybody_resting(&self) -> bool {
        self.is_anybody_resting
    }

    fn move_on(&mut self, next: Option<ApplicationId>) {
        if let Some(next) = next.filter(|next| self.next != Some(*next)) {
            self.next = Some(next);
            self.batch.put(next_key(self.chain), encode(&next));
        }
    }

    pub(crate) fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// It is told less the next time: in this call, if that may be enough.
    fn fail(&mut self, update: &SubscriberUpdate, is_too_much: bool) {
        let subscriber = update.subscriber;
        let known = self.failing.get(&subscriber);
        // However often it is told less and less in one call, it has failed once.
        let is_again = known.is_some_and(|known| known.retry_at > self.turn);
        let failures = known.map_or(0, |known| known.failures);
        let failures = failures.saturating_add(u32::from(!is_again));
        let told = self.draft.get(&subscriber).copied().unwrap_or(1);
        if told <= 1 || !is_too_much {
            self.tried.insert(subscriber);
        }
        let failing = Failing {
            failures,
            retry_at: self.turn + gap(failures),
            max_events: (told / 2).max(1),
        };
        let key = failing_key(self.chain, subscriber);
        self.batch.put(key, encode(&failing));
        self.failing.insert(subscriber, failing);
    }

    /// It is told more again, step by step.
    fn pass(&mut self, subscriber: ApplicationId) {
        let Some(known) = self.failing.remove(&subscriber) else {
            return;
        };
        let key = failing_key(self.chain, subscriber);
        match known.max_events.saturating_mul(2) {
            max_events if max_events < self.max_events => {
                let failing = Failing {
                    failures: 0,
                    retry_at: 0,
                    max_events,
                };
                self.batch.put(key, encode(&failing));
            }
            _ => self.batch.delete(key),
        }
    }
}

/// Looks for news. Waits for the store, so this is for the node's own threads.
struct Search {
    executor: Executor,
    chain: ChainId,
    turn: u64,
    max_events: u32,
    tried: BTreeSet<ApplicationId>,
    /// Those that failed in this call and are told less.
    retries: BTreeMap<ApplicationId, Failing>,
    found: Found,
    streams_left: usize,
    asked_left: usize,
    looks_left: usize,
}

impl Search {
    fn run(mut self, next: Option<ApplicationId>) -> Result<Found, NodeError> {
        if !self.search(next.and_then(preceding), None)? && next.is_some() {
            self.search(None, next)?;
        }
        Ok(self.found)
    }

    /// Answers whether no more fits.
    fn search(
        &mut self,
        mut after: Option<ApplicationId>,
        end: Option<ApplicationId>,
    ) -> Result<bool, NodeError> {
        loop {
            let page = self.executor.subscribers(self.chain, after, PAGE)?;
            let Some(last) = page.last().copied() else {
                return Ok(false);
            };
            let keys = page
                .iter()
                .map(|subscriber| failing_key(self.chain, *subscriber));
            let known = wait(self.executor.store().read_many(keys.collect()))?;
            for (subscriber, known) in page.into_iter().zip(known) {
                if end.is_some_and(|end| subscriber >= end) {
                    return Ok(false);
                }
                if self.is_full() {
                    self.found.next = Some(subscriber);
                    return Ok(true);
                }
                let known = known.map(|bytes| decode(&bytes)).transpose()?;
                self.ask(subscriber, known)?;
            }
            after = Some(last);
        }
    }

    fn is_full(&self) -> bool {
        self.found.updates.len() >= MAX_TOLD
            || [self.streams_left, self.asked_left, self.looks_left].contains(&0)
    }

    fn ask(&mut self, subscriber: ApplicationId, stored: Option<Failing>) -> Result<(), NodeError> {
        if self.tried.contains(&subscriber) {
            return Ok(());
        }
        let retry = self.retries.get(&subscriber).cloned();
        if retry.is_none()
            && stored
                .as_ref()
                .is_some_and(|it| is_resting(it.retry_at, self.turn))
        {
            self.found.is_anybody_resting = true;
            return Ok(());
        }
        let known = retry.or(stored);
        let bounds = NewsBounds {
            max_streams: MAX_STREAMS_OF_ONE.min(self.streams_left),
            max_events: known.as_ref().map_or(self.max_events, |it| it.max_events),
            rotation: self.turn,
        };
        self.asked_left -= 1;
        let news = self.executor.news_for(self.chain, subscriber, &bounds)?;
        self.looks_left = self.looks_left.saturating_sub(news.looked_at);
        let Some((update, events)) = news.update else {
            return Ok(());
        };
        self.streams_left -= update.streams.len();
        self.found.updates.push((update, events));
        if let Some(known) = known {
            self.found.failing.insert(subscriber, known);
        }
        Ok(())
    }
}

fn failing_key(chain: ChainId, subscriber: ApplicationId) -> Vec<u8> {
    let hash = subscriber.application_description_hash;
    partition_key(&chain_partition(chain), FAILING, hash.as_bytes())
}

fn next_key(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), NEXT, &[])
}

/// The id before this one; none before the first.
fn preceding(id: ApplicationId) -> Option<ApplicationId> {
    let mut bytes = *id.application_description_hash.as_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != u8::MAX {
            return Some(ApplicationId::new(CryptoHash::from(bytes)));
        }
    }
    None
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    bcs::to_bytes(record).expect("records of the node have a BCS encoding")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, NodeError> {
    let what = "news that could not be told";
    bcs::from_bytes(bytes).map_err(|_| NodeError::DamagedRecord { what })
}
