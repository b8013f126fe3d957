//! The words every engine shares about instances and their snapshots.

/// The size of a Wasm page, in bytes.
pub const PAGE_BYTES: u64 = 65536;

/// What every engine's snapshot must be able to say.
pub trait SnapshotSize {
    /// How much memory of the node the snapshot occupies, in bytes. Used to bound the total held
    /// by checkpoints, so it must count buffers by their capacity in use, not by their handles.
    fn snapshot_bytes(&self) -> u64;
}
