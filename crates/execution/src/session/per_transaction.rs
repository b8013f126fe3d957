//! Fresh instances for every transaction, restored from snapshots, and wound down again.
//!
//! This is how a browser has to do it, where instances cannot outlive a call from outside. On a
//! native node it is the reference that the persistent session is compared with.

use std::{collections::BTreeMap, sync::Arc};

use resident_base::{ApplicationDescription, ApplicationId};
use resident_witty::SnapshotSize;

use super::{Application, Instance};
use crate::{
    Fault, Trace,
    contract::{ContractSnapshot, UserContract},
};

/// The instances of a session that winds them down after every transaction.
#[derive(Default)]
pub(crate) struct PerTransaction {
    applications: BTreeMap<ApplicationId, Saved>,
    order: Vec<ApplicationId>,
    /// The instances of the running transaction, except those that are running.
    live: BTreeMap<ApplicationId, Instance>,
    /// How many applications were loaded at the last transaction's end.
    settled: usize,
    /// Buffers of a snapshot that is no longer needed.
    spare: Option<ContractSnapshot>,
}

struct Saved {
    application: Application,
    /// The state at the end of the last transaction that touched the application and stayed.
    snapshot: Option<ContractSnapshot>,
}

impl PerTransaction {
    pub(super) fn knows(&self, id: ApplicationId) -> bool {
        self.applications.contains_key(&id)
    }

    pub(super) fn loaded(&self) -> &[ApplicationId] {
        &self.order
    }

    pub(super) fn add(&mut self, id: ApplicationId, application: Application) {
        self.applications.insert(id, Saved { application, snapshot: None });
        self.order.push(id);
    }

    pub(super) fn take(
        &mut self,
        id: ApplicationId,
        trace: &mut Trace,
    ) -> Result<(Instance, Arc<ApplicationDescription>), Fault> {
        let saved =
            self.applications.get(&id).ok_or(Fault::Misuse("the application is not loaded"))?;
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
            let snapshot = UserContract::snapshot(&mut instance, self.spare.take())?;
            trace.snapshots += 1;
            trace.snapshot_bytes += snapshot.snapshot_bytes();
            if let Some(saved) = self.applications.get_mut(&id) {
                self.spare = saved.snapshot.replace(snapshot);
            }
        }
        self.settled = self.order.len();
        Ok(())
    }

    /// Nothing: the snapshots of the last transaction's end are the checkpoint.
    pub(super) fn checkpoint(&mut self) {}

    pub(super) fn roll_back(&mut self, _: &mut Trace) -> Result<(), Fault> {
        self.live.clear();
        for id in self.order.drain(self.settled..) {
            self.applications.remove(&id);
        }
        Ok(())
    }

    /// The instance has stored; nothing enters it again.
    pub(super) fn drop_finalized(&mut self, id: ApplicationId) {
        self.live.remove(&id);
    }
}

impl Saved {
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
