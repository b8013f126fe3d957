//! What a block may use, and what it costs.

use std::collections::BTreeSet;

use resident_base::{Amount, ApplicationId, Resources};
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
    /// Applications whose operations and messages cost nothing, with all that is called for them, nor do
    /// their finalizations. Limits hold for them as for all.
    pub free_applications: BTreeSet<ApplicationId>,
}

/// What one unit of each resource costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// A unit of fuel of Wasm code.
    pub fuel: Amount,
    /// A unit of gas of EVM code.
    pub evm_fuel: Amount,
    /// An operation of the block's owner.
    pub operation: Amount,
    /// A byte of an operation: of its argument, or of all of it if it is the system's.
    pub operation_byte: Amount,
    /// A byte that the runtime answers with, such as parameters, identifiers and balances.
    pub byte_runtime: Amount,
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
    /// A blob that is read.
    pub blob_read: Amount,
    /// A byte of a blob that is read.
    pub blob_byte_read: Amount,
    /// A query to a service.
    pub service_as_oracle_query: Amount,
    /// An HTTP request.
    pub http_request: Amount,
}

/// How much one transaction or one block may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Fuel of one transaction, and of each application's finalization.
    pub transaction_fuel: u64,
    /// Fuel of all transactions of a block, and of its finalization.
    pub block_fuel: u64,
    /// Size of one operation in bytes.
    pub operation_bytes: u64,
    /// Bytes that the runtime may answer with in a block, besides the state.
    pub bytes_runtime: u64,
    /// Reads of the state in a block, by host call.
    pub read_operations: u64,
    /// Writes to the state in a block, by key.
    pub write_operations: u64,
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
    /// What a block may keep in memory until it is written, in bytes: each application's memory twice, since
    /// there may be a snapshot of it, each written key with what it takes in indices and batches, and all
    /// that becomes part of the block.
    pub memory_bytes: u64,
    /// Size of a block's own encoding, in bytes.
    pub block_bytes: u64,
    /// Queries of contracts to services in one block.
    pub service_as_oracle_queries: u64,
    /// Fuel of one such query. The transaction pays all of it, whatever the query spends: a block that is
    /// run again has the answer already, and nobody could tell.
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
            http_request_allow_list: BTreeSet::new(),
            free_applications: BTreeSet::new(),
        }
    }
}

impl Default for ResourceLimits {
    fn default() -> Self {
        ResourceLimits {
            transaction_fuel: 1_000_000_000,
            block_fuel: 20_000_000_000,
            operation_bytes: 16 << 20,
            bytes_runtime: 256 << 20,
            read_operations: 100_000_000,
            write_operations: 100_000_000,
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
            memory_bytes: 512 << 20,
            block_bytes: 16 << 20,
            service_as_oracle_queries: 1_000,
            service_query_fuel: 20_000_000,
            service_response_bytes: 64 << 10,
        }
    }
}

impl Prices {
    /// The fee for these resources. Saturates: what costs more than there is cannot be paid anyway.
    pub fn fee(&self, used: &Resources) -> Amount {
        // All fields, so that none that is added can be forgotten.
        let Resources {
            wasm_fuel,
            evm_fuel,
            read_operations,
            write_operations,
            bytes_runtime,
            bytes_to_read,
            bytes_to_write,
            blobs_to_read,
            blobs_to_publish,
            blob_bytes_to_read,
            blob_bytes_to_publish,
            messages,
            message_size,
            // What is stored is paid for when it is written.
            storage_size_delta: _,
            service_as_oracle_queries,
            http_requests,
        } = *used;
        sum([
            (self.fuel, wasm_fuel),
            (self.evm_fuel, evm_fuel),
            (self.read_operation, read_operations),
            (self.write_operation, write_operations),
            (self.byte_runtime, bytes_runtime),
            (self.byte_read, bytes_to_read),
            (self.byte_written, bytes_to_write),
            (self.blob_read, blobs_to_read),
            (self.blob, blobs_to_publish),
            (self.blob_byte_read, blob_bytes_to_read),
            (self.blob_byte, blob_bytes_to_publish),
            (self.message, messages),
            (self.message_byte, message_size),
            (self.service_as_oracle_query, service_as_oracle_queries),
            (self.http_request, http_requests),
        ])
    }

    /// The fee for an operation of so many bytes, on top of what it uses.
    pub fn operation_fee(&self, bytes: u64) -> Amount {
        sum([(self.operation, 1), (self.operation_byte, bytes)])
    }
}

fn sum(units: impl IntoIterator<Item = (Amount, u64)>) -> Amount {
    let costs = units
        .into_iter()
        .map(|(price, units)| price.saturating_mul(u128::from(units)));
    costs.fold(Amount::ZERO, Amount::saturating_add)
}

