//! Event streams as the store has them: events, how many there are of each stream, and who follows it.
//!
//! An event lies under a key of its own, outside of all partitions, because every chain of the store may
//! read it. It is written with the block that emitted it and never changed.
//!
//! What a chain knows of streams is part of its hashed state. Numbers are little-endian; a stream is
//! written as the application (a zero, or a one and its id), the length of the name in two bytes, and the name.
//!
//! | tag | key | value |
//! |---|---|---|
//! | `10` | stream | how many events this chain has emitted to it |
//! | `11` | subscriber, emitting chain, stream | how many of its events the subscriber was told of |
//! | `12` | subscriber | how many streams it follows |

use resident_base::{
    ApplicationId, ChainId, CryptoHash, Event, EventId, GenericApplicationId, StreamId, StreamName,
};
use resident_storage::{Batch, Journal, Namespace, partition_state_key, wait};

use crate::{Executor, Fault, StreamHead, SubscriberUpdate, chain_partition};

/// The longest name that a stream can have, whatever the policy says: keys are bounded.
pub const MAX_STREAM_NAME_BYTES: usize = 1024;

/// Subscriptions that are read at a time.
const PAGE: usize = 1024;

const EVENT_TAG: u8 = 0x03;

const COUNT_TAG: u8 = 0x10;
const SUBSCRIPTION_TAG: u8 = 0x11;
const SUBSCRIPTIONS_TAG: u8 = 0x12;

const HASH_BYTES: usize = 32;

/// Adds an event to a batch, under the key by which every chain of the store finds it.
pub fn put_event(batch: &mut Batch, chain_id: ChainId, event: &Event) {
    batch.put(event_key(&event.id(chain_id)), event.value.clone());
}

impl Executor {
    /// What was emitted as this event, if it is in the store. Waits for the store on the calling thread.
    ///
    /// # Errors
    /// If the store fails.
    pub fn read_event(&self, id: &EventId) -> Result<Option<Vec<u8>>, Fault> {
        if id.stream_id.stream_name.0.len() > MAX_STREAM_NAME_BYTES {
            return Ok(None);
        }
        Ok(wait(self.store().read(&event_key(id)))?)
    }

