//! Emitting and reading events, and following streams.

use std::collections::BTreeMap;

use resident_base::{
    ApplicationId, ArithmeticError, ChainId, Event, EventId, StreamId, StreamName, StreamUpdate,
};
use resident_storage::Namespace;

use super::{Authority, Entry, Runtime, RuntimeHandle};
use crate::{
    FailureReason, LimitKind, OracleResponse, Stop, StreamHead, SubscriberUpdate,
    policy::host_cost,
    streams::{
        MAX_STREAM_NAME_BYTES, count_key, read_number, subscription_key, subscriptions_key,
        write_number,
    },
};

/// What a position in a stream takes in the state, beside its key.
const NUMBER_BYTES: usize = 4;

/// How often an event is in memory: in the effects, for reads of the block itself, and in its batch.
const EVENT_COPIES: usize = 3;

/// The events that a block has emitted so far, to be read by the block itself.
#[derive(Default)]
pub(crate) struct BlockEvents {
    order: Vec<(StreamId, u32)>,
    values: BTreeMap<(StreamId, u32), Vec<u8>>,
}

impl BlockEvents {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Forgets all but the first events.
    pub(crate) fn truncate(&mut self, len: usize) {
        for key in self.order.drain(len..) {
            self.values.remove(&key);
        }
    }

    fn push(&mut self, event: Event) {
        let key = (event.stream_id, event.index);
        self.order.push(key.clone());
        self.values.insert(key, event.value);
    }

    fn get(&self, id: &EventId) -> Option<&Vec<u8>> {
        self.values.get(&(id.stream_id.clone(), id.index))
    }
}

impl RuntimeHandle {
    /// Appends to a stream of the running application, and gives the event's index.
    pub(super) fn emit_event(&mut self, name: StreamName, value: Vec<u8>) -> Result<u32, Stop> {
        let stream_id = self.own_stream(name)?;
        let policy = self.context.policy.clone();
        let name_bytes = stream_id.stream_name.0.len();
        self.usage.event(name_bytes, value.len(), &policy)?;
        self.keep(EVENT_COPIES * (name_bytes + value.len()))?;
        let count_key = count_key(&stream_id);
        if !self.journal.is_written(Namespace::System, &count_key) {
            self.usage.charge_fuel(host_cost::FIRST_WRITE)?;
        }
        let index = self.emitted(&stream_id)?;
        let next = index.checked_add(1).ok_or(ArithmeticError::Overflow)?;
        write_number(&mut self.journal, &count_key, next)?;
        let event = Event {
            stream_id,
            index,
            value,
        };
        self.transaction.effects.events.push(event.clone());
        self.events.push(event);
        Ok(index)
    }

    /// What the running application emitted on any chain.
    ///
    /// The block's own events are simply there. All others are answers from outside: they are not part of
    /// this chain's state, so whoever runs the block again may not have them.
    pub(super) fn event_value(
        &mut self,
        chain_id: ChainId,
        name: StreamName,
        index: u32,
    ) -> Result<Vec<u8>, Stop> {
        let id = EventId {
            chain_id,
            stream_id: self.own_stream(name)?,
            index,
        };
        if chain_id == self.context.chain_id {
            if let Some(value) = self.events.get(&id) {
                return Ok(value.clone());
            }
            self.check_emitted(&id)?;
        }
        self.recorded_event(id)
    }

    fn recorded_event(&mut self, id: EventId) -> Result<Vec<u8>, Stop> {
        let is_replayed = self.transaction.answers.is_recorded();
        let answer = self.answer(
            || format!("event {id}"),
            |response| matches!(response, OracleResponse::Event { id: found, .. } if *found == id),
            |runtime| {
                let value = runtime.executor.required_event(&id)?;
                let id = id.clone();
                Ok(OracleResponse::Event { id, value })
            },
        )?;
        let OracleResponse::Event { value, .. } = answer else {
            let asked = format!("event {id}");
            return Err(FailureReason::OracleMismatch { asked }.into());
        };
        if is_replayed {
            self.check_record(id, &value)?;
        }
        Ok(value)
    }

    /// A record may tell of events that are not here yet, but not contradict those that are.
    fn check_record(&self, id: EventId, recorded: &[u8]) -> Result<(), Stop> {
        match self.executor.read_event(&id)? {
            Some(value) if value != recorded => {
                Err(FailureReason::EventDiffers(Box::new(id)).into())
            }
            _ => Ok(()),
        }
    }

    /// Lets the running application follow a stream, from its beginning. Following twice changes nothing.
    pub(super) fn subscribe(
        &mut self,
        chain_id: ChainId,
        stream_id: &StreamId,
    ) -> Result<(), Stop> {
        self.check_name(&stream_id.stream_name)?;
        let subscriber = self.frame().application_id;
        let key = subscription_key(subscriber, chain_id, stream_id);
        if read_number(&mut self.journal, &key)?.is_some() {
            return Ok(());
        }
        let followed = self.followed(subscriber)?;
        if u64::from(followed) >= self.context.policy.limits.subscriptions {
            return Err(LimitKind::Subscriptions.into());
        }
        self.write_system_number(&key, 0)?;
        let followed = followed.checked_add(1).ok_or(ArithmeticError::Overflow)?;
        self.write_system_number(&subscriptions_key(subscriber), followed)
    }

