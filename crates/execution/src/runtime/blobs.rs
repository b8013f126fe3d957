//! Blobs: what a block publishes, and data blobs that contracts publish and read.

use std::collections::BTreeMap;

use resident_base::{Blob, BlobContent, BlobId, DataBlobHash};

use super::{Runtime, RuntimeHandle};
use crate::{OracleResponse, Stop, policy::host_cost};

/// The blobs that came into being in a block, in order and each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct CreatedBlobs {
    blobs: Vec<Blob>,
    positions: BTreeMap<BlobId, usize>,
}

impl CreatedBlobs {
    pub(crate) fn len(&self) -> usize {
        self.blobs.len()
    }

    pub(crate) fn get(&self, id: BlobId) -> Option<&Blob> {
        self.positions
            .get(&id)
            .map(|position| &self.blobs[*position])
    }

    /// Adds a blob, unless it is there.
    fn add(&mut self, blob: Blob) -> bool {
        let is_new = !self.positions.contains_key(&blob.id());
        if is_new {
            self.positions.insert(blob.id(), self.blobs.len());
            self.blobs.push(blob);
        }
        is_new
    }

    /// Forgets all but the first ones.
    pub(crate) fn truncate(&mut self, len: usize) {
        for blob in self.blobs.drain(len.min(self.blobs.len())..) {
            self.positions.remove(&blob.id());
        }
    }

    pub(crate) fn into_blobs(self) -> Vec<Blob> {
        self.blobs
    }
}

/// How often a published blob is in memory: here, and in the block's batch.
const BLOB_COPIES: usize = 2;

impl Runtime {
    /// A blob of this block, or from the store.
    pub(super) fn blob(&self, id: BlobId) -> Result<Blob, Stop> {
        match self.blobs.get(id) {
            Some(blob) => Ok(blob.clone()),
            None => self.executor.required_blob(id),
        }
    }

    /// Publishes a blob. It is charged for even if the block has it already, since nobody can know that
    /// beforehand.
    pub(super) fn create_blob(&mut self, blob: Blob) -> Result<BlobId, Stop> {
        let policy = self.context.policy.clone();
        self.usage.blob(blob.bytes().len() as u64, &policy)?;
        self.keep(BLOB_COPIES * blob.bytes().len())?;
        let id = blob.id();
        if self.blobs.add(blob) {
            self.transaction.effects.blobs.push(id);
        }
        Ok(id)
    }
}

impl RuntimeHandle {
    pub(super) fn create_data_blob_charged(
        &mut self,
        bytes: Vec<u8>,
    ) -> Result<DataBlobHash, Stop> {
        self.charge_call(bytes.len())?;
        self.usage
            .charge_fuel(host_cost::BLOB + bytes.len() as u64 * host_cost::BLOB_BYTE)?;
        self.publish_data_blob(bytes)
    }

    pub(super) fn publish_data_blob(&mut self, bytes: Vec<u8>) -> Result<DataBlobHash, Stop> {
        let id = self.create_blob(Blob::new(BlobContent::new_data(bytes)))?;
        Ok(DataBlobHash(id.hash))
    }

    pub(super) fn read_data_blob_charged(&mut self, hash: DataBlobHash) -> Result<Vec<u8>, Stop> {
        self.charge_blob_read()?;
        self.require_blob(hash.into())?;
        let blob = self.blob(hash.into())?;
        let size = blob.bytes().len() as u64;
        self.usage.charge_fuel(size * host_cost::BLOB_BYTE)?;
        let policy = self.context.policy.clone();
        self.usage.blob_bytes_read(size, &policy)?;
        Ok(blob.bytes().to_vec())
    }

    pub(super) fn assert_data_blob_charged(&mut self, hash: DataBlobHash) -> Result<(), Stop> {
        self.charge_blob_read()?;
        self.require_blob(hash.into())
    }

    fn charge_blob_read(&mut self) -> Result<(), Stop> {
        self.charge_call(0)?;
        self.usage.charge_fuel(host_cost::LOOKUP)?;
        let policy = self.context.policy.clone();
        self.usage.blob_read(&policy)
    }

    /// Makes sure that a blob exists. Unless this block published it, the block's record says so, because
    /// only then can whoever runs the block know what to fetch first. That is all that the record is good
    /// for: a blob that is recorded and not here is missing all the same.
    fn require_blob(&mut self, id: BlobId) -> Result<(), Stop> {
        if self.blobs.get(id).is_some() {
            return Ok(());
        }
        self.executor.check_blob(id)?;
        self.answer(
            || format!("blob {id}"),
            |response| *response == OracleResponse::Blob(id),
            |_| Ok(OracleResponse::Blob(id)),
        )
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_truncated_can_be_created_again() {
        let blob = |byte: u8| Blob::new_data([byte]);
        let mut created = CreatedBlobs::default();
        assert!(created.add(blob(1)) && created.add(blob(2)) && created.add(blob(3)));
        assert!(!created.add(blob(2)), "it is there already");
        created.truncate(9);
        assert_eq!(created.len(), 3);
        created.truncate(1);
        assert_eq!(created.get(blob(1).id()), Some(&blob(1)));
        assert_eq!(created.get(blob(2).id()), None);
        assert!(created.add(blob(3)) && created.add(blob(2)));
        assert_eq!(created.get(blob(2).id()), Some(&blob(2)));
        assert_eq!(created.into_blobs(), [blob(1), blob(3), blob(2)]);
    }
}
