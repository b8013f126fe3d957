//! What a block may use, and what it costs.

use std::collections::BTreeSet;

use resident_base::{Amount, Resources};
use serde::{Deserialize, Serialize};

/// Prices and limits of a chain's blocks. Part of the protocol: all who run a block use the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// What resources cost.
    pub prices: Prices,
    /// How much of them there is.
    pub limits: ResourceLimits,
    /// The servers that contracts may send HTTP requests to: `host` for the usual port of a URL's scheme,
    /// and `host:port` for any other; hosts in lower case.
    pub http_request_allow_list: BTreeSet<String>,
}

/// What one unit of each resource costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// A unit of fuel.
    pub fuel: Amount,
    /// A read of the state, by a host call, whatever the number of keys.
    pub read_operation: Amount,
    /// A write to the state, by key.
    pub write_operation: Amount,
    /// A byte read from the state.
    pub byte_read: Amount,
    /// A byte written to the state.
    pub byte_written: Amount,
    /// An outgoing message.
    pub message: Amount,
    /// A byte of an outgoing message.
    pub message_byte: Amount,
    /// A published blob.
    pub blob: Amount,
    /// A byte of a published blob.
    pub blob_byte: Amount,
}

/// How much one transaction or one block may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Fuel of one transaction, and of each application's finalization.
    pub transaction_fuel: u64,
    /// Fuel of all transactions of a block, and of its finalization.
    pub block_fuel: u64,
    /// Bytes that a block may read from the state.
    pub bytes_read: u64,
    /// Bytes that a block may write to the state.
    pub bytes_written: u64,
    /// Messages that a block may send.
    pub messages: u64,
    /// Bytes of messages that a block may send.
    pub message_bytes: u64,
    /// Size of one blob in bytes.
    pub blob_bytes: u64,
    /// Blobs that a block may publish.
    pub blobs_published: u64,
    /// Bytes of blobs that a block may publish.
    pub blob_bytes_published: u64,
    /// How often a block may read data blobs, or make sure that they exist.
    pub blobs_read: u64,
    /// Bytes of data blobs that a block may read.
    pub blob_bytes_read: u64,
    /// Modules that a block may publish.
    pub modules: u64,
    /// HTTP requests that a block may make.
    pub http_requests: u64,
    /// Size of one HTTP request in bytes.
    pub http_request_bytes: u64,
    /// Size of the answer to one HTTP request in bytes: headers and body.
    pub http_response_bytes: u64,
    /// How long the answer to one HTTP request may take, in milliseconds.
    pub http_timeout_milliseconds: u64,
    /// Events that a block may emit.
    pub events: u64,
    /// Size of one event in bytes.
    pub event_bytes: u64,
    /// Length of a stream's name in bytes; never more than
    /// [`MAX_STREAM_NAME_BYTES`](crate::MAX_STREAM_NAME_BYTES).
    pub stream_name_bytes: u64,
    /// Streams that one application can follow on one chain.
    pub subscriptions: u64,
    /// Applications that can be alive in one block.
    pub applications: u64,
    /// Transactions of one block.
    pub transactions: u64,
    /// Size of a block's own encoding, in bytes.
    pub block_bytes: u64,
}

impl Default for ResourcePolicy {
    /// Free of charge, with limits that no honest block of today meets.
    fn default() -> Self {
        ResourcePolicy {
            prices: Prices::default(),
            limits: ResourceLimits::default(),
            http_request_allow_list: BTreeSet::new(),
        }
    }
}

impl Default for ResourceLimits {
    fn default() -> Self {
        ResourceLimits {
            transaction_fuel: 1_000_000_000,
            block_fuel: 100_000_000_000,
            bytes_read: 256 << 20,
            bytes_written: 256 << 20,
            messages: 100_000,
            message_bytes: 4 << 20,
            blob_bytes: 8 << 20,
            blobs_published: 10_000,
            blob_bytes_published: 64 << 20,
            blobs_read: 10_000,
            blob_bytes_read: 256 << 20,
            modules: 100,
            http_requests: 20,
            http_request_bytes: 64 << 10,
            http_response_bytes: 128 << 10,
            http_timeout_milliseconds: 10_000,
            events: 100_000,
            event_bytes: 1 << 20,
            stream_name_bytes: 64,
            subscriptions: 1_000,
            applications: 100,
            transactions: 100_000,
            block_bytes: 16 << 20,
        }
    }
}

impl Prices {
    /// The fee for these resources. Saturates: what costs more than there is cannot be paid anyway.
    pub fn fee(&self, used: &Resources) -> Amount {
        [
            (self.fuel, used.wasm_fuel),
            (self.read_operation, used.read_operations),
            (self.write_operation, used.write_operations),
            (self.byte_read, used.bytes_to_read),
            (self.byte_written, used.bytes_to_write),
            (self.message, used.messages),
            (self.message_byte, used.message_size),
            (self.blob, used.blobs_to_publish),
            (self.blob_byte, used.blob_bytes_to_publish),
        ]
        .into_iter()
        .fold(Amount::ZERO, |sum, (price, units)| {
            sum.saturating_add(price.saturating_mul(u128::from(units)))
        })
    }
}

/// What host functions cost in fuel, on top of what the guest spends to call them.
///
/// In the units of an instruction, and roughly by the time that they take.
pub(crate) mod host_cost {
    /// Any host function.
    pub(crate) const CALL: u64 = 50;
    /// Each key that is looked up.
    pub(crate) const LOOKUP: u64 = 250;
    /// Each byte that crosses the boundary as part of a key, a value, a message or a response.
    pub(crate) const BYTE: u64 = 1;
    /// A call of another application, on top of what that one spends.
    pub(crate) const CALL_APPLICATION: u64 = 1_000;
    /// A message that is sent.
    pub(crate) const MESSAGE: u64 = 500;
    /// A blob that is published, for an application or a chain as for data.
    pub(crate) const BLOB: u64 = 1_000;
    /// Each byte of a contract that a contract publishes, which is for preparing it and for compiling it if
    /// the block runs it: about a microsecond.
    pub(crate) const MODULE_BYTE: u64 = 1_000;
    /// An HTTP request. What it costs a node is time, which fuel does not stand for; the policy limits that.
    pub(crate) const HTTP_REQUEST: u64 = 100_000;
    /// An event that is emitted.
    pub(crate) const EVENT: u64 = 500;
    /// A stream whose news an application is told.
    pub(crate) const STREAM_UPDATE: u64 = 1_000;
}
