//! What the demo says in the end.

use std::fmt;

use serde::Serialize;

use super::{DemoOptions, run::Run};

/// Widths of the table's columns in characters.
const LABEL_WIDTH: usize = 36;
const COLUMN_WIDTH: usize = 17;

/// How much of an outcome's hash the table shows.
const SHORT_HASH: usize = 12;

/// The report, as it is printed in JSON. The text is its `Display`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    agree: bool,
    orders: u32,
    fail_every: Option<u32>,
    trades: u64,
    repetitions: u32,
    runs: Vec<Run>,
}

impl Report {
    pub(super) fn new(options: &DemoOptions, trades: u64, runs: Vec<Run>) -> Self {
        let mut outcomes = runs.iter().map(|run| (&run.facts.outcome, run.facts.fuel));
        let first = outcomes.next();
        let agree = outcomes.all(|outcome| Some(outcome) == first);
        let DemoOptions {
            orders,
            fail_every,
            repetitions,
            ..
        } = *options;
        Self {
            agree,
            orders,
            fail_every,
            trades,
            repetitions,
            runs,
        }
    }

    /// Whether all outcome hashes are the same.
    pub(super) fn agree(&self) -> bool {
        self.agree
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_introduction(f)?;
        self.write_table(f)?;
        self.write_gain(f)?;
        self.write_verdict(f)
    }
}

impl Report {
    fn write_introduction(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = self.runs.first() else {
            return Ok(());
        };
        let bids = self.orders.div_ceil(2);
        let (asks, facts) = (self.orders - bids, &run.facts);
        writeln!(f, "One block for an order book with {} orders", self.orders)?;
        writeln!(f)?;
        writeln!(
            f,
            "Two users on chains of their own sent {bids} bids and {asks} asks, one token each, at prices from 1 to 50."
        )?;
        writeln!(
            f,
            "Each order is one bundle: the funds and the order. {} bundles waited in the inbox of the order book's",
            facts.bundles
        )?;
        writeln!(
            f,
            "chain; one block took them all, and {} trades came of it.",
            self.trades
        )?;
        if let Some(every) = self.fail_every {
            writeln!(
                f,
                "Every order whose number is a multiple of {every} cancelled an order that does not exist: {} bundles were",
                facts.rejected
            )?;
            writeln!(
                f,
                "rejected, and all others came out exactly as in a block that never had these."
            )?;
        }
        writeln!(f)?;
        let runs = if self.repetitions == 1 {
            "one run".to_owned()
        } else {
            format!("medians of {} runs", self.repetitions)
        };
        writeln!(
            f,
            "Times are milliseconds, {runs}, each from an empty store."
        )?;
        writeln!(f)
    }

    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_row(f, "", |run| run.engine.clone())?;
        self.write_row(f, "", |run| run.session.replace('-', " "))?;
        writeln!(
            f,
            "{}",
            "-".repeat(LABEL_WIDTH + COLUMN_WIDTH * self.runs.len())
        )?;
        self.write_row(f, "stage the block", |run| {
            milliseconds(run.times.staged_ms)
        })?;
        self.write_row(f, "  of which processor", |run| {
            milliseconds(run.times.staged_cpu_ms)
        })?;
        self.write_row(f, "execute again as committed", |run| {
            milliseconds(run.times.committed_ms)
        })?;
        self.write_row(f, "commit durably", |run| {
            milliseconds(run.times.commit_durable_ms)
        })?;
        self.write_row(f, "stage a block for each bundle", |run| {
            milliseconds(run.times.single_ms)
        })?;
        writeln!(f)?;
        self.write_row(f, "applications", |run| run.facts.applications.to_string())?;
        self.write_row(f, "loads", |run| grouped(run.facts.loads))?;
        self.write_row(f, "stores", |run| grouped(run.facts.stores))?;
        self.write_row(f, "instantiations", |run| grouped(run.facts.instantiations))?;
        self.write_row(f, "snapshots taken", |run| grouped(run.facts.snapshots))?;
        self.write_row(f, "  bytes copied", |run| grouped(run.facts.snapshot_bytes))?;
        self.write_row(f, "snapshots restored", |run| grouped(run.facts.restores))?;
        self.write_row(f, "rejected bundles", |run| run.facts.rejected.to_string())?;
        writeln!(f)?;
        self.write_row(f, "fuel", |run| grouped(run.facts.fuel))?;
        self.write_row(f, "reads of the state", |run| {
            grouped(run.facts.resources.read_operations)
        })?;
        self.write_row(f, "writes to the state", |run| {
            grouped(run.facts.resources.write_operations)
        })?;
        self.write_row(f, "messages sent", |run| {
            grouped(run.facts.resources.messages)
        })?;
        self.write_row(f, "outcome", |run| {
            run.facts.outcome.chars().take(SHORT_HASH).collect()
        })
    }

    fn write_row(
        &self,
        f: &mut fmt::Formatter<'_>,
        label: &str,
        cell: impl Fn(&Run) -> String,
    ) -> fmt::Result {
        write!(f, "{label:LABEL_WIDTH$}")?;
        for run in &self.runs {
            write!(f, "{:>COLUMN_WIDTH$}", cell(run))?;
        }
        writeln!(f)
    }

    fn write_gain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for run in &self.runs {
            let gain = run.times.single_ms / run.times.staged_ms.max(f64::MIN_POSITIVE);
            let (engine, session) = (&run.engine, &run.session);
            writeln!(
                f,
                "{engine}, {session}: one block is {gain:.1} times as fast as {} blocks of one bundle.",
                run.facts.bundles
            )?;
        }
        Ok(())
    }

    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        match &self.runs[..] {
            [] => Ok(()),
            [only] => writeln!(
                f,
                "Outcome {}. One run alone has nothing to agree with.",
                only.facts.outcome
            ),
            [first, ..] if self.agree => {
                writeln!(
                    f,
                    "All {} outcome hashes agree: {}",
                    self.runs.len(),
                    first.facts.outcome
                )
            }
            runs => {
                writeln!(f, "THE OUTCOMES DISAGREE:")?;
                runs.iter().try_for_each(|run| {
                    let Run {
                        engine,
                        session,
                        facts,
                        ..
                    } = run;
                    writeln!(
                        f,
                        "  {} (fuel {})  {engine}, {session}",
                        facts.outcome, facts.fuel
                    )
                })
            }
        }
    }
}

fn milliseconds(time: f64) -> String {
    format!("{time:.2}")
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
