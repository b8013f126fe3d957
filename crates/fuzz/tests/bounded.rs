//! Some cases of the differential fuzzer. `resident-fuzz` runs more of them.

use resident_fuzz::{Fuzzer, Level, Tally, with_stack};

/// Cases to run; `RESIDENT_FUZZ_CASES` says another number.
const CASES: u64 = 600;
/// Of how many cases one is of the level `sessions`.
const SESSIONS_EVERY: u64 = 6;

#[test]
fn engines_agree_on_random_contracts() {
    let cases = std::env::var("RESIDENT_FUZZ_CASES").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number"));
    let tally = with_stack(|| run(1..=cases));
    println!("{tally}");
    // What never gets anywhere finds nothing.
    let completed = tally.get("call", "completed");
    assert!(completed > 2 * cases, "{completed} calls completed");
}

#[test]
fn a_seed_gives_the_same_case_again() {
    // Another order, so that nothing can depend on what ran before.
    let first = with_stack(|| run(40..60));
    let again = with_stack(|| run((40..60).rev()));
    assert_eq!(first, again);
}

fn run(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut fuzzer = Fuzzer::new().expect("both engines run here");
    let mut tally = Tally::default();
    for seed in seeds {
        let level = match seed % SESSIONS_EVERY {
            0 => Level::Sessions,
            _ => Level::Instances,
        };
        let found = fuzzer.run(seed, level, &mut tally);
        found.unwrap_or_else(|finding| panic!("{finding}"));
    }
    tally
}