    /// Whether an event is in the store. Does not read it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn has_event(&self, id: &EventId) -> Result<bool, Fault> {
        if id.stream_id.stream_name.0.len() > MAX_STREAM_NAME_BYTES {
            return Ok(false);
        }
        self.has_record(&event_key(id)).await
    }

    /// How many events a chain has emitted to a stream, as far as its blocks are in the store.
    ///
    /// # Errors
    /// If the store fails.
    pub fn event_count(&self, chain_id: ChainId, stream_id: &StreamId) -> Result<u32, Fault> {
        let record = wait(self.store().read(&stored_count_key(chain_id, stream_id)))?;
        decode_number(record.as_deref()).map(Option::unwrap_or_default)
    }

    /// The chain's applications that follow streams, in the order of their ids, from behind one on: at most `limit`.
    ///
    /// # Errors
    /// If the store fails.
    pub fn subscribers(
        &self,
        chain_id: ChainId,
        after: Option<ApplicationId>,
        limit: usize,
    ) -> Result<Vec<ApplicationId>, Fault> {
        let partition = chain_partition(chain_id);
        let stored = |key: &[u8]| partition_state_key(&partition, Namespace::System, key);
        let prefix = stored(&[SUBSCRIPTIONS_TAG]);
        let after = after.map(|subscriber| stored(&subscriptions_key(subscriber)));
        let page = wait(self.store().scan_keys(&prefix, after.as_deref(), limit))?;
        let keys = page.entries.iter();
        keys.map(|key| match split_hash(&key[prefix.len()..]) {
            Some((hash, [])) => Ok(ApplicationId::new(hash)),
            _ => Err(damaged(key.len())),
        })
        .collect()
    }

    /// What an application has not been told yet of the streams that it follows, within bounds. All streams get the
    /// same share, as far as they have as much; the rotation chooses those that come first where not everyone gets one.
    ///
    /// # Errors
    /// If the store fails.
    pub fn news_for(
        &self,
        chain_id: ChainId,
        subscriber: ApplicationId,
        bounds: &NewsBounds,
    ) -> Result<NewsFound, Fault> {
        let (mut new, mut looked_at) = (Vec::new(), 0);
        self.each_subscription(chain_id, Some(subscriber), |subscription, count| {
            looked_at += 1;
            if count > subscription.position {
                new.push((subscription, count));
            }
            true
        })?;
        let (streams, events) = share(new, bounds);
        let update = SubscriberUpdate {
            subscriber,
            streams,
        };
        Ok(NewsFound {
            update: (events > 0).then_some((update, events)),
            looked_at,
        })
    }

    /// What the chain's applications have not been told yet of the streams that they follow: for each of
    /// them, in the order of their ids, at most `max_events` events of any number of streams. Stops after
    /// `max_streams` streams.
    ///
    /// # Errors
    /// If the store fails.
    pub fn new_events(
        &self,
        chain_id: ChainId,
        max_streams: usize,
        max_events: u32,
    ) -> Result<Vec<SubscriberUpdate>, Fault> {
        let mut news = News::new(max_streams, max_events);
        self.each_subscription(chain_id, None, |subscription, count| {
            news.add(subscription, count);
            !news.is_full()
        })?;
        Ok(news.updates)
    }

    /// All subscriptions of a chain, or of one of its applications, with how many events there are, until `visit`
    /// has seen enough.
    fn each_subscription(
        &self,
        chain_id: ChainId,
        subscriber: Option<ApplicationId>,
        mut visit: impl FnMut(Subscription, u32) -> bool,
    ) -> Result<(), Fault> {
        let partition = chain_partition(chain_id);
        let all = partition_state_key(&partition, Namespace::System, &[SUBSCRIPTION_TAG]);
        let hash = subscriber.map(|subscriber| subscriber.application_description_hash);
        let prefix = match &hash {
            Some(hash) => [all.as_slice(), hash.as_bytes()].concat(),
            None => all.clone(),
        };
        let mut after = None;
        loop {
            let page = wait(self.store().scan(&prefix, after.as_deref(), PAGE))?;
            let mut subscriptions = Vec::with_capacity(page.entries.len());
            for (key, position) in &page.entries {
                subscriptions.push(Subscription::decode(&key[all.len()..], position)?);
            }
            let keys = subscriptions.iter().map(Subscription::stored_count_key);
            let counts = wait(self.store().read_many(keys.collect()))?;
            for (subscription, count) in subscriptions.into_iter().zip(&counts) {
                let count = decode_number(count.as_deref())?.unwrap_or_default();
                if !visit(subscription, count) {
                    return Ok(());
                }
            }
            after = page.entries.into_iter().next_back().map(|(key, _)| key);
            if page.is_last || after.is_none() {
                return Ok(());
            }
        }
    }
}

/// What is new for an application.
#[derive(Clone, Debug)]
pub struct NewsFound {
    /// What it is to be told, with the number of events; none if it knows everything.
    pub update: Option<(SubscriberUpdate, u32)>,
    /// How many of its subscriptions were looked at: all of them.
    pub looked_at: usize,
}

/// How much one application is told at a time.
#[derive(Clone, Copy, Debug)]
pub struct NewsBounds {
    /// The most streams.
    pub max_streams: usize,
    /// The most events. At least one.
    pub max_events: u32,
    /// Counts the times that somebody asked.
    pub rotation: u64,
}

/// Shares what may be told between streams: nobody gets more than an equal part as long as others want it.
fn share(mut new: Vec<(Subscription, u32)>, bounds: &NewsBounds) -> (Vec<StreamHead>, u32) {
    let max_events = bounds.max_events.max(1);
    let mut events_left = max_events;
    let most = usize::try_from(events_left).unwrap_or(usize::MAX);
    let most = most.min(bounds.max_streams);
    if new.len() > most {
        let first = bounds.rotation.wrapping_mul(most as u64) % new.len() as u64;
        new.rotate_left(usize::try_from(first).unwrap_or_default());
        new.truncate(most);
    }
    // Whoever wants least comes first, and leaves the rest to those who want more.
    new.sort_by_key(|(subscription, count)| count - subscription.position);
    let mut streams_left = u32::try_from(new.len()).unwrap_or(u32::MAX);
    let mut heads = Vec::with_capacity(new.len());
    for (subscription, count) in new {
        let told = (count - subscription.position).min(events_left / streams_left);
        events_left -= told;
        streams_left -= 1;
        heads.push(StreamHead {
            next_index: subscription.position + told,
            chain_id: subscription.chain_id,
            stream_id: subscription.stream_id,
        });
    }
    heads.sort_by(|a, b| (a.chain_id, &a.stream_id).cmp(&(b.chain_id, &b.stream_id)));
    (heads, max_events - events_left)
}

