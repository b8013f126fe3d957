//! One engine with one session: the whole job, several times, from an empty store.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use resident_base::{Amount, ApplicationId, Resources};
use resident_chain::{IncomingBundle, StagedBlock};
use resident_execution::{EngineKind, Message, SessionKind};
use resident_storage::DiskStore;
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    CommandResult,
    contracts::Contracts,
    market::{Market, node_config},
    measure::{draft, measure_block, measure_commit, measure_single, outcome_hash},
    orders::{Expected, PlannedOrder, QUANTITY, expected},
};

/// What to run.
pub(super) struct RunOptions<'a> {
    pub(super) engine: EngineKind,
    pub(super) session: SessionKind,
    pub(super) repetitions: u32,
    pub(super) store: Option<PathBuf>,
    pub(super) contracts: &'a Contracts,
    pub(super) plan: &'a [PlannedOrder],
}

/// What running it showed. Times are medians in milliseconds; everything else was the same in all
/// repetitions.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) engine: String,
    pub(super) session: String,
    #[serde(flatten)]
    pub(super) times: Times,
    #[serde(flatten)]
    pub(super) facts: Facts,
}

/// How long the steps took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Times {
    /// Building the block.
    pub(super) staged_ms: f64,
    /// Processor time of the block's thread while building.
    pub(super) staged_cpu_ms: f64,
    /// Executing the built block again as committed.
    pub(super) committed_ms: f64,
    /// Storing the block on the disk.
    pub(super) commit_durable_ms: f64,
    /// Building one block for each bundle instead.
    pub(super) single_ms: f64,
}

/// What the block did, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Facts {
    pub(super) bundles: usize,
    pub(super) rejected: usize,
    pub(super) applications: usize,
    pub(super) loads: u64,
    pub(super) stores: u64,
    pub(super) instantiations: u64,
    pub(super) snapshots: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) restores: u64,
    pub(super) fuel: u64,
    pub(super) resources: Resources,
    pub(super) outcome: String,
}

/// Runs all repetitions.
pub(super) async fn repeat(options: &RunOptions<'_>) -> CommandResult<Run> {
    let (engine, session) = (options.engine, options.session);
    let mut times = Vec::new();
    let mut facts = None;
    for repetition in 1..=options.repetitions {
        eprintln!(
            "{engine}, {session}: run {repetition} of {}",
            options.repetitions
        );
        let folder = Folder::new(options, repetition)?;
        let (time, fact) = run_once(options, folder.path()).await?;
        times.push(time);
        let first = facts.get_or_insert_with(|| fact.clone());
        if *first != fact {
            return Err(
                format!("two runs on {engine}, {session} differ: {first:?} and {fact:?}").into(),
            );
        }
    }
    Ok(Run {
        engine: engine.to_string(),
        session: session.to_string(),
        times: Times::medians(&times),
        facts: facts.ok_or("nothing was run")?,
    })
}

async fn run_once(options: &RunOptions<'_>, folder: &Path) -> CommandResult<(Times, Facts)> {
    let store = Arc::new(DiskStore::open(folder)?);
    let config = node_config(options.engine, options.session);
    let market = Market::open(store, config, options.contracts).await?;
    market.place(options.plan).await?;
    let bundles = market.bundles(options.plan.len() + 1).await?;

    let single = measure_single(&market, bundles.clone()).await?;
    let measured = measure_block(&market.node, draft(&market, bundles.clone())).await?;
    let facts = Facts::new(&measured.staged, &bundles);
    check_rejections(&market, &measured.staged, bundles, options.plan).await?;
    let commit = measure_commit(&market, measured.staged.execution.batch).await?;
    market.settle().await?;
    check_balances(&market, expected(options.plan)).await?;

    let times = Times {
        staged_ms: measured.staging.wall_ms,
        staged_cpu_ms: measured.staging.cpu_ms,
        committed_ms: measured.committed.wall_ms,
        commit_durable_ms: commit,
        single_ms: single.wall_ms,
    };
    Ok((times, facts))
}

