//! Some cases of the differential fuzzer. `resident-fuzz` runs more of them.

use resident_fuzz::{Fuzzer, Level, Tally, figures, with_stack};

/// Cases to run; `RESIDENT_FUZZ_CASES` says another number.
const CASES: u64 = 600;
/// Of how many cases one is of the level `sessions`.
const SESSIONS_EVERY: u64 = 6;
/// Towns to play in, one for each attack; `RESIDENT_FUZZ_TOWNS` says another number.
const TOWNS: u64 = 32;

#[test]
fn engines_agree_on_random_contracts() {
    let cases = number("RESIDENT_FUZZ_CASES", CASES);
    let tally = with_stack(|| run(1..=cases, level));
    println!("{tally}");
    // What never gets anywhere finds nothing.
    let completed = tally.get("call", "completed");
    assert!(completed > 2 * cases, "{completed} calls completed");
}

#[test]
fn a_seed_gives_the_same_case_again() {
    // Another order, so that nothing can depend on what ran before.
    let first = with_stack(|| run(40..60, level));
    let again = with_stack(|| run((40..60).rev(), level));
    assert_eq!(first, again);
}

#[test]
fn no_hostile_citizen_stops_a_town() {
    let towns = number("RESIDENT_FUZZ_TOWNS", TOWNS);
    let tally = with_stack(|| run(0..towns, |_| Level::Towns));
    println!("{tally}\n\nmedian / largest:\n{}", figures(&tally));
    let accepted = tally.get("town bundles", "Honest accepted");
    assert!(
        accepted > 5 * towns,
        "{accepted} honest bundles were accepted"
    );
}

/// Towns in which an honest bundle was rejected for what an earlier one of its sender did, a server was asked twice in a
/// call, and an application was never told its news: two of each.
#[test]
fn what_once_went_wrong_in_a_town_goes_well() {
    let towns = [100_004, 1_000_260, 100_216, 5_000_024, 1_000_062, 5_000_665];
    with_stack(|| run(towns.into_iter(), |_| Level::Towns));
}

#[test]
fn a_town_is_the_same_again() {
    let towns = [1, 8, 24];
    let first = with_stack(|| run(towns.into_iter(), |_| Level::Towns));
    let again = with_stack(|| run(towns.into_iter().rev(), |_| Level::Towns));
    assert_eq!(first, again);
}

fn number(variable: &str, default: u64) -> u64 {
    let number = std::env::var(variable).ok();
    number.map_or(default, |number| number.parse().expect("a number"))
}

fn level(seed: u64) -> Level {
    match seed % SESSIONS_EVERY {
        0 => Level::Sessions,
        _ => Level::Instances,
    }
}

fn run(seeds: impl Iterator<Item = u64>, level: impl Fn(u64) -> Level) -> Tally {
    let mut fuzzer = Fuzzer::new().expect("both engines run here");
    let mut tally = Tally::default();
    for seed in seeds {
        let found = fuzzer.run(seed, level(seed), &mut tally);
        found.unwrap_or_else(|finding| panic!("{finding}"));
    }
    tally
}