/// New events, by subscriber.
struct News {
    updates: Vec<SubscriberUpdate>,
    streams_left: usize,
    max_events: u32,
    /// For the last subscriber.
    events_left: u32,
}

impl News {
    fn new(max_streams: usize, max_events: u32) -> Self {
        Self {
            updates: Vec::new(),
            streams_left: max_streams,
            max_events,
            events_left: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.streams_left == 0
    }

    /// Subscriptions come sorted by subscriber.
    fn add(&mut self, subscription: Subscription, count: u32) {
        let Subscription {
            subscriber,
            chain_id,
            stream_id,
            position,
        } = subscription;
        if count <= position || self.is_full() {
            return;
        }
        if self
            .updates
            .last()
            .is_none_or(|last| last.subscriber != subscriber)
        {
            let streams = Vec::new();
            self.updates.push(SubscriberUpdate {
                subscriber,
                streams,
            });
            self.events_left = self.max_events.max(1);
        }
        let new = (count - position).min(self.events_left);
        let Some(update) = self.updates.last_mut().filter(|_| new > 0) else {
            return;
        };
        self.events_left -= new;
        self.streams_left -= 1;
        update.streams.push(StreamHead {
            chain_id,
            stream_id,
            next_index: position + new,
        });
    }
}

/// That an application follows a stream, and how far it has come.
#[derive(Debug, PartialEq, Eq)]
struct Subscription {
    subscriber: ApplicationId,
    chain_id: ChainId,
    stream_id: StreamId,
    position: u32,
}

impl Subscription {
    /// From the key behind the tag, and its value.
    fn decode(key: &[u8], position: &[u8]) -> Result<Self, Fault> {
        let decoded = || {
            let (subscriber, rest) = split_hash(key)?;
            let (chain, rest) = split_hash(rest)?;
            Some((
                ApplicationId::new(subscriber),
                ChainId(chain),
                decode_stream(rest)?,
            ))
        };
        let (subscriber, chain_id, stream_id) = decoded().ok_or_else(|| damaged(key.len()))?;
        Ok(Self {
            subscriber,
            chain_id,
            stream_id,
            position: decode_number(Some(position))?.unwrap_or_default(),
        })
    }

