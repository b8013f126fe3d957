//! How large the portable snapshots of the examples' instances are, in the middle of a block.

use std::sync::Arc;

use resident_base::ApplicationId;
use resident_chain::BlockDraft;
use resident_execution::SessionKind;
use resident_storage::MemoryStore;
use serde::Serialize;

use crate::{
    CommandResult,
    bench::{
        Setting,
        operations::{increment, repeated},
    },
    market::{Market, node_config},
    measure::{draft, measure_block},
    orders::plan,
};

const ORDERS: u32 = 100;

/// An application's snapshot after the last transaction of a block.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SnapshotRow {
    name: String,
    engine: String,
    /// All of the instance's memory.
    memory_bytes: u64,
    snapshot_bytes: u64,
}

/// Only sessions that wind instances down take portable snapshots.
pub(super) async fn measure(setting: &Setting<'_>) -> CommandResult<Vec<SnapshotRow>> {
    if setting.session != SessionKind::PerTransaction {
        return Ok(Vec::new());
    }
    let config = node_config(setting.engine, setting.session);
    let market = Market::open(Arc::new(MemoryStore::new()), config, setting.contracts).await?;
    let plan = plan(ORDERS, None);
    market.place(&plan).await?;
    let orders = draft(&market, market.bundles(plan.len()).await?);
    let (counter, operation) = increment(&market, setting).await?;
    let increments = repeated(&market, &market.operator, &operation);
    let [base, quote] = market.tokens;
    let mut rows = Vec::new();
    let matching = [
        (market.engine, "matching-engine/orders=100"),
        (base, "fungible/orders=100 (base)"),
        (quote, "fungible/orders=100 (quote)"),
    ];
    rows.extend(sizes(&market, setting, &orders, &matching).await?);
    let counting = [(counter, "counter/increments=1000")];
    rows.extend(sizes(&market, setting, &increments, &counting).await?);
    Ok(rows)
}

pub(super) fn print(rows: &[SnapshotRow]) {
    if !rows.is_empty() {
        println!(
            "{:<64}{:>14}{:>14}",
            "portable snapshots", "memory B", "snapshot B"
        );
    }
    for row in rows {
        let name = format!("{}/engine={}", row.name, row.engine);
        println!(
            "{name:<64}{:>14}{:>14}",
            row.memory_bytes, row.snapshot_bytes
        );
    }
}

async fn sizes(
    market: &Market,
    setting: &Setting<'_>,
    draft: &BlockDraft,
    applications: &[(ApplicationId, &str)],
) -> CommandResult<Vec<SnapshotRow>> {
    let measured = measure_block(&market.node, draft.clone()).await?;
    let sizes = &measured.staged.execution.trace.portable;
    let row = |(id, name): &(ApplicationId, &str)| {
        let size = sizes.get(id)?;
        Some(SnapshotRow {
            name: format!("snapshot/{name}"),
            engine: setting.engine.to_string(),
            memory_bytes: size.memory_bytes,
            snapshot_bytes: size.snapshot_bytes,
        })
    };
    Ok(applications.iter().filter_map(row).collect())
}
