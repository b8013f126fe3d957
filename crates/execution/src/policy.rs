//! What a block may use, and what it costs.

use resident_base::{Amount, Resources};
use serde::{Deserialize, Serialize};

/// Prices and limits of a chain's blocks. Part of the protocol: all who run a block use the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// What resources cost.
    pub prices: Prices,
    /// How much of them there is.
    pub limits: ResourceLimits,
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
    /// A query of a contract to a service, whose answer the block records.
    pub service_as_oracle_query: Amount,
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
    /// Applications that can be alive in one block.
    pub applications: u64,
    /// Transactions of one block.
    pub transactions: u64,
    /// Size of a block's own encoding, in bytes.
    pub block_bytes: u64,
    /// Queries of contracts to services in one block.
    pub service_as_oracle_queries: u64,
    /// Fuel of one such query. It is not taken from the transaction's, since a block that is run again
    /// has the answer already.
    pub service_query_fuel: u64,
    /// Size of the answer to one such query, in bytes.
    pub service_response_bytes: u64,
}

impl Default for ResourcePolicy {
    /// Free of charge, with limits that no honest block of today meets.
    fn default() -> Self {
        ResourcePolicy {
            prices: Prices::default(),
            limits: ResourceLimits::default(),
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
            applications: 100,
            transactions: 100_000,
            block_bytes: 16 << 20,
            service_as_oracle_queries: 1_000,
            service_query_fuel: 1_000_000_000,
            service_response_bytes: 64 << 10,
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
            (self.service_as_oracle_query, used.service_as_oracle_queries),
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
    /// A query to a service. Whoever runs the block again does not run the service, so this has to cover it.
    pub(crate) const QUERY_SERVICE: u64 = 100_000;
}
