//! Reading an inbox in turns: one bundle of each sender, then the second of each, and so on.
//!
//! The order of ids, which senders choose, decides nothing: reading starts where the last block ended, and in front of
//! it comes one for whom a block had no room. What a sender has beyond its turn is not read, so that nobody's bundles lie
//! before those of others, however many or large they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use resident_base::{BlockHeight, ChainId, CryptoHash};
use resident_execution::Fault;
use resident_storage::{Batch, KeyValueStore};

use crate::{
    Cursor, IncomingBundle, MAX_BLOCK_BYTES, MAX_INBOX_PAGE, MessageAction, MessageBundle, Turns,
    Waiting, inbox, records, waiting,
};

/// Keys of bundles that are read at a time while senders are looked for.
const SEARCH_PAGE: usize = 64;

/// Bundles of one sender that are read at a time, at most.
const MAX_SENDER_PAGE: usize = 1024;

/// About how many bytes of bundles are kept for later rounds. Others are read again when their turn comes.
const MAX_BUFFERED_BYTES: usize = MAX_BLOCK_BYTES;

/// The most bundles that one call finds to have left the inbox already. The rest is found in the next.
const MAX_STALE: usize = 4096;

/// What a node does with a bundle when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Propose it with this action.
    Propose(MessageAction),
    /// Leave it, and the later ones of its sender, for another time.
    Wait,
}

/// How to read an inbox.
pub struct TurnRequest<'a> {
    /// The most bundles, at least one. Their bytes are bounded by what a block can take.
    pub limit: usize,
    /// Whose turn it is.
    pub turns: &'a Turns,
    /// Senders that are left out.
    pub skip: &'a BTreeSet<ChainId>,
}

/// The bundles whose turn it was.
#[derive(Debug, Default)]
pub struct TakenTurns {
    /// In the order in which they are proposed. Those of one sender are in the order of their cursors.
    pub bundles: Vec<IncomingBundle>,
    /// What was known of their senders, and of those that wait.
    pub known: BTreeMap<ChainId, Waiting>,
    /// Senders that have a place in front, and nothing to propose.
    pub gone: Vec<ChainId>,
    /// Who comes after these; nobody, if there is nothing else in the inbox.
    pub next: Option<ChainId>,
    /// Removes bundles from the inbox that a block took before they arrived here.
    pub stale: Batch,
}

/// Decides what becomes of bundles, knowing what is remembered of their senders.
pub trait Chooser: Send {
    /// Whether this bundle waits, whatever is in it.
    fn is_resting(&mut self, cursor: Cursor, known: &Waiting) -> bool;

    /// What becomes of the bundle.
    fn choose(
        &mut self,
        origin: ChainId,
        bundle: &MessageBundle,
        known: Option<&Waiting>,
    ) -> Choice;
}

pub(crate) async fn take_turns(
    store: &dyn KeyValueStore,
    chain: ChainId,
    request: &TurnRequest<'_>,
    chooser: &mut dyn Chooser,
) -> Result<TakenTurns, Fault> {
    let mut taking = Taking {
        store,
        chain,
        limit: request.limit.clamp(1, MAX_INBOX_PAGE),
        skip: request.skip,
        chooser,
        passed_over: None,
        last_asked: None,
        active: VecDeque::new(),
        taken: TakenTurns::default(),
        taken_bytes: 0,
        buffered_bytes: 0,
    };
    taking.ask_passed_over(&request.turns.passed_over).await?;
    let start = request.turns.next;
    taking.search(start, None).await?;
    if start.is_some() {
        taking.search(None, start).await?;
    }
    taking.go_round().await?;
    Ok(taking.taken)
}

/// A sender, and what was read of it and not taken.
struct Sender {
    origin: ChainId,
    is_passed_over: bool,
    /// Encoded bundles behind `last`.
    queue: VecDeque<(Cursor, Vec<u8>)>,
    /// The last bundle that was taken, here or by a block.
    last: Option<Cursor>,
    /// How many bundles were taken.
    count: usize,
    /// Whether there is nothing behind the queue.
    is_all: bool,
}

/// A sender and the first of its bundles.
struct Found {
    origin: ChainId,
    cursors: Vec<Cursor>,
    is_passed_over: bool,
    /// Whether it has no others.
    is_all: bool,
}

struct Taking<'a> {
    store: &'a dyn KeyValueStore,
    chain: ChainId,
    limit: usize,
    skip: &'a BTreeSet<ChainId>,
    chooser: &'a mut dyn Chooser,
    /// The sender that came first, and is not asked twice.
    passed_over: Option<ChainId>,
    /// Of the others.
    last_asked: Option<ChainId>,
    active: VecDeque<Sender>,
    taken: TakenTurns,
    taken_bytes: usize,
    buffered_bytes: usize,
}