/// What host functions cost in fuel, on top of what the guest spends to call them.
///
/// In the units of an instruction: four for each nanosecond that `benches/calibration` finds. That is what the dearest
/// instructions cost that stay in a processor's cache, divisions for one; a tight loop does ten units in that time.
pub(crate) mod host_cost {
    /// Any host function.
    pub(crate) const CALL: u64 = 700;
    /// Each key that is looked up, and each entry that a scan walks over.
    pub(crate) const LOOKUP: u64 = 2_200;
    /// The first write of a key in a block, for its part in the hash of the state and in the block's batch.
    pub(crate) const FIRST_WRITE: u64 = 12_000;
    /// Each byte of a key or value that is written: it is copied several times, and hashed.
    pub(crate) const WRITTEN_BYTE: u64 = 6;
    /// Each byte that crosses the boundary as part of a key, a value, a message or a response.
    pub(crate) const BYTE: u64 = 1;
    /// An operation, a message, or one application's news: it is part of the block, which is encoded, hashed and
    /// stored, and what it does has effects and a report of its own.
    pub(crate) const ACTION: u64 = 10_000;
    /// Each byte of an operation or a message.
    pub(crate) const ACTION_BYTE: u64 = 8;
    /// Each time that an application is entered, by an action, by a call or at the block's end, on top of what it spends.
    pub(crate) const ENTRY: u64 = 4_000;
    /// Tokens that go from one account to another.
    pub(crate) const TRANSFER: u64 = 6_000;
    /// A chain that is opened, besides the blob that describes it.
    pub(crate) const OPEN_CHAIN: u64 = 16_000;
    /// A message that is sent.
    pub(crate) const MESSAGE: u64 = 2_000;
    /// A blob that is published, for an application or a chain as for data.
    pub(crate) const BLOB: u64 = 4_000;
    /// Each byte of a blob that is hashed: one that is published, or a description that is loaded.
    pub(crate) const BLOB_BYTE: u64 = 6;
    /// Each byte of a contract or a service that is published, which is for preparing it. Compiling it is paid for by
    /// what it makes a compiler do.
    pub(crate) const PREPARED_BYTE: u64 = 100;
    /// A nanosecond of compiling. The count is about four times what ordinary code takes, and twice what
    /// the dearest does.
    pub(crate) const COMPILE_NANOSECOND: u64 = 1;
    /// The part of compiling a service that is paid for when it is published: only nodes that answer queries do it.
    pub(crate) const SERVICE_SHARE: u64 = 100;
    /// An application that a block uses for the first time, besides what its module costs an instance.
    pub(crate) const LOAD: u64 = 60_000;
    /// Each page of the memory of an application that a transaction enters: a checkpoint copies it, and a session with
    /// instances for each transaction does so at both ends.
    pub(crate) const PAGE: u64 = 16_000;
    /// An HTTP request. What it costs a node is time, which fuel does not stand for; the policy limits that.
    pub(crate) const HTTP_REQUEST: u64 = 100_000;
    /// An event that is emitted.
    pub(crate) const EVENT: u64 = 7_000;
    /// A stream whose news an application is told.
    pub(crate) const STREAM_UPDATE: u64 = 1_000;
    /// Closing the chain, or changing its owners.
    pub(crate) const CHANGE_CHAIN: u64 = 500;
    /// The chain's configuration, read or written as a whole.
    pub(crate) const CONFIGURATION: u64 = 2_000;
    /// Each byte of a chain's configuration that is written, and copied and encoded for it.
    pub(crate) const CONFIGURATION_BYTE: u64 = 16;
    /// How many bytes of a chain's configuration each block reads without a charge.
    pub(crate) const FREE_CONFIGURATION_BYTES: u64 = 4 << 10;
    /// Each application in a list of permissions that is searched.
    pub(crate) const PERMISSION: u64 = 8;
    /// Each byte of a chain's configuration that is searched or answered with.
    pub(crate) const CONFIGURATION_BYTE_READ: u64 = 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A price that no other sum of these prices makes.
    fn price(digit: u32) -> Amount {
        Amount::from_attos(10_u128.pow(digit))
    }

    fn prices() -> Prices {
        Prices {
            fuel: price(0),
            evm_fuel: price(1),
            operation: price(2),
            operation_byte: price(3),
            byte_runtime: price(4),
            read_operation: price(5),
            write_operation: price(6),
            byte_read: price(7),
            byte_written: price(8),
            message: price(9),
            message_byte: price(10),
            blob: price(11),
            blob_byte: price(12),
            blob_read: price(13),
            blob_byte_read: price(14),
            service_as_oracle_query: price(15),
            http_request: price(16),
        }
    }

    #[test]
    fn every_resource_has_its_own_price() {
        type Set = fn(&mut Resources, u64);
        let table: [(u32, Set); 15] = [
            (0, |used, units| used.wasm_fuel = units),
            (1, |used, units| used.evm_fuel = units),
            (4, |used, units| used.bytes_runtime = units),
            (5, |used, units| used.read_operations = units),
            (6, |used, units| used.write_operations = units),
            (7, |used, units| used.bytes_to_read = units),
            (8, |used, units| used.bytes_to_write = units),
            (9, |used, units| used.messages = units),
            (10, |used, units| used.message_size = units),
            (11, |used, units| used.blobs_to_publish = units),
            (12, |used, units| used.blob_bytes_to_publish = units),
            (13, |used, units| used.blobs_to_read = units),
            (14, |used, units| used.blob_bytes_to_read = units),
            (15, |used, units| used.service_as_oracle_queries = units),
            (16, |used, units| used.http_requests = units),
        ];
        let (mut all, mut total) = (Resources::default(), Amount::ZERO);
        for (digit, set) in table {
            let mut used = Resources::default();
            set(&mut used, 3);
            let expected = price(digit).saturating_mul(3);
            assert_eq!(prices().fee(&used), expected, "digit {digit}");
            set(&mut all, 3);
            total = total.saturating_add(expected);
        }
        assert_eq!(prices().fee(&all), total);
    }

    #[test]
    fn operations_are_paid_for_by_number_and_size() {
        assert_eq!(prices().operation_fee(0), price(2));
        assert_eq!(prices().operation_fee(2), Amount::from_attos(2_100));
    }

    #[test]
    fn what_nobody_can_pay_is_as_much_as_there_is() {
        let prices = Prices {
            fuel: Amount::MAX,
            message: Amount::ONE,
            ..Prices::default()
        };
        let used = Resources {
            wasm_fuel: 2,
            messages: 1,
            ..Resources::default()
        };
        assert_eq!(prices.fee(&used), Amount::MAX);
    }
}
