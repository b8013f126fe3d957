//! One of the instances that do the same things.

use resident_base::CryptoHash;
use resident_wasm::{
    InstanceSnapshot, Meters, PortableSnapshot, RestoreError, prepare::PreparedModule,
};

use crate::{
    compare::{Difference, ensure, same, same_state},
    host::{FuzzHost, HostState},
    instance::{Compiled, Entry, Instance, Kind, Response},
    random::Random,
    tally::Tally,
};

/// All that a call has brought about outside of its instance.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) response: Response,
    pub(super) meters: Meters,
    /// How many host functions were called.
    pub(super) calls: u64,
    /// A hash of what they were called with.
    asked: CryptoHash,
    latest: Vec<String>,
    pub(super) state: HostState,
    pub(super) asked_for_fuel: bool,
}

impl Outcome {
    pub(super) fn compare(&self, other: &Self) -> Result<(), Difference> {
        same("responses", &self.response, &other.response)?;
        same("meters", &self.meters, &other.meters)?;
        same("number of host calls", &self.calls, &other.calls)?;
        same("latest host calls", &self.latest, &other.latest)?;
        same("host calls", &self.asked, &other.asked)?;
        same("the host's state", &self.state, &other.state)
    }
}

/// What an instance was at a checkpoint.
pub(super) struct Saved {
    /// The engine that it ran on.
    kind: Kind,
    pub(super) snapshot: InstanceSnapshot,
    /// The portable form, as bytes.
    pub(super) portable: Vec<u8>,
}

/// An instance, and a snapshot's buffers to compare with.
pub(super) struct Lane {
    instance: Instance,
    scratch: InstanceSnapshot,
    /// An older portable snapshot, whose buffer the next one is taken into.
    spare: Option<PortableSnapshot>,
}

impl Lane {
    pub(super) fn new(compiled: &Compiled, kind: Kind) -> Result<Self, Difference> {
        Ok(Lane {
            instance: compiled.instance(kind)?,
            scratch: InstanceSnapshot::default(),
            spare: None,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.instance.kind()
    }

    pub(super) fn call(&mut self, host: FuzzHost, entry: &Entry) -> Outcome {
        let (host, response) = self.instance.call(host, entry);
        Outcome {
            response,
            meters: host.meters,
            calls: host.calls,
            asked: host.asked,
            latest: host.latest,
            state: host.state,
            asked_for_fuel: host.asked_for_fuel,
        }
    }

    /// The whole state as it is now.
    pub(super) fn snapshot(&mut self) -> &InstanceSnapshot {
        let reused = std::mem::take(&mut self.scratch);
        self.scratch = self.instance.snapshot(reused);
        &self.scratch
    }

    pub(super) fn portable(&mut self) -> PortableSnapshot {
        self.instance.portable_snapshot(self.spare.take())
    }

    pub(super) fn restore_portable(
        &mut self,
        snapshot: &PortableSnapshot,
    ) -> Result<(), RestoreError> {
        self.instance.restore_portable(snapshot)
    }

    /// Saves the state in both forms, which have to say the same.
    pub(super) fn save(&mut self, prepared: &PreparedModule) -> Result<Saved, Difference> {
        let snapshot = self.instance.snapshot(InstanceSnapshot::default());
        let portable = self.portable();
        let encoded = snapshot
            .to_portable(prepared)
            .map_err(|error| format!("a snapshot cannot be encoded: {error}"))?;
        let bytes = portable.to_bytes();
        self.spare = Some(portable);
        same("portable forms of one state", &bytes, &encoded.to_bytes())?;
        let decoded = InstanceSnapshot::from_portable(&decode(&bytes)?, prepared)
            .map_err(|error| format!("a portable snapshot does not fit: {error}"))?;
        same_state(
            "a snapshot that was encoded and decoded",
            &snapshot,
            &decoded,
        )?;
        Ok(Saved {
            kind: self.kind(),
            snapshot,
            portable: bytes,
        })
    }

    /// Goes back to what was saved, as a session does: a memory that grew wants a new instance.
    pub(super) fn roll_back(
        &mut self,
        compiled: &Compiled,
        saved: &Saved,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let form = Form::choose(saved, self.kind(), random)?;
        tally.count("rollbacks", form.name());
        match form.restore(&mut self.instance) {
            Ok(()) => (),
            Err(RestoreError::MemoryGrew { .. }) => {
                tally.count("rollbacks", "to a new instance");
                self.instance = compiled.instance(self.kind())?;
                form.restore(&mut self.instance)
                    .map_err(|error| format!("a new instance cannot be restored: {error}"))?;
            }
            Err(error) => return Err(format!("an instance cannot be restored: {error}")),
        }
        same_state("after a rollback", &saved.snapshot, self.snapshot())
    }

    /// Serializes the instance, and continues with a new one.
    pub(super) fn move_to(
        &mut self,
        compiled: &Compiled,
        kind: Kind,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let from = self.kind();
        tally.count("moves", format!("{from:?} to {kind:?}"));
        let before = self.snapshot().clone();
        let bytes = self.portable().to_bytes();
        self.instance = compiled.instance(kind)?;
        self.instance
            .restore_portable(&decode(&bytes)?)
            .map_err(|error| format!("a moved instance cannot be restored: {error}"))?;
        same_state("after moving", &before, self.snapshot())?;
        let again = self.portable().to_bytes();
        ensure(again == bytes, || {
            format!("a state moved from {from:?} to {kind:?} has another portable form")
        })
    }
}

/// The form of a snapshot that a rollback uses.
enum Form<'a> {
    InProcess(&'a InstanceSnapshot),
    Portable(PortableSnapshot),
}

impl<'a> Form<'a> {
    fn choose(saved: &'a Saved, kind: Kind, random: &mut Random) -> Result<Self, Difference> {
        if saved.kind == kind && random.percent(70) {
            return Ok(Form::InProcess(&saved.snapshot));
        }
        Ok(Form::Portable(decode(&saved.portable)?))
    }

    fn name(&self) -> &'static str {
        match self {
            Form::InProcess(_) => "in-process",
            Form::Portable(_) => "portable",
        }
    }

    fn restore(&self, instance: &mut Instance) -> Result<(), RestoreError> {
        match self {
            Form::InProcess(snapshot) => instance.restore(snapshot),
            Form::Portable(snapshot) => instance.restore_portable(snapshot),
        }
    }
}

/// Decodes a portable snapshot.
pub(super) fn decode(bytes: &[u8]) -> Result<PortableSnapshot, Difference> {
    PortableSnapshot::decode(bytes)
        .map_err(|error| format!("a portable snapshot cannot be decoded: {error}"))
}
