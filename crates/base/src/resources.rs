//! What execution consumes.

use serde::{Deserialize, Serialize};

/// Amounts of everything that is limited or paid for, as granted with a message or recorded for a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Fuel spent by Wasm code.
    pub wasm_fuel: u64,
    /// Gas spent by code of the Ethereum virtual machine.
    pub evm_fuel: u64,
    /// Reads of stored keys.
    pub read_operations: u64,
    /// Writes and deletions of stored keys.
    pub write_operations: u64,
    /// Bytes read from the runtime, such as parameters and balances.
    pub bytes_runtime: u64,
    /// Bytes read from storage.
    pub bytes_to_read: u64,
    /// Bytes written to storage.
    pub bytes_to_write: u64,
    /// Blobs read.
    pub blobs_to_read: u64,
    /// Blobs published.
    pub blobs_to_publish: u64,
    /// Bytes of the blobs read.
    pub blob_bytes_to_read: u64,
    /// Bytes of the blobs published.
    pub blob_bytes_to_publish: u64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes of the messages sent.
    pub message_size: u64,
    /// Bytes by which storage grows.
    pub storage_size_delta: u64,
    /// Queries to services whose answers become oracle responses.
    pub service_as_oracle_queries: u64,
    /// HTTP requests.
    pub http_requests: u64,
}
