//! What a run has seen, counted.

use std::{collections::BTreeMap, fmt};

/// Counts by name. A name is `group: what`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Counts one.
    pub(crate) fn count(&mut self, group: &str, what: impl fmt::Display) {
        self.add(group, what, 1);
    }

    /// Counts many.
    pub(crate) fn add(&mut self, group: &str, what: impl fmt::Display, number: u64) {
        *self.0.entry(format!("{group}: {what}")).or_default() += number;
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Tally) {
        for (name, number) in &other.0 {
            *self.0.entry(name.clone()).or_default() += number;
        }
    }

    /// How often it was counted.
    pub fn get(&self, group: &str, what: &str) -> u64 {
        self.0
            .get(&format!("{group}: {what}"))
            .copied()
            .unwrap_or_default()
    }

    /// All counts of a group, by name.
    pub(crate) fn counts<'a>(&'a self, group: &str) -> Vec<(&'a str, u64)> {
        let prefix = format!("{group}: ");
        let counts = self.0.iter();
        counts
            .filter_map(|(name, count)| Some((name.strip_prefix(&prefix)?, *count)))
            .collect()
    }

    /// All counts of a group together.
    pub fn total(&self, group: &str) -> u64 {
        let prefix = format!("{group}: ");
        let counts = self.0.iter().filter(|(name, _)| name.starts_with(&prefix));
        counts.map(|(_, number)| number).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for (name, number) in &self.0 {
            let (its, what) = name.split_once(": ").unwrap_or((name, ""));
            if its != group {
                let total = self.total(its);
                write!(f, "\n  {its} ({total}):")?;
                group = its;
            }
            write!(f, " {what} {number},")?;
        }
        Ok(())
    }
}
