//! Counts of what happened to the directives of scripts.

use std::{collections::BTreeMap, fmt};

use resident_wasm::prepare::RefusalReason;

/// What happened, per kind of directive; and whatever was not as specified.
#[derive(Default)]
pub(crate) struct Tally {
    rows: BTreeMap<(&'static str, String), u64>,
    /// Each begins with its place, `file:line: `.
    pub(crate) deviations: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&mut self, directive: &'static str, what: impl Into<String>) {
        *self.rows.entry((directive, what.into())).or_default() += 1;
    }

    /// Takes out the deviations at a place; whether there were any.
    pub(crate) fn settle(&mut self, place: &str) -> bool {
        let before = self.deviations.len();
        let prefix = format!("{place}: ");
        self.deviations.retain(|it| !it.starts_with(&prefix));
        self.deviations.len() < before
    }

    /// How often this happened to such directives.
    pub(crate) fn total(&self, directive: &str, what: &str) -> u64 {
        let rows = self.rows.iter();
        rows.filter(|((row, outcome), _)| *row == directive && outcome.starts_with(what))
            .map(|(_, count)| count)
            .sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((directive, what), count) in &self.rows {
            writeln!(f, "{count:>7}  {directive:<18} {what}")?;
        }
        Ok(())
    }
}

/// A refusal without what differs from module to module.
pub(crate) fn kind(reason: &RefusalReason) -> String {
    use RefusalReason as R;
    match reason {
        R::Invalid { .. } => "not a valid module".into(),
        R::Feature { feature, .. } => format!("proposal {feature}"),
        R::Instruction { instruction } => format!("instruction {instruction}"),
        R::Limit { what, .. } => format!("limit: {what}"),
        R::UnknownImport { .. } => "unknown import".into(),
        R::DuplicateImport { .. } => "function imported twice".into(),
        R::BlockType { .. } => "block of several values".into(),
        R::ImportType { .. } => "import of another type".into(),
        R::ImportKind { kind, .. } => format!("imported {kind}"),
        R::MissingExport { .. } => "missing export".into(),
        R::ExportType { .. } => "export of another type".into(),
        R::ReservedExport { .. } => "reserved export".into(),
        R::GlobalType { .. } => "mutable global of references".into(),
        R::TableType { .. } => "table of no functions".into(),
        R::PassiveSegment { kind } => format!("passive {kind} segment"),
        R::SegmentOffset { kind } => format!("{kind} segment at no plain constant"),
        R::SegmentBounds { kind, .. } => format!("{kind} segment out of bounds"),
        _ => "a reason that this table does not know".into(),
    }
}