    /// Ends [`subscribe`](Self::subscribe), and forgets how far the application had come.
    pub(super) fn unsubscribe(
        &mut self,
        chain_id: ChainId,
        stream_id: &StreamId,
    ) -> Result<(), Stop> {
        self.check_name(&stream_id.stream_name)?;
        let subscriber = self.frame().application_id;
        let key = subscription_key(subscriber, chain_id, stream_id);
        if read_number(&mut self.journal, &key)?.is_none() {
            return Ok(());
        }
        self.charge_write(key.len())?;
        self.journal.delete(Namespace::System, &key)?;
        match self.followed(subscriber)?.saturating_sub(1) {
            0 => {
                let key = subscriptions_key(subscriber);
                self.charge_write(key.len())?;
                Ok(self.journal.delete(Namespace::System, &key)?)
            }
            rest => self.write_system_number(&subscriptions_key(subscriber), rest),
        }
    }

    /// Moves a subscriber forward in its streams, and tells it of what it has not seen.
    pub(super) fn update_subscriber(&mut self, update: SubscriberUpdate) -> Result<Vec<u8>, Stop> {
        self.transaction.message = None;
        self.begin_charging(Some(update.subscriber));
        let SubscriberUpdate {
            subscriber,
            streams,
        } = update;
        if streams.is_empty() {
            return Err(FailureReason::EmptyUpdate { subscriber }.into());
        }
        let mut updates = Vec::with_capacity(streams.len());
        for head in streams {
            updates.push(self.move_forward(subscriber, head)?.into());
        }
        let nobody = Authority::default();
        self.enter(subscriber, nobody, Entry::ProcessStreams(updates))
    }

    fn move_forward(
        &mut self,
        subscriber: ApplicationId,
        head: StreamHead,
    ) -> Result<StreamUpdate, Stop> {
        self.usage.charge_fuel(host_cost::STREAM_UPDATE)?;
        let key = subscription_key(subscriber, head.chain_id, &head.stream_id);
        let Some(previous_index) = read_number(&mut self.journal, &key)? else {
            return Err(FailureReason::NotSubscribed(Box::new(head)).into());
        };
        if head.next_index <= previous_index {
            return Err(FailureReason::NoNewEvents(Box::new(head)).into());
        }
        self.check_exists(&head)?;
        self.write_system_number(&key, head.next_index)?;
        let StreamHead {
            chain_id,
            stream_id,
            next_index,
        } = head;
        Ok(StreamUpdate {
            chain_id,
            stream_id,
            previous_index,
            next_index,
        })
    }

    /// If the last event is there, so are those before it.
    fn check_exists(&mut self, head: &StreamHead) -> Result<(), Stop> {
        let last = EventId {
            chain_id: head.chain_id,
            stream_id: head.stream_id.clone(),
            index: head.next_index.saturating_sub(1),
        };
        if head.chain_id == self.context.chain_id {
            return self.check_emitted(&last);
        }
        let ask = |runtime: &mut Runtime| {
            runtime.executor.required_event(&last)?;
            Ok(OracleResponse::EventExists(last.clone()))
        };
        let fits = |response: &OracleResponse| matches!(response, OracleResponse::EventExists(id) if *id == last);
        self.answer(|| format!("the existence of event {last}"), fits, ask)?;
        Ok(())
    }

    fn own_stream(&self, stream_name: StreamName) -> Result<StreamId, Stop> {
        self.check_name(&stream_name)?;
        Ok(StreamId {
            application_id: self.frame().application_id.into(),
            stream_name,
        })
    }

    fn check_name(&self, name: &StreamName) -> Result<(), Stop> {
        let limit = self.context.policy.limits.stream_name_bytes;
        match name.0.len() as u64 > limit.min(MAX_STREAM_NAME_BYTES as u64) {
            true => Err(LimitKind::StreamNameBytes.into()),
            false => Ok(()),
        }
    }

    /// What this chain has emitted is part of its state, so an event that is not there is a failure here,
    /// while an event of another chain may yet arrive.
    fn check_emitted(&mut self, id: &EventId) -> Result<(), Stop> {
        match id.index < self.emitted(&id.stream_id)? {
            true => Ok(()),
            false => Err(FailureReason::NoSuchEvent(Box::new(id.clone())).into()),
        }
    }

    /// How many events this chain has emitted to a stream, this block's included.
    fn emitted(&mut self, stream_id: &StreamId) -> Result<u32, Stop> {
        let count = read_number(&mut self.journal, &count_key(stream_id))?;
        Ok(count.unwrap_or_default())
    }

    fn followed(&mut self, subscriber: ApplicationId) -> Result<u32, Stop> {
        let count = read_number(&mut self.journal, &subscriptions_key(subscriber))?;
        Ok(count.unwrap_or_default())
    }

    fn write_system_number(&mut self, key: &[u8], number: u32) -> Result<(), Stop> {
        if !self.journal.is_written(Namespace::System, key) {
            self.usage.charge_fuel(host_cost::FIRST_WRITE)?;
        }
        self.charge_write(key.len() + NUMBER_BYTES)?;
        write_number(&mut self.journal, key, number)
    }

    fn charge_write(&mut self, bytes: usize) -> Result<(), Stop> {
        let policy = self.context.policy.clone();
        self.usage.write(bytes as u64, &policy)
    }
}
