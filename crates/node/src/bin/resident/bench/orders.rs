//! Blocks of more and more bundles.

use std::sync::Arc;

use resident_storage::MemoryStore;

use crate::{
    CommandResult,
    bench::{Row, Setting, measure_row},
    market::{Market, node_config},
    measure::draft,
    orders::plan,
};

/// Numbers of bundles.
const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];

pub(super) async fn measure(setting: &Setting<'_>) -> CommandResult<Vec<Row>> {
    let mut rows = Vec::new();
    for orders in SIZES
        .into_iter()
        .filter(|orders| !setting.quick || *orders <= 1_000)
    {
        let config = node_config(setting.engine, setting.session);
        let market = Market::open(Arc::new(MemoryStore::new()), config, setting.contracts).await?;
        let plan = plan(orders, None);
        market.place(&plan).await?;
        let bundles = market.bundles(plan.len()).await?;
        let name = format!("orders/bundles={orders}");
        let draft = draft(&market, bundles);
        rows.push(measure_row(&market.node, setting, &name, &draft).await?);
    }
    Ok(rows)
}
