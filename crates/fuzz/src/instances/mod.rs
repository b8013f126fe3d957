//! Level A: instances of one module on both engines, called, snapshotted, rolled back and moved.
//!
//! Two *lanes* do everything at the same time, one on each engine at first; after every step they must
//! agree on all that can be seen. At the end a third instance does only the calls that were not rolled
//! back, and must end in the same state.

mod forge;
mod lane;
mod special;

use resident_wasm::{Meters, prepare::PreparedModule, prepare::STACK_UNITS};

use crate::{
    compare::{Difference, same, same_state},
    host::{FuzzHost, HostState},
    instance::{Compiled, Engines, Entry, Kind, ending},
    random::Random,
    script::{Style, script},
    tally::Tally,
};
use lane::{Lane, Outcome, Saved};

/// Fuel that most calls do not need.
const PLENTY: i64 = 400_000;
/// Calls in a row that may fail before a case ends: nothing can come of it then.
const MAX_FAILURES: u32 = 6;

/// Runs one module.
pub(crate) fn run(
    engines: &Engines,
    prepared: &PreparedModule,
    functions: u64,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), Difference> {
    let compiled = engines.compile(prepared.clone())?;
    let mut course = Course::new(&compiled, prepared, functions, random, tally)?;
    let steps = 5 + course.random.below(26);
    for step in 0..steps {
        course
            .step()
            .map_err(|difference| format!("step {step}: {difference}"))?;
        if course.failures == MAX_FAILURES {
            break;
        }
    }
    course.compare_with_clean_run()
}

/// A call that was made and not rolled back.
struct Kept {
    entry: Entry,
    meters: Meters,
    outcome: Outcome,
}

/// A moment to return to.
struct Checkpoint {
    saved: [Saved; 2],
    state: HostState,
    kept: usize,
}

struct Course<'a> {
    compiled: &'a Compiled,
    prepared: &'a PreparedModule,
    random: &'a mut Random,
    tally: &'a mut Tally,
    style: Style,
    lanes: [Lane; 2],
    state: HostState,
    checkpoint: Checkpoint,
    kept: Vec<Kept>,
    /// Calls that failed since one that did not.
    failures: u32,
}

impl<'a> Course<'a> {
    fn new(
        compiled: &'a Compiled,
        prepared: &'a PreparedModule,
        functions: u64,
        random: &'a mut Random,
        tally: &'a mut Tally,
    ) -> Result<Self, Difference> {
        let style = Style {
            functions,
            failing_percent: random.choose(&[0, 5, 20]),
            refusing_percent: 2,
        };
        let mut lanes = [Kind::Wasmtime, Kind::Wasmer].map(|kind| Lane::new(compiled, kind));
        let mut lanes = match &mut lanes {
            [Ok(_), Ok(_)] => lanes.map(|lane| lane.expect("both are there")),
            [first, second] => {
                let errors = [first.as_ref().err(), second.as_ref().err()];
                return Err(format!("an instance cannot be made: {errors:?}"));
            }
        };
        let checkpoint = Checkpoint {
            saved: [lanes[0].save(prepared)?, lanes[1].save(prepared)?],
            state: HostState::new(),
            kept: 0,
        };
        same_state(
            "fresh instances",
            &checkpoint.saved[0].snapshot,
            &checkpoint.saved[1].snapshot,
        )?;
        Ok(Course {
            compiled,
            prepared,
            random,
            tally,
            style,
            lanes,
            state: HostState::new(),
            checkpoint,
            kept: Vec::new(),
            failures: 0,
        })
    }

    fn step(&mut self) -> Result<(), Difference> {
        match self.random.below(100) {
            0..58 => self.call_once(),
            58..70 => self.save(),
            70..80 => self.roll_back(),
            80..90 => self.move_on(),
            90..96 => self.starve(),
            96..99 => self.forge(),
            _ => self.tamper(),
        }
    }

    fn call_once(&mut self) -> Result<(), Difference> {
        let (entry, meters) = (self.entry(), self.meters());
        let outcome = self.call(&entry, meters)?;
        if outcome.response.is_err() {
            return self.roll_back();
        }
        self.keep(entry, meters, outcome);
        Ok(())
    }

