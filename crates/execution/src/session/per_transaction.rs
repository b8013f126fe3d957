//! Fresh instances for every transaction, restored from snapshots, and wound down again.
//!
//! This is how a browser has to do it, where instances cannot outlive a call from outside. On a
//! native node it is the reference that the persistent session is compared with.

use std::{collections::BTreeMap, sync::Arc};

use resident_base::{ApplicationDescription, ApplicationId};
use resident_witty::SnapshotSize;

use super::{Application, Instance};
use crate::{
    Fault, PortableSize, Trace,
    contract::{ContractSnapshot, UserContract},
};

/// The instances of a session that winds them down after every transaction.
#[derive(Default)]
pub(crate) struct PerTransaction {
    applications: BTreeMap<ApplicationId, Saved>,
    order: Vec<ApplicationId>,
    /// The instances of the running transaction, except those that are running.
    live: BTreeMap<ApplicationId, Instance>,
    /// Counts checkpoints. Zero: none yet, so nothing can be rolled back.
    epoch: u64,
    /// Buffers of a snapshot that is no longer needed.
    spare: Option<ContractSnapshot>,
}

struct Saved {
    application: Application,
    /// The epoch in which the application was loaded.
    loaded: u64,
    /// The state at the end of the last transaction that touched the application.
    snapshot: Option<ContractSnapshot>,
    /// What `snapshot` was at the checkpoint of the epoch `kept`, if it has been replaced since.
    at_checkpoint: Option<ContractSnapshot>,
    kept: u64,
}

impl PerTransaction {
    pub(super) fn knows(&self, id: ApplicationId) -> bool {
        self.applications.contains_key(&id)
    }

    pub(super) fn loaded(&self) -> &[ApplicationId] {
        &self.order
    }

    pub(super) fn add(&mut self, id: ApplicationId, application: Application) {
        let saved = Saved {
            application,
            loaded: self.epoch,
            snapshot: None,
            at_checkpoint: None,
            kept: 0,
        };
        self.applications.insert(id, saved);
        self.order.push(id);
    }

    pub(super) fn take(
        &mut self,
        id: ApplicationId,
        trace: &mut Trace,
    ) -> Result<(Instance, Arc<ApplicationDescription>), Fault> {
        let saved = self
            .applications
            .get(&id)
            .ok_or(Fault::Misuse("the application is not loaded"))?;
        let instance = match self.live.remove(&id) {
            Some(instance) => instance,
            None => saved.instance(trace)?,
        };
        Ok((instance, saved.application.description.clone()))
    }

    pub(super) fn put(&mut self, id: ApplicationId, instance: Instance) {
        self.live.insert(id, instance);
    }

    /// Winds every instance of the transaction down.
    pub(super) fn end_transaction(&mut self, trace: &mut Trace) -> Result<(), Fault> {
        for (id, mut instance) in std::mem::take(&mut self.live) {
            let spare = self.spare.take();
            let snapshot = UserContract::portable_snapshot(&mut instance, spare)?;
            trace.snapshots += 1;
            trace.snapshot_bytes += snapshot.snapshot_bytes();
            let size = PortableSize {
                memory_bytes: instance.memory_bytes(),
                snapshot_bytes: snapshot.snapshot_bytes(),
            };
            trace.portable.insert(id, size);
            if let Some(saved) = self.applications.get_mut(&id) {
                self.spare = saved.replace(snapshot, self.epoch);
            }
        }
        Ok(())
    }

    /// The snapshots of the last transaction's end are the checkpoint, and are kept when they are
    /// replaced.
    pub(super) fn checkpoint(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn roll_back(&mut self, _: &mut Trace) -> Result<(), Fault> {
        let epoch = self.epoch;
        self.live.clear();
        self.applications.retain(|_, saved| saved.loaded < epoch);
        self.order.retain(|id| self.applications.contains_key(id));
        for saved in self
            .applications
            .values_mut()
            .filter(|saved| saved.kept == epoch)
        {
            self.spare = saved.snapshot.take();
            saved.snapshot = saved.at_checkpoint.take();
            saved.kept = 0;
        }
        Ok(())
    }

    /// The instance has stored; nothing enters it again.
    pub(super) fn drop_finalized(&mut self, id: ApplicationId) {
        self.live.remove(&id);
    }
}

impl Saved {
    /// Puts a newer snapshot in place, and gives one whose buffers can be used again.
    fn replace(&mut self, snapshot: ContractSnapshot, epoch: u64) -> Option<ContractSnapshot> {
        let replaced = self.snapshot.replace(snapshot);
        if self.loaded == epoch || self.kept == epoch {
            return replaced;
        }
        self.kept = epoch;
        std::mem::replace(&mut self.at_checkpoint, replaced)
    }

    fn instance(&self, trace: &mut Trace) -> Result<Instance, Fault> {
        trace.instantiations += 1;
        let mut instance = self.application.module.instance()?;
        match &self.snapshot {
            None => trace.loads += 1,
            Some(snapshot) => {
                trace.restores += 1;
                UserContract::restore(&mut instance, snapshot).map_err(Fault::Restore)?;
            }
        }
        Ok(instance)
    }
}