impl Taking<'_> {
    fn is_full(&self) -> bool {
        self.taken.bundles.len() >= self.limit || self.taken_bytes >= MAX_BLOCK_BYTES
    }

    /// One of those who were passed over goes first. More of them could take the block from everybody else again.
    async fn ask_passed_over(&mut self, senders: &[(ChainId, u32)]) -> Result<(), Fault> {
        for (origin, _) in senders {
            if !self.skip.contains(origin) {
                self.passed_over = Some(*origin);
                let first = Found {
                    origin: *origin,
                    cursors: Vec::new(),
                    is_passed_over: true,
                    is_all: false,
                };
                self.ask_first(vec![first]).await?;
            }
            if !self.taken.bundles.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Asks every sender from `start` on and before `end` for its first bundle.
    async fn search(&mut self, start: Option<ChainId>, end: Option<ChainId>) -> Result<(), Fault> {
        let prefix = records::inbox_prefix(self.chain);
        // Shorter than the keys of that sender, and so before all of them.
        let mut after = start.map(|origin| records::inbox_prefix_from(self.chain, origin));
        loop {
            if self.is_full() {
                let first = start.unwrap_or(ChainId(CryptoHash::from([0; 32])));
                let next = self.last_asked.map_or(first, following);
                self.taken.next.get_or_insert(next);
                return Ok(());
            }
            let page = self
                .store
                .scan_keys(&prefix, after.as_deref(), SEARCH_PAGE)
                .await?;
            let mut found = group(&page.entries, prefix.len(), page.is_last)?;
            let Some(last) = found.last().map(|found| found.origin) else {
                return Ok(());
            };
            found.retain(|found| end.is_none_or(|end| found.origin < end) && self.is_asked(found));
            if let Some(left) = self.ask_first(found).await? {
                self.taken.next.get_or_insert(left);
                return Ok(());
            }
            if page.is_last || end.is_some_and(|end| last >= end) {
                return Ok(());
            }
            after = Some(records::inbox_key(self.chain, last, LAST));
        }
    }

    fn is_asked(&self, found: &Found) -> bool {
        !self.skip.contains(&found.origin) && self.passed_over != Some(found.origin)
    }

    /// Takes the first bundle of each of these senders. Answers with the first one that there was no room for.
    async fn ask_first(&mut self, found: Vec<Found>) -> Result<Option<ChainId>, Fault> {
        let keys = found.iter().flat_map(|found| {
            [
                records::consumed_local_key(self.chain, found.origin),
                records::waiting_key(self.chain, found.origin),
            ]
        });
        let mut remembered = self.store.read_many(keys.collect()).await?.into_iter();
        for found in found {
            if self.is_full() {
                return Ok(Some(found.origin));
            }
            if !found.is_passed_over {
                self.last_asked = Some(found.origin);
            }
            let consumed = remembered.next().flatten();
            let known = remembered.next().flatten();
            if let Some(known) = waiting::decode(known.as_deref())? {
                self.taken.known.insert(found.origin, known);
            }
            let consumed = inbox::decode_cursor(consumed.as_deref())?;
            let mut sender = self.first_of(found, consumed).await?;
            if self.take_one(&mut sender).await? {
                self.keep(sender);
            } else if sender.is_passed_over {
                self.taken.gone.push(sender.origin);
            }
        }
        Ok(None)
    }

    /// Reads the first bundle that no block has taken. Those that a block took before they arrived here stayed
    /// behind, and go.
    async fn first_of(&mut self, found: Found, consumed: Option<Cursor>) -> Result<Sender, Fault> {
        let Found {
            origin,
            cursors,
            is_passed_over,
            is_all,
        } = found;
        let is_stale = |cursor: &&Cursor| consumed.is_some_and(|consumed| **cursor <= consumed);
        for cursor in cursors.iter().take_while(is_stale) {
            if self.taken.stale.len() < MAX_STALE {
                let key = records::inbox_key(self.chain, origin, *cursor);
                self.taken.stale.delete(key);
            }
        }
        let first = cursors.iter().find(|cursor| !is_stale(cursor));
        let mut queue = VecDeque::new();
        if let Some(cursor) = first.filter(|cursor| !self.is_resting(origin, **cursor)) {
            let key = records::inbox_key(self.chain, origin, *cursor);
            queue.extend(self.store.read(&key).await?.map(|record| (*cursor, record)));
        }
        let is_resting = first.is_some() && queue.is_empty();
        Ok(Sender {
            origin,
            is_passed_over,
            queue,
            last: consumed,
            count: 0,
            is_all: is_resting || is_all && cursors.last() == first || is_all && first.is_none(),
        })
    }

    fn is_resting(&mut self, origin: ChainId, cursor: Cursor) -> bool {
        let known = self.taken.known.get(&origin);
        known.is_some_and(|known| self.chooser.is_resting(cursor, known))
    }

    /// Keeps what was read of a sender for the next round, as far as there is room for it.
    fn keep(&mut self, mut sender: Sender) {
        let mut kept = 0;
        for (_, record) in &sender.queue {
            if self.buffered_bytes + record.len() > MAX_BUFFERED_BYTES {
                break;
            }
            self.buffered_bytes += record.len();
            kept += 1;
        }
        if kept < sender.queue.len() {
            sender.queue.truncate(kept);
            sender.is_all = false;
        }
        if !sender.is_done() {
            self.active.push_back(sender);
        }
    }

    /// The second bundle of everybody, and so on.
    async fn go_round(&mut self) -> Result<(), Fault> {
        while !self.is_full() {
            let Some(mut sender) = self.active.pop_front() else {
                return Ok(());
            };
            let buffered = sender.queued_bytes();
            let goes_on = self.take_one(&mut sender).await?;
            self.buffered_bytes -= buffered;
            if goes_on {
                self.keep(sender);
            }
        }
        let mut others = self.active.iter().filter(|sender| !sender.is_passed_over);
        if let Some(sender) = others.next() {
            self.taken.next.get_or_insert(sender.origin);
        }
        Ok(())
    }

    /// Takes the sender's next bundle. Answers whether the sender may go on.
    async fn take_one(&mut self, sender: &mut Sender) -> Result<bool, Fault> {
        if sender.queue.is_empty() && !sender.is_all {
            self.read_more(sender).await?;
        }
        let Some((cursor, record)) = sender.queue.pop_front() else {
            return Ok(false);
        };
        let known = self.taken.known.get(&sender.origin);
        if known.is_some_and(|known| self.chooser.is_resting(cursor, known)) {
            return Ok(false);
        }
        let bundle: MessageBundle = records::decode("a waiting bundle", &record)?;
        let choice = self.chooser.choose(sender.origin, &bundle, known);
        let Choice::Propose(action) = choice else {
            return Ok(false);
        };
        sender.last = Some(cursor);
        sender.count += 1;
        self.taken_bytes += record.len();
        self.taken.bundles.push(IncomingBundle {
            origin: sender.origin,
            bundle,
            action,
        });
        Ok(true)
    }

    /// Twice as many each time, so that what is read in vain is less than what is taken.
    async fn read_more(&self, sender: &mut Sender) -> Result<(), Fault> {
        let prefix = records::inbox_prefix_from(self.chain, sender.origin);
        let after = sender
            .last
            .map(|cursor| records::inbox_key(self.chain, sender.origin, cursor));
        let limit = (2 * sender.count).clamp(1, MAX_SENDER_PAGE);
        let page = self.store.scan(&prefix, after.as_deref(), limit).await?;
        sender.is_all = page.is_last;
        let skipped = records::inbox_prefix(self.chain).len();
        for (key, record) in page.entries {
            let (_, cursor) = records::position(&key[skipped..])?;
            sender.queue.push_back((cursor, record));
        }
        Ok(())
    }
}

impl Sender {
    fn is_done(&self) -> bool {
        self.is_all && self.queue.is_empty()
    }

    fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|(_, record)| record.len()).sum()
    }
}

/// The senders of a page. Behind the last one there may be more of the same.
fn group(keys: &[Vec<u8>], prefix_bytes: usize, is_last: bool) -> Result<Vec<Found>, Fault> {
    let mut senders: Vec<Found> = Vec::new();
    for key in keys {
        let (origin, cursor) = records::position(&key[prefix_bytes..])?;
        match senders.last_mut().filter(|last| last.origin == origin) {
            Some(last) => last.cursors.push(cursor),
            None => senders.push(Found {
                origin,
                cursors: vec![cursor],
                is_passed_over: false,
                is_all: true,
            }),
        }
    }
    if let Some(last) = senders.last_mut() {
        last.is_all = is_last;
    }
    Ok(senders)
}

/// The position behind all bundles of a sender.
const LAST: Cursor = Cursor {
    height: BlockHeight(u64::MAX),
    index: u32::MAX,
};

/// The next id in their order; after the last the first. Need not be that of a chain.
fn following(chain: ChainId) -> ChainId {
    let mut bytes = *chain.0.as_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    ChainId(CryptoHash::from(bytes))
}

#[cfg(test)]
mod tests;
