//! Instances that live from their first use to the end of the block.
//!
//! A checkpoint costs nothing by itself: an instance is copied when it is first entered after one,
//! so what a bundle does not touch is never copied. Only one checkpoint is in force at a time, so
//! one copy per instance is enough, and its buffers are used again and again.

use std::{collections::BTreeMap, sync::Arc};

use resident_base::{ApplicationDescription, ApplicationId};
use resident_wasm::RestoreError;
use resident_witty::SnapshotSize;

use super::{Application, Instance};
use crate::{
    Fault, Trace,
    contract::{ContractSnapshot, UserContract},
};

/// The instances of a persistent session.
#[derive(Default)]
pub(crate) struct Persistent {
    live: BTreeMap<ApplicationId, Live>,
    order: Vec<ApplicationId>,
    /// Counts checkpoints. Zero: none yet, so nothing can be rolled back.
    epoch: u64,
}

struct Live {
    application: Application,
    /// The instance; none while it runs, or before its first entry.
    instance: Option<Instance>,
    /// The epoch in which the application was loaded.
    loaded: u64,
    /// The state as it was at the checkpoint of the epoch `saved`.
    snapshot: Option<ContractSnapshot>,
    saved: u64,
    /// Whether the instance was entered since `snapshot` was taken or restored.
    changed: bool,
}

impl Persistent {
    pub(super) fn knows(&self, id: ApplicationId) -> bool {
        self.live.contains_key(&id)
    }

    pub(super) fn loaded(&self) -> &[ApplicationId] {
        &self.order
    }

    pub(super) fn add(&mut self, id: ApplicationId, application: Application) {
        let live = Live {
            application,
            instance: None,
            loaded: self.epoch,
            snapshot: None,
            saved: 0,
            changed: false,
        };
        self.live.insert(id, live);
        self.order.push(id);
    }

    pub(super) fn take(
        &mut self,
        id: ApplicationId,
        trace: &mut Trace,
    ) -> Result<(Instance, Arc<ApplicationDescription>), Fault> {
        let live = self
            .live
            .get_mut(&id)
            .ok_or(Fault::Misuse("the application is not loaded"))?;
        let mut instance = match live.instance.take() {
            Some(instance) => instance,
            None => {
                trace.loads += 1;
                trace.instantiations += 1;
                live.application.module.instance()?
            }
        };
        if live.loaded < self.epoch && live.saved < self.epoch {
            live.save(&mut instance, self.epoch, trace)?;
        }
        live.changed = true;
        Ok((instance, live.application.description.clone()))
    }

    pub(super) fn put(&mut self, id: ApplicationId, instance: Instance) {
        if let Some(live) = self.live.get_mut(&id) {
            live.instance = Some(instance);
        }
    }

    /// Nothing: the instances live on.
    pub(super) fn end_transaction(&mut self, _: &mut Trace) -> Result<(), Fault> {
        Ok(())
    }

    pub(super) fn checkpoint(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn roll_back(&mut self, trace: &mut Trace) -> Result<(), Fault> {
        let epoch = self.epoch;
        self.live.retain(|_, live| live.loaded < epoch);
        self.order.retain(|id| self.live.contains_key(id));
        for live in self
            .live
            .values_mut()
            .filter(|live| live.saved == epoch && live.changed)
        {
            live.restore(trace)?;
        }
        Ok(())
    }

    /// The instance has stored; nothing enters it again.
    pub(super) fn drop_finalized(&mut self, id: ApplicationId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.instance = None;
        }
    }
}

impl Live {
    fn save(
        &mut self,
        instance: &mut Instance,
        epoch: u64,
        trace: &mut Trace,
    ) -> Result<(), Fault> {
        self.saved = epoch;
        if self.snapshot.is_some() && !self.changed {
            return Ok(());
        }
        let snapshot = UserContract::snapshot(instance, self.snapshot.take())?;
        trace.snapshots += 1;
        trace.snapshot_bytes += snapshot.snapshot_bytes();
        self.snapshot = Some(snapshot);
        Ok(())
    }

    fn restore(&mut self, trace: &mut Trace) -> Result<(), Fault> {
        let snapshot = self
            .snapshot
            .as_ref()
            .ok_or(Fault::Misuse("there is no snapshot"))?;
        let mut instance = self
            .instance
            .take()
            .ok_or(Fault::Misuse("an instance is still running"))?;
        trace.restores += 1;
        match UserContract::restore(&mut instance, snapshot) {
            Ok(()) => {}
            Err(RestoreError::MemoryGrew { .. }) => {
                trace.instantiations += 1;
                instance = self.application.module.instance()?;
                UserContract::restore(&mut instance, snapshot).map_err(Fault::Restore)?;
            }
            Err(error) => return Err(Fault::Restore(error)),
        }
        self.instance = Some(instance);
        self.changed = false;
        Ok(())
    }
}
