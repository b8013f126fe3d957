//! What running a block took. For reports and tests; no part of the outcome.

use std::collections::BTreeMap;

use resident_base::ApplicationId;
use serde::{Deserialize, Serialize};

/// Counts of what was done, including what was undone again, unless a field says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Applications that began with their state unloaded, those excepted whose loading was undone. Once
    /// per application.
    pub loads: u64,
    /// Applications that were finalized.
    pub stores: u64,
    /// Instances that were made.
    pub instantiations: u64,
    /// Snapshots that were taken.
    pub snapshots: u64,
    /// Bytes that were copied into snapshots.
    pub snapshot_bytes: u64,
    /// Snapshots that were restored.
    pub restores: u64,
    /// Entries into instances: operations, messages, calls between applications, finalizations.
    pub entries: u64,
    /// Host functions that were called.
    pub host_calls: u64,
    /// The latest portable snapshot of each application; only sessions that wind instances down take them.
    pub portable: BTreeMap<ApplicationId, PortableSize>,
    /// Fuel that was spent by transactions that stayed, and by the finalization.
    pub fuel: u64,
}

/// How large a portable snapshot was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableSize {
    /// The memory of the instance, in bytes.
    pub memory_bytes: u64,
    /// The snapshot, in bytes.
    pub snapshot_bytes: u64,
}
