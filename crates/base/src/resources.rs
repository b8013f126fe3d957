//! What execution consumes.

use serde::{Deserialize, Serialize};

/// Amounts of everything that is limited or paid for, as granted with a message or recorded for a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Fuel spent by Wasm code.
    #[serde(with = "crate::exact")]
    pub wasm_fuel: u64,
    /// Gas spent by code of the Ethereum virtual machine.
    #[serde(with = "crate::exact")]
    pub evm_fuel: u64,
    /// Reads of stored keys.
    #[serde(with = "crate::exact")]
    pub read_operations: u64,
    /// Writes and deletions of stored keys.
    #[serde(with = "crate::exact")]
    pub write_operations: u64,
    /// Bytes read from the runtime, such as parameters and balances.
    #[serde(with = "crate::exact")]
    pub bytes_runtime: u64,
    /// Bytes read from storage.
    #[serde(with = "crate::exact")]
    pub bytes_to_read: u64,
    /// Bytes written to storage.
    #[serde(with = "crate::exact")]
    pub bytes_to_write: u64,
    /// Blobs read.
    #[serde(with = "crate::exact")]
    pub blobs_to_read: u64,
    /// Blobs published.
    #[serde(with = "crate::exact")]
    pub blobs_to_publish: u64,
    /// Bytes of the blobs read.
    #[serde(with = "crate::exact")]
    pub blob_bytes_to_read: u64,
    /// Bytes of the blobs published.
    #[serde(with = "crate::exact")]
    pub blob_bytes_to_publish: u64,
    /// Messages sent.
    #[serde(with = "crate::exact")]
    pub messages: u64,
    /// Bytes of the messages sent.
    #[serde(with = "crate::exact")]
    pub message_size: u64,
    /// Bytes by which storage grows.
    #[serde(with = "crate::exact")]
    pub storage_size_delta: u64,
    /// Queries to services whose answers become oracle responses.
    #[serde(with = "crate::exact")]
    pub service_as_oracle_queries: u64,
    /// HTTP requests.
    #[serde(with = "crate::exact")]
    pub http_requests: u64,
}