    fn keep(&mut self, entry: Entry, meters: Meters, outcome: Outcome) {
        self.state.clone_from(&outcome.state);
        self.kept.push(Kept {
            entry,
            meters,
            outcome,
        });
    }

    /// Calls both lanes, and compares everything.
    fn call(&mut self, entry: &Entry, meters: Meters) -> Result<Outcome, Difference> {
        let host = FuzzHost::new(meters, self.state.clone());
        let [first, second] = &mut self.lanes;
        let [first, second] = [first, second].map(|lane| lane.call(host.clone(), entry));
        self.tally.count("call", ending(&first.response));
        self.tally.add("host", "calls", first.calls);
        first.compare(&second)?;
        self.failures = if first.response.is_err() {
            self.failures + 1
        } else {
            0
        };
        self.compare_states("after a call")?;
        Ok(first)
    }

    fn compare_states(&mut self, when: &str) -> Result<(), Difference> {
        let [first, second] = &mut self.lanes;
        let (one, other) = (first.snapshot(), second.snapshot());
        same_state(when, one, other)?;
        if self.random.percent(40) {
            self.tally.count("snapshots", "portable, compared");
            let [one, other] = [first, second].map(Lane::portable);
            same("portable snapshots", &one.to_bytes(), &other.to_bytes())?;
            same("hashes of portable snapshots", &one.hash(), &other.hash())?;
        }
        Ok(())
    }

    /// Takes a checkpoint.
    fn save(&mut self) -> Result<(), Difference> {
        self.tally.count("snapshots", "taken");
        let [first, second] = &mut self.lanes;
        self.checkpoint = Checkpoint {
            saved: [first.save(self.prepared)?, second.save(self.prepared)?],
            state: self.state.clone(),
            kept: self.kept.len(),
        };
        Ok(())
    }

    /// Goes back to the checkpoint.
    fn roll_back(&mut self) -> Result<(), Difference> {
        for (lane, saved) in self.lanes.iter_mut().zip(&self.checkpoint.saved) {
            lane.roll_back(self.compiled, saved, self.random, self.tally)?;
        }
        self.state.clone_from(&self.checkpoint.state);
        self.kept.truncate(self.checkpoint.kept);
        self.compare_states("after a rollback")
    }

    /// Serializes the lanes, and continues with new instances.
    fn move_on(&mut self) -> Result<(), Difference> {
        let swap = self.random.percent(60);
        for lane in &mut self.lanes {
            let kind = match swap || self.random.percent(30) {
                true => lane.kind().other(),
                false => lane.kind(),
            };
            lane.move_to(self.compiled, kind, self.tally)?;
        }
        self.compare_states("after moving")
    }

    fn entry(&mut self) -> Entry {
        let script = script(self.random, self.style);
        match self.random.below(20) {
            0 => Entry::Finalize,
            1 => Entry::Instantiate(script),
            2..6 => Entry::Message(script),
            _ => Entry::Operation(script),
        }
    }

    fn meters(&mut self) -> Meters {
        let fuel = match self.random.below(10) {
            0 => self.random.below(5_000).cast_signed(),
            1 => self.random.below(PLENTY.unsigned_abs()).cast_signed(),
            2 => PLENTY * 8,
            _ => PLENTY,
        };
        let stack = match self.random.below(12) {
            0 => self.random.below(1_000) as i32,
            _ => STACK_UNITS,
        };
        Meters { fuel, stack }
    }

    /// Does what was kept on an instance that was never rolled back or moved.
    fn compare_with_clean_run(mut self) -> Result<(), Difference> {
        let kind = self.random.choose(&[Kind::Wasmtime, Kind::Wasmer]);
        let mut clean = Lane::new(self.compiled, kind)?;
        let mut state = HostState::new();
        for (index, kept) in self.kept.iter().enumerate() {
            let outcome = clean.call(FuzzHost::new(kept.meters, state), &kept.entry);
            kept.outcome
                .compare(&outcome)
                .map_err(|difference| format!("call {index} of the clean run: {difference}"))?;
            state = outcome.state;
        }
        same("the host's state of the clean run", &self.state, &state)?;
        if self.kept.is_empty() {
            return Ok(());
        }
        self.tally.count("clean", "runs compared");
        let (first, clean) = (self.lanes[0].snapshot(), clean.snapshot());
        same_state("the clean run", first, clean)
    }
}
