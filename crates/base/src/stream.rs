//! Event streams.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ChainId, GenericApplicationId, ParseIdError,
    text::{hex_bytes, write_hex},
};

/// What an application calls one of its streams: any bytes. As text it is their hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamName(#[serde(with = "crate::bytes")] pub Vec<u8>);

impl<T: Into<Vec<u8>>> From<T> for StreamName {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for StreamName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        hex_bytes(text).map(Self)
    }
}

/// Names a stream on a chain that is known from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// Who emits the events.
    pub application_id: GenericApplicationId,
    /// Which of its streams it is.
    pub stream_name: StreamName,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.application_id, self.stream_name)
    }
}

/// Names an event anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// The chain that the event was emitted on.
    pub chain_id: ChainId,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Its position in the stream, from zero.
    pub index: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.chain_id, self.stream_id, self.index)
    }
}

/// An event that a block emitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Its position in the stream, from zero.
    pub index: u32,
    /// What the application wrote.
    #[serde(with = "crate::bytes")]
    pub value: Vec<u8>,
}

impl Event {
    /// What the event is called, given the chain it was emitted on.
    pub fn id(&self, chain_id: ChainId) -> EventId {
        let (stream_id, index) = (self.stream_id.clone(), self.index);
        EventId {
            chain_id,
            stream_id,
            index,
        }
    }
}

/// News of a stream that an application follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamUpdate {
    /// The chain that the stream is on.
    pub chain_id: ChainId,
    /// The stream.
    pub stream_id: StreamId,
    /// How many of its events the application was told of before.
    pub previous_index: u32,
    /// How many events there are now.
    pub next_index: u32,
}

impl StreamUpdate {
    /// The positions of the new events.
    pub const fn new_indices(&self) -> Range<u32> {
        self.previous_index..self.next_index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_counts_its_new_events() {
        let application_id = GenericApplicationId::System;
        let stream_id = StreamId {
            application_id,
            stream_name: "posts".into(),
        };
        let chain_id = ChainId::default();
        let update = StreamUpdate {
            chain_id,
            stream_id,
            previous_index: 2,
            next_index: 5,
        };
        assert_eq!(update.new_indices().collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn names_come_from_anything_and_come_back_as_text() {
        let name = StreamName::from("posts");
        assert_eq!(name, b"posts".to_vec().into());
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!("123".parse::<StreamName>(), Err(ParseIdError::Digits));
    }
}