    fn stored_count_key(&self) -> Vec<u8> {
        stored_count_key(self.chain_id, &self.stream_id)
    }
}

fn stored_count_key(chain_id: ChainId, stream_id: &StreamId) -> Vec<u8> {
    let partition = chain_partition(chain_id);
    partition_state_key(&partition, Namespace::System, &count_key(stream_id))
}

fn event_key(id: &EventId) -> Vec<u8> {
    let mut key = vec![EVENT_TAG];
    key.extend(id.chain_id.0.as_bytes());
    encode_stream(&id.stream_id, &mut key);
    key.extend(id.index.to_be_bytes());
    key
}

/// The key, in the chain's state, of the number of events that it has emitted to a stream.
pub(crate) fn count_key(stream_id: &StreamId) -> Vec<u8> {
    let mut key = vec![COUNT_TAG];
    encode_stream(stream_id, &mut key);
    key
}

/// The key, in the chain's state, of how far a subscriber has come in a stream.
pub(crate) fn subscription_key(
    subscriber: ApplicationId,
    chain_id: ChainId,
    stream_id: &StreamId,
) -> Vec<u8> {
    let mut key = vec![SUBSCRIPTION_TAG];
    key.extend(subscriber.application_description_hash.as_bytes());
    key.extend(chain_id.0.as_bytes());
    encode_stream(stream_id, &mut key);
    key
}

/// The key, in the chain's state, of the number of streams that a subscriber follows.
pub(crate) fn subscriptions_key(subscriber: ApplicationId) -> Vec<u8> {
    let hash = subscriber.application_description_hash;
    [&[SUBSCRIPTIONS_TAG], hash.as_bytes().as_slice()].concat()
}

/// A number in the chain's state, if it is there.
pub(crate) fn read_number(journal: &mut Journal, key: &[u8]) -> Result<Option<u32>, crate::Stop> {
    let record = journal.read(Namespace::System, key)?;
    Ok(decode_number(record.as_deref())?)
}

pub(crate) fn write_number(
    journal: &mut Journal,
    key: &[u8],
    number: u32,
) -> Result<(), crate::Stop> {
    Ok(journal.put(Namespace::System, key, number.to_le_bytes().to_vec())?)
}

fn decode_number(record: Option<&[u8]>) -> Result<Option<u32>, Fault> {
    let decode = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map_err(|_| damaged(bytes.len()));
    Ok(record.map(decode).transpose()?.map(u32::from_le_bytes))
}

fn damaged(bytes: usize) -> Fault {
    Fault::Damaged {
        what: "an event stream",
        reason: format!("a key or a number has {bytes} bytes"),
    }
}

/// No encoding is the beginning of another one.
fn encode_stream(stream_id: &StreamId, key: &mut Vec<u8>) {
    match stream_id.application_id {
        GenericApplicationId::System => key.push(0),
        GenericApplicationId::User(id) => {
            key.push(1);
            key.extend(id.application_description_hash.as_bytes());
        }
    }
    let name = &stream_id.stream_name.0;
    // A longer name makes a key that no store takes, so its length is never told.
    key.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend(name);
}

fn decode_stream(key: &[u8]) -> Option<StreamId> {
    let (application_id, rest) = match key.split_first()? {
        (0, rest) => (GenericApplicationId::System, rest),
        (1, rest) => {
            let (hash, rest) = split_hash(rest)?;
            let id: ApplicationId = ApplicationId::new(hash);
            (id.into(), rest)
        }
        _ => return None,
    };
    let (length, name) = rest.split_first_chunk()?;
    (name.len() == usize::from(u16::from_be_bytes(*length))).then(|| StreamId {
        application_id,
        stream_name: StreamName::from(name),
    })
}

fn split_hash(bytes: &[u8]) -> Option<(CryptoHash, &[u8])> {
    let (hash, rest) = bytes.split_first_chunk::<HASH_BYTES>()?;
    Some((CryptoHash::from(*hash), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> CryptoHash {
        CryptoHash::from([byte; 32])
    }

    fn stream(application: Option<u8>, name: &str) -> StreamId {
        let user = |byte| GenericApplicationId::User(ApplicationId::new(hash(byte)));
        let application_id = application.map_or(GenericApplicationId::System, user);
        StreamId {
            application_id,
            stream_name: name.into(),
        }
    }

    fn subscription(subscriber: u8, name: &str, position: u32) -> Subscription {
        Subscription {
            subscriber: ApplicationId::new(hash(subscriber)),
            chain_id: ChainId(hash(9)),
            stream_id: stream(Some(4), name),
            position,
        }
    }

    #[test]
    fn subscriptions_come_back_from_their_keys() {
        for (application, name) in [(None, ""), (Some(1), ""), (Some(1), "a"), (None, "posts")] {
            let expected = Subscription {
                stream_id: stream(application, name),
                ..subscription(3, "", 7)
            };
            let key = subscription_key(expected.subscriber, expected.chain_id, &expected.stream_id);
            let found = Subscription::decode(&key[1..], &7u32.to_le_bytes()).unwrap();
            assert_eq!(found, expected);
            for bad in [
                &key[1..key.len() - 1],
                &[key.as_slice(), b"x"].concat()[1..],
            ] {
                assert!(Subscription::decode(bad, &[7, 0, 0, 0]).is_err());
            }
            assert!(Subscription::decode(&key[1..], &[7]).is_err());
        }
    }

    /// Another layout would give other state hashes, and not find what is stored.
    #[test]
    fn keys_are_pinned() {
        let (subscriber, chain_id) = (ApplicationId::new(hash(1)), ChainId(hash(2)));
        let stream_id = stream(Some(3), "posts");
        let keys = [
            count_key(&stream_id),
            subscription_key(subscriber, chain_id, &stream_id),
            subscriptions_key(subscriber),
            event_key(&EventId {
                chain_id,
                stream_id,
                index: 4,
            }),
        ];
        let pin = "39b84bd4ab500015b1bab2bedd385911631d5528f15fe0e52b4baa236448784c";
        assert_eq!(CryptoHash::of_bytes(&keys.concat()).to_string(), pin);
    }

    #[test]
    fn events_sort_by_index_and_streams_do_not_meet() {
        let id = |name: &str, index| EventId {
            chain_id: ChainId(hash(1)),
            stream_id: stream(Some(2), name),
            index,
        };
        let keys = [("a", 1), ("a", 255), ("a", 256), ("b", 0)]
            .map(|(name, index)| event_key(&id(name, index)));
        assert!(keys.is_sorted());
        // With the index behind it, the shorter name is as long as the other one.
        assert_ne!(event_key(&id("a", 0)), event_key(&id("a\0\0\0\0", 0)));
        assert!(!event_key(&id("a\0\0\0\0", 0)).starts_with(&event_key(&id("a", 0))));
    }

    #[test]
    fn news_are_grouped_by_subscriber_and_bounded() {
        let mut news = News::new(4, 10);
        for (subscriber, name, position, count) in [
            (1, "a", 3, 3),
            (1, "b", 0, 7),
            (1, "c", 2, 9),
            (1, "d", 0, 1),
            (2, "a", 0, 100),
            (3, "a", 5, 4),
            (4, "a", 0, 1),
            (5, "a", 0, 1),
        ] {
            news.add(subscription(subscriber, name, position), count);
        }
        assert!(news.is_full());
        let found = news.updates.iter().map(|update| {
            let byte = update.subscriber.application_description_hash.as_bytes()[0];
            let heads = update.streams.iter();
            let heads = heads.map(|head| (head.stream_id.stream_name.clone(), head.next_index));
            (byte, heads.collect::<Vec<_>>())
        });
        let expected = [
            (1, vec![("b".into(), 7), ("c".into(), 5)]),
            (2, vec![("a".into(), 10)]),
            (4, vec![("a".into(), 1)]),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    /// How many events of each stream are told, where so many are new.
    fn shared(new: &[u32], max_streams: usize, max_events: u32, rotation: u64) -> Vec<u32> {
        let names: Vec<_> = (0..new.len())
            .map(|number| format!("{number:03}"))
            .collect();
        let follow = |(name, count): (&String, &u32)| (subscription(1, name, 5), 5 + count);
        let bounds = NewsBounds {
            max_streams,
            max_events,
            rotation,
        };
        let (heads, events) = share(names.iter().zip(new).map(follow).collect(), &bounds);
        let mut told = vec![0; new.len()];
        for head in &heads {
            let name = String::from_utf8(head.stream_id.stream_name.0.clone()).unwrap();
            told[name.parse::<usize>().unwrap()] = head.next_index - 5;
        }
        assert_eq!(told.iter().sum::<u32>(), events);
        told
    }

    /// One author who floods a stream used to keep an application from all streams behind it.
    #[test]
    fn streams_share_what_is_told() {
        assert_eq!(shared(&[1_000, 2, 1], 9, 100, 0), [97, 2, 1]);
        assert_eq!(shared(&[1_000, 2, 1_000], 9, 10, 0), [4, 2, 4]);
        assert_eq!(shared(&[3, 4], 9, 100, 0), [3, 4]);
        assert!(shared(&[], 9, 100, 0).is_empty());
        // Where not everyone gets one, all do in turn.
        for (max_streams, max_events) in [(9, 2), (2, 1_000)] {
            let mut told = vec![0; 5];
            for rotation in 0..3 {
                let more = shared(&[9; 5], max_streams, max_events, rotation);
                told.iter_mut()
                    .zip(more)
                    .for_each(|(told, more)| *told += more);
            }
            assert!(told.iter().all(|told| *told > 0), "{told:?}");
        }
    }
}