/// The broken orders, and no others, must be rejected, and all the others must have done exactly what
/// they do in a block that never had the broken ones.
async fn check_rejections(
    market: &Market,
    staged: &StagedBlock,
    mut bundles: Vec<IncomingBundle>,
    plan: &[PlannedOrder],
) -> CommandResult<()> {
    let rejected: Vec<_> = staged
        .rejected
        .iter()
        .map(|(bundle, _)| place_of(bundle))
        .collect();
    let broken = bundles
        .iter()
        .zip(plan)
        .filter(|(_, order)| order.is_broken);
    let broken: Vec<_> = broken.map(|(bundle, _)| place_of(bundle)).collect();
    if rejected != broken || !staged.dropped.is_empty() {
        let (rejected, dropped, broken) = (rejected.len(), staged.dropped.len(), broken.len());
        return Err(format!(
            "{broken} orders are broken, but {rejected} bundles were rejected and {dropped} dropped"
        )
        .into());
    }
    if broken.is_empty() {
        return Ok(());
    }
    let outcome = &staged.execution.executed.outcome;
    let transactions = outcome.transactions.iter().zip(plan);
    let kept = transactions
        .filter(|(_, order)| !order.is_broken)
        .map(|(transaction, _)| transaction);
    bundles.retain(|bundle| !broken.contains(&place_of(bundle)));
    let without = measure_block(&market.node, draft(market, bundles)).await?;
    let without = &without.staged.execution.executed.outcome;
    if !kept.eq(&without.transactions) || outcome.finalization != without.finalization {
        return Err(
            "rejected bundles left a trace: the block without them comes out differently".into(),
        );
    }
    Ok(())
}

/// What tells bundles apart.
fn place_of(incoming: &IncomingBundle) -> impl PartialEq + use<> {
    (
        incoming.origin,
        incoming.bundle.height,
        incoming.bundle.transaction_index,
    )
}

/// The users must have what the trades gave them.
async fn check_balances(market: &Market, expected: Expected) -> CommandResult<()> {
    let [base, quote] = market.tokens;
    let bought = market.balance(base, &market.bidder).await?;
    let earned = market.balance(quote, &market.asker).await?;
    let trades = QUANTITY.saturating_mul(expected.trades.into());
    if (bought, earned) != (trades, Amount::from_tokens(expected.earned.into())) {
        let Expected {
            trades,
            earned: price,
        } = expected;
        return Err(format!(
            "{trades} trades worth {price} must come of the orders, but the buyer has {bought} base and the seller {earned} quote"
        ).into());
    }
    Ok(())
}

impl Facts {
    fn new(staged: &StagedBlock, bundles: &[IncomingBundle]) -> Self {
        let trace = &staged.execution.trace;
        Self {
            bundles: bundles.len(),
            rejected: staged.rejected.len(),
            applications: applications(bundles).len(),
            loads: trace.loads,
            stores: trace.stores,
            instantiations: trace.instantiations,
            snapshots: trace.snapshots,
            snapshot_bytes: trace.snapshot_bytes,
            restores: trace.restores,
            fuel: trace.fuel,
            resources: staged.execution.executed.outcome.resources,
            outcome: outcome_hash(staged).to_string(),
        }
    }
}

/// The applications that the bundles are for. The order book calls no others.
fn applications(bundles: &[IncomingBundle]) -> BTreeSet<ApplicationId> {
    let messages = bundles
        .iter()
        .flat_map(|incoming| &incoming.bundle.messages);
    let applications = messages.filter_map(|posted| match &posted.message {
        Message::User { application_id, .. } => Some(*application_id),
        Message::System(_) => None,
    });
    applications.collect()
}

impl Times {
    fn medians(times: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| median(times.iter().map(of).collect());
        Self {
            staged_ms: median(|times| times.staged_ms),
            staged_cpu_ms: median(|times| times.staged_cpu_ms),
            committed_ms: median(|times| times.committed_ms),
            commit_durable_ms: median(|times| times.commit_durable_ms),
            single_ms: median(|times| times.single_ms),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    };
    // Finer than a microsecond no clock here is.
    (median * 1e3).round() / 1e3
}

/// Where a run keeps its store.
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn new(options: &RunOptions<'_>, repetition: u32) -> CommandResult<Self> {
        let Some(parent) = &options.store else {
            return Ok(Self::Temporary(tempfile::tempdir()?));
        };
        let folder = parent.join(format!(
            "{}-{}-{repetition}",
            options.engine, options.session
        ));
        if folder.exists() {
            return Err(format!(
                "{} already exists; remove it or name another folder",
                folder.display()
            )
            .into());
        }
        fs::create_dir_all(&folder).map_err(|error| {
            format!(
                "cannot make {} ({error}); name another folder",
                folder.display()
            )
        })?;
        Ok(Self::Kept(folder))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers_of_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
