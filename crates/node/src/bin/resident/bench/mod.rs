//! `resident bench`: what single operations cost, and how blocks scale.
//!
//! Everything runs over a store in memory and is built on one thread. Finer measurements, of engines and
//! of the journal, are in the workspace's `benches`.

mod operations;
mod orders;
mod snapshots;
mod state;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use futures::executor::block_on;
use resident_chain::BlockDraft;
use resident_execution::{EngineKind, SessionKind};
use resident_node::LocalNode;
use serde::Serialize;

use self::snapshots::SnapshotRow;
use crate::{
    CommandResult, EngineChoice, SessionChoice, contracts::Contracts, measure::measure_block, pairs,
};

/// Measures single operations and how blocks scale.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchOptions {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// List the sections instead of running them.
    #[arg(long)]
    list: bool,
    /// Leave out what takes minutes.
    #[arg(long)]
    quick: bool,
    /// Which engine runs the contracts.
    #[arg(long, value_enum, default_value_t = EngineChoice::All)]
    engine: EngineChoice,
    /// How instances are kept within a block.
    #[arg(long, value_enum, default_value_t = SessionChoice::All)]
    session: SessionChoice,
    /// How often each block is built; the medians count.
    #[arg(long, value_name = "R", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repetitions: u32,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Where scripts/build-contracts.sh put the contracts.
    #[arg(long, value_name = "FOLDER", default_value = "target/contracts")]
    contracts: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Operations on warm instances: a counter, a token, an order that calls the token.
    Operations,
    /// Blocks of 10 to 10,000 bundles, and the peak of memory. Must be linear.
    Orders,
    /// The block of 100 bundles over tokens with 100 to 1,000,000 accounts. Must be flat.
    State,
    /// How large the examples' portable snapshots are in the middle of a block.
    Snapshots,
}

/// What all sections are told.
pub(crate) struct Setting<'a> {
    pub(crate) engine: EngineKind,
    pub(crate) session: SessionKind,
    pub(crate) quick: bool,
    pub(crate) repetitions: u32,
    pub(crate) contracts: &'a Contracts,
}

/// One measured block.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured, as `operation/key=value`.
    name: String,
    /// How many operations or bundles the block had.
    units: usize,
    staged_ms: f64,
    staged_cpu_ms: f64,
    committed_ms: f64,
    /// Processor time of staging, by unit, in microseconds.
    unit_us: f64,
    fuel: u64,
    /// The most memory that the process has had so far, in kilobytes, where the system tells.
    peak_memory_kb: Option<u64>,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
    snapshots: Vec<SnapshotRow>,
}

/// Runs the chosen sections and prints what they measured.
pub(crate) fn run(options: &BenchOptions) -> CommandResult<bool> {
    if options.list {
        list();
        return Ok(true);
    }
    let contracts = Contracts::read(&options.contracts)?;
    let (mut rows, mut snapshots) = (Vec::new(), Vec::new());
    if !options.json {
        print_header();
    }
    for section in Section::value_variants() {
        if !options.sections.is_empty() && !options.sections.contains(section) {
            continue;
        }
        for (engine, session) in pairs(options.engine, options.session) {
            let setting = Setting {
                engine,
                session,
                quick: options.quick,
                repetitions: options.repetitions,
                contracts: &contracts,
            };
            let measured = block_on(section.measure(&setting))?;
            if !options.json {
                measured.print();
            }
            rows.extend(measured.rows);
            snapshots.extend(measured.snapshots);
        }
    }
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&Report { rows, snapshots })?
        );
    }
    Ok(true)
}

/// What a section found out for one pair of engine and session.
#[derive(Default)]
struct Measured {
    rows: Vec<Row>,
    snapshots: Vec<SnapshotRow>,
}

impl Measured {
    fn print(&self) {
        self.rows.iter().for_each(print_row);
        snapshots::print(&self.snapshots);
    }
}

impl From<Vec<Row>> for Measured {
    fn from(rows: Vec<Row>) -> Self {
        Measured {
            rows,
            ..Measured::default()
        }
    }
}

impl Section {
    async fn measure(self, setting: &Setting<'_>) -> CommandResult<Measured> {
        Ok(match self {
            Self::Operations => operations::measure(setting).await?.into(),
            Self::Orders => orders::measure(setting).await?.into(),
            Self::State => state::measure(setting).await?.into(),
            Self::Snapshots => Measured {
                snapshots: snapshots::measure(setting).await?,
                ..Measured::default()
            },
        })
    }
}

/// Builds the block several times and keeps the one with the median of processor time. The first
/// attempt warms up and never counts.
pub(crate) async fn measure_row(
    node: &LocalNode,
    setting: &Setting<'_>,
    name: &str,
    draft: &BlockDraft,
) -> CommandResult<Row> {
    measure_block(node, draft.clone()).await?;
    let mut rows = Vec::new();
    for _ in 0..setting.repetitions {
        let measured = measure_block(node, draft.clone()).await?;
        let units = draft.transactions.len();
        rows.push(Row {
            name: format!(
                "{name}/engine={}/session={}",
                setting.engine, setting.session
            ),
            units,
            staged_ms: measured.staging.wall_ms,
            staged_cpu_ms: measured.staging.cpu_ms,
            committed_ms: measured.committed.wall_ms,
            unit_us: measured.staging.cpu_ms * 1e3 / units.max(1) as f64,
            fuel: measured.staged.execution.trace.fuel,
            peak_memory_kb: peak_memory_kb(),
        });
    }
    rows.sort_by(|one, other| one.staged_cpu_ms.total_cmp(&other.staged_cpu_ms));
    Ok(rows.swap_remove(rows.len() / 2))
}

fn list() {
    for section in Section::value_variants() {
        if let Some(value) = section.to_possible_value() {
            let help = value
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            println!("{:12}{help}", value.get_name());
        }
    }
}

fn print_header() {
    println!(
        "{:<64}{:>8}{:>12}{:>12}{:>12}{:>12}{:>14}",
        "", "units", "staged ms", "cpu ms", "commit. ms", "us / unit", "peak kB"
    );
}

fn print_row(row: &Row) {
    let peak = row
        .peak_memory_kb
        .map_or_else(|| "?".to_owned(), |peak| peak.to_string());
    println!(
        "{:<64}{:>8}{:>12.3}{:>12.3}{:>12.3}{:>12.2}{:>14}",
        row.name, row.units, row.staged_ms, row.staged_cpu_ms, row.committed_ms, row.unit_us, peak
    );
}

fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
