//! What a campaign measured, as a table.

use std::fmt::Write;

use super::attacks::ATTACKS;
use crate::tally::Tally;

/// Calls until an honest bundle is in.
pub(super) const HONEST: &str = "calls until an honest bundle is in";
/// Calls until a hostile bundle is in a block, accepted or rejected.
pub(super) const HOSTILE: &str = "calls until a hostile bundle is decided";
/// Calls until a bundle is decided that waits for what never comes.
pub(super) const WAITS: &str = "calls until a waiting bundle is decided";
/// Calls until an honest application is told of events.
pub(super) const NEWS: &str = "calls until news is told";
/// Executions of a staging for each of its candidates, rounded up.
pub(super) const EXECUTIONS: &str = "executions for each candidate";

const COLUMNS: [(&str, &str); 5] = [
    (HONEST, "honest"),
    (HOSTILE, "hostile"),
    (WAITS, "waiting"),
    (NEWS, "news"),
    (EXECUTIONS, "executions"),
];

/// Of every attack on level *towns*: the towns, and median and largest of what was measured in them. The first four
/// columns are calls of `process_inbox` until something of the kind is decided.
pub fn figures(tally: &Tally) -> String {
    let mut table = format!("{:<16}{:>6}", "attack", "towns");
    for (_, title) in COLUMNS {
        let _ = write!(table, "{title:>12}");
    }
    for attack in ATTACKS {
        let name = format!("{attack:?}");
        let towns = tally.get("towns", &name);
        if towns == 0 {
            continue;
        }
        let _ = write!(table, "\n{name:<16}{towns:>6}");
        for (what, _) in COLUMNS {
            let cell = match summary(&tally.counts(&group(what, &name))) {
                Some((median, largest)) => format!("{median} / {largest}"),
                None => "-".to_owned(),
            };
            let _ = write!(table, "{cell:>12}");
        }
    }
    table
}

/// Where a number is counted that was measured under an attack.
pub(super) fn group(what: &str, attack: &str) -> String {
    format!("{what}, {attack}")
}

/// Counts a number.
pub(super) fn measure(tally: &mut Tally, what: &str, attack: &str, number: u64) {
    tally.count(&group(what, attack), format!("{number:03}"));
}

/// The median and the largest of numbers that were counted by their digits.
fn summary(counts: &[(&str, u64)]) -> Option<(u64, u64)> {
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let numbers = counts
        .iter()
        .map(|(digits, count)| (digits.parse().unwrap_or(0), *count));
    let (mut seen, mut median, mut largest) = (0, None, 0);
    for (number, count) in numbers {
        seen += count;
        if median.is_none() && 2 * seen >= total {
            median = Some(number);
        }
        largest = number;
    }
    median.map(|median| (median, largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_median_and_the_largest() {
        let mut tally = Tally::default();
        tally.count("towns", "Burn");
        for calls in [1, 1, 2, 10, 1, 2, 2] {
            measure(&mut tally, HONEST, "Burn", calls);
        }
        let counts = tally.counts(&group(HONEST, "Burn"));
        assert_eq!(summary(&counts), Some((2, 10)));
        assert_eq!(summary(&[]), None);
        assert!(figures(&tally).contains("2 / 10"), "{}", figures(&tally));
    }
}
